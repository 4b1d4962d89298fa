"""Options and output that the steps of `edgelstm fleet` share."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from edgelstm.fleet.engine import Engine
    from edgelstm.fleet.run import Progress

F = TypeVar("F", bound=Callable[..., Any])


def engine_options(function: F) -> F:
    """Add --scheduler and --workers."""
    function = click.option(
        "--workers", type=click.IntRange(1), help="Processes of this machine.  [default: by processors and memory]"
    )(function)
    return click.option(
        "--scheduler",
        metavar="URL",
        envvar="EDGELSTM_SCHEDULER",
        help="Dask scheduler, as in tcp://host:8786; without it, this machine works.",
    )(function)


def follow(title: str, total: int, engine: Engine, outcomes: Iterable[Progress]) -> Counter[str]:
    """Show the outcomes as they come: a bar on a terminal, a line for each failure; return the number of each state.

    Args:
        title: Name of the step.
        total: Number of assets.
        engine: Its processes.
        outcomes: From `run_stage`.
    """
    from edgelstm.cli.progress import assets
    from edgelstm.fleet.run import summary
    from edgelstm.runtime.io.terminal import printable

    click.echo(f"{title}: {total:,} assets, {engine.description}", err=True)
    states: Counter[str] = Counter()
    seconds = 0.0
    with assets(total, title) as advance:
        for outcome in outcomes:
            states[outcome.done.state] += 1
            seconds += outcome.seconds
            if outcome.done.error:
                click.echo(printable(f"{outcome.done.asset}: {outcome.done.error}"), err=True)
            advance(printable(outcome.done.asset))
    click.echo(f"{title}: {summary(states)}; {seconds:,.0f} s of processor time", err=True)
    return states


def finish(home: Any, states: Counter[str], as_json: bool = False) -> int:
    """Write the manifest, and return the number of assets in it; exit with code 1 if an asset failed.

    Args:
        home: The fleet's folder.
        states: Number of assets in each state.
        as_json: Print the numbers and the manifest's place as JSON on standard output.
    """
    from edgelstm.fleet.manifest import JSON_FILE, PARQUET_FILE, write_manifest

    count = write_manifest(home)
    click.echo(f"{home.path(JSON_FILE)}, {PARQUET_FILE}: {count:,} assets", err=True)
    if as_json:
        click.echo(json.dumps({"assets": dict(states), "manifest": str(home.path(JSON_FILE)), "listed": count}))
    if states["failed"]:
        sys.exit(1)
    return count


def by_option(function: F) -> F:
    """Add --by."""
    return click.option(
        "--by",
        default="asset",
        show_default=True,
        metavar="NAME",
        help="The {NAME} of a pattern, or the asset column of a long table.",
    )(function)


def without(names: Sequence[str], parameters: Sequence[click.Parameter]) -> list[click.Parameter]:
    """Parameters of another command, but for some.

    Args:
        names: Those to leave out.
        parameters: All of them.
    """
    return [parameter for parameter in parameters if parameter.name not in names]
