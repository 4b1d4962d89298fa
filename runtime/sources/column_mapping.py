"""Which columns of a source feed the model, and what a row becomes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ..errors import SeriesError, ShapeError
from ..io.timestamps import TIME_NAMES, parse_time
from .csv_cells import MISSING


class Row(NamedTuple):
    """One row in the model's order of channels."""

    values: list[float]
    """Sensor units, shape (F,); NaN for an empty cell."""
    time: float | None
    """Seconds since 1970 or the stream's own count; None without one."""
    label: str
    """The time as written."""


Parse = Callable[[str], Row]


@dataclass(frozen=True)
class Columns:
    """Which columns of a source feed the model."""

    channels: tuple[str, ...]
    """The model's channels, in its order."""
    taken: tuple[str, ...] = ()
    """The source's names for them, in the same order; empty when they are called the same."""
    time: str | None = None
    """The source's time column; None to look for one."""

    def __post_init__(self) -> None:
        if self.taken and len(self.taken) != len(self.channels):
            raise ShapeError(
                f"The model expects {len(self.channels)} channels ({', '.join(self.channels)}); "
                f"--columns names {len(self.taken)} ({', '.join(self.taken)})."
            )

    @property
    def names(self) -> tuple[str, ...]:
        """The source's name of each channel."""
        return self.taken or self.channels

    def missing(self, found: Sequence[str], origin: str) -> ShapeError:
        """The error for a source that lacks some of the names."""
        lacking = [name for name in self.names if name not in found]
        return ShapeError(
            f"The model expects {len(self.channels)} channels ({', '.join(self.channels)}); {origin} has no "
            f"{', '.join(lacking)} (its columns: {short(found)}). Name the columns in the model's order with --columns."
        )


def time_name(names: Sequence[str]) -> str | None:
    """The name among some that most likely is the time's, None if none is.

    >>> time_name(["Date", "flow", "Time"])
    'Time'
    """
    by_word = {name.strip().casefold(): name for name in reversed(names)}
    return next((by_word[word] for word in TIME_NAMES if word in by_word), None)


def read_time(text: str, name: str, american: bool = False) -> float | None:
    """A cell's seconds, None where it is empty or says so.

    Args:
        text: The cell.
        name: Its column, for errors.
        american: Whether dates with slashes have the month first.

    Raises:
        SeriesError: If it is no time.
    """
    if text.casefold() in MISSING:
        return None
    try:
        return parse_time(text, american)
    except ValueError as error:
        raise SeriesError(f"column {name}: {text[:40]!r} is not a time") from error


def short(names: Sequence[str]) -> str:
    """Names for a message, twelve at most."""
    shown = ["".join(filter(str.isprintable, name[:40])) for name in names[:12]]
    return ", ".join(shown) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
