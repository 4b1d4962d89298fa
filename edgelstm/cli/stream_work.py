"""Work of the commands over streams, from the flags to the last line."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click


def work(config: Path | None, flags: Mapping[str, Any], dry_run: bool) -> None:
    """Run models until their sources or a signal end them.

    Args:
        config: TOML file; None for none.
        flags: Values of the command line by parameter name; those that were not given are None or empty.
        dry_run: Whether to check and describe only.
    """
    from edgelstm.runtime.io.terminal import log_safely
    from edgelstm.runtime.service.assembly import assemble, describe
    from edgelstm.runtime.service.config import load_config, make_config
    from edgelstm.runtime.service.run_together import handling_signals, run_all
    from edgelstm.runtime.service.systemd import serving

    settings = {name.replace("_", "-"): value for name, value in flags.items() if value not in (None, ())}
    chosen = load_config(config, settings) if config else make_config(settings)
    log_safely()
    if dry_run:
        click.echo("\n".join(describe(chosen)))
        return
    runners = assemble(chosen)
    with handling_signals(*runners), serving(runners, chosen.settings):
        run_all(runners)
    for runner in runners:
        done = runner.status
        troubles = "".join(f"; {count} {reason}" for reason, count in runner.troubles.items())
        verb = "scored" if done.forecast is None else "forecast from"
        click.echo(
            f"{runner.name}: {done.samples} samples, {done.scored} {verb}, {done.opened.total()} events{troubles}.",
            err=True,
        )
        if runner.warning:
            click.echo(f"Warning: {runner.warning}", err=True)
