"""Options that say how rows of training are read, for `edgelstm train`, `search` and `fleet train`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import click

from .streams import channels_option

if TYPE_CHECKING:
    from edgelstm.data.reading import Reading

F = TypeVar("F", bound=Callable[..., Any])
P = ParamSpec("P")
SCALERS = ("standard", "minmax", "robust", "none")
HELD = 3  # intervals for which a value is held where the user does not say


def reading_options(function: Callable[P, None]) -> Callable[P, None]:
    """Add --time-column, --missing, --scaler, --counter, --channels and --grid; `reading_of` takes them."""
    return _row_options(_counter_option(channels_option(_grid_option(function))))


def reading_of(
    options: dict[str, Any], columns: Sequence[str] | None = None, label_column: str | None = None
) -> Reading:
    """Take the options of the reading out of a command's.

    Args:
        options: All of the command's; those of the reading are removed, the scaler, which training does, is not.
        columns: Channels to take; none for every number column.
        label_column: Column of labels.

    Raises:
        ConfigError: If the file of --channels cannot be read.
    """
    from edgelstm.data.reading import Reading
    from edgelstm.runtime.sources.signals import Signals

    grid, signals = options.pop("grid"), Signals.read(options.pop("channels") or "")
    return Reading(
        columns=tuple(columns or ()),
        time_column=options.pop("time_column"),
        label_column=label_column,
        missing=options.pop("missing"),
        counters=options.pop("counters").wraps,
        signals=signals.record(),
        grid=(grid.period, grid.hold) if grid else None,
    )


def _row_options(function: F) -> F:
    """Add the options of kinds that train on rows: time column, words for a missing value, and scaler."""
    function = click.option(
        "--scaler", type=click.Choice(SCALERS), default="standard", show_default=True, help="Scaling of the channels."
    )(function)
    function = click.option(
        "--missing", multiple=True, metavar="WORD", help="Read WORD as a missing value; may be given several times."
    )(function)
    return click.option("--time-column", metavar="NAME", help="Column with the time; looked for if left out.")(function)


def _counter_option(function: F) -> F:
    """Add --counter, channels of which the growth is taken."""
    return click.option(
        "--counter", "counters", multiple=True, metavar="NAME[:WRAP]", callback=_counters,
        help="Take a counter's growth from row to row. It begins at 0 again at WRAP, else at 16 or 32 bits. "
        "May be given several times.",
    )(function)  # fmt: skip


def _grid_option(function: F) -> F:
    """Add --grid, the interval that rows are brought to."""
    return click.option(
        "--grid", metavar="SECONDS[:HOLD]", callback=_grid,
        help="Bring rows to this interval; a silent channel keeps its value for HOLD seconds (three intervals).  [default: by the data]",
    )(function)  # fmt: skip


def _grid(_: click.Context, __: click.Parameter, text: str | None) -> Any:
    from edgelstm.runtime.errors import ModelError
    from edgelstm.runtime.sources.resampling import MOST_HELD, Resampling

    if text is None:
        return None
    period, _colon, hold = text.partition(":")
    try:
        return Resampling(float(period), float(hold or HELD * float(period)))
    except (ValueError, ModelError) as error:
        raise click.BadParameter(
            f"{text!r} is no interval in seconds, with a time to hold values of one to {MOST_HELD} intervals behind a colon"
        ) from error


def _counters(_: click.Context, __: click.Parameter, texts: tuple[str, ...]) -> Any:
    from edgelstm.runtime.sources.counters import Counters

    wraps: dict[str, float | None] = {}
    for text in texts:
        name, colon, wrap = text.rpartition(":")
        try:
            wraps |= {name: float(wrap)} if colon else {text: None}
        except ValueError:  # a colon of the name's own
            wraps[text] = None
    return Counters(wraps)
