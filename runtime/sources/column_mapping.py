"""Mapping from a source's columns to the model's channels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ..errors import ShapeError


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
    """Columns of a source that feed the model."""

    channels: tuple[str, ...]
    """The model's channels, in its order."""
    taken: tuple[str, ...] = ()
    """The source's names for them, in the same order; empty when they are called the same."""
    time: str | None = None
    """The source's time column; None to look for one."""
    missing: tuple[str, ...] = ()
    """Words for a missing value, besides those that are known."""

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

    def lacking(self, present: Sequence[str], origin: str) -> ShapeError:
        """The error for a source that lacks some of the names.

        Args:
            present: Names that the source has.
            origin: Name of the source.
        """
        lacking = [name for name in self.names if name not in present]
        return ShapeError(
            f"The model expects {len(self.channels)} channels ({', '.join(self.channels)}); {origin} has no "
            f"{', '.join(lacking)} (its columns: {short(present)}). Name the columns in the model's order with --columns."
        )


def short(names: Sequence[str]) -> str:
    """Names for a message, twelve at most."""
    shown = ["".join(filter(str.isprintable, name[:40])) for name in names[:12]]
    return ", ".join(shown) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
