"""Mapping from a source's columns to the model's channels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import ModelError, ShapeError
from .counters import Counters
from .resampling import Resampling
from .signals import Signal, Signals

if TYPE_CHECKING:
    from ..model_file.metadata import Metadata

MISSING_SECTION = "missing_words"  # of a model's metadata


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
    resampling: Resampling | None = None
    """Grid that the model was trained on; None for rows as they come."""
    counters: Counters = field(default_factory=Counters)
    """Channels that are the growth of a counter."""
    signals: Signals = field(default_factory=Signals)
    """Places and forms of the channels in the source, for those that have one written down."""

    @classmethod
    def of(
        cls,
        metadata: Metadata,
        taken: tuple[str, ...] = (),
        time: str | None = None,
        missing: tuple[str, ...] = (),
        channels: str | Mapping[str, Any] = "",
    ) -> Columns:
        """Columns for a model's channels, with the grid, counters and words for missing values that it was trained with.

        Args:
            metadata: The model's.
            taken: The source's names for the channels; empty when they are called the same.
            time: The source's time column; None to look for one.
            missing: Further words for a missing value.
            channels: Table of the channels' signals, or the name of a file that holds it; what it leaves out is as in training.

        Raises:
            ModelError: If the model's sections on these are damaged.
            ConfigError: If the table is, or names another channel.
        """
        sections, names = metadata.sections, metadata.names
        words = (*missing_words(sections), *missing)
        signals = Signals.of(sections)
        signals = Signals.read(channels, signals, names) if channels else signals
        taken = taken or (signals.paths(names) if signals else ())
        return cls(names, taken, time, words, Resampling.of(sections), Counters.of(sections), signals)

    def __post_init__(self) -> None:
        if self.taken and len(self.taken) != len(self.channels):
            raise ShapeError(
                f"The model expects {len(self.channels)} channels ({', '.join(self.channels)}); "
                f"--columns names {len(self.taken)} ({', '.join(self.taken)})."
            )

    def is_long(self, header: Sequence[str]) -> bool:
        """Tell a long table, a value a row, by its header: it lacks the channels and has the columns that make them."""
        grid, present = self.resampling, set(header)
        if grid is None or not grid.keys or present >= set(self.names):
            return False
        return present >= {*grid.keys, *grid.values}

    @property
    def names(self) -> tuple[str, ...]:
        """The source's name of each channel."""
        return self.taken or self.channels

    @property
    def by_path(self) -> Mapping[str, Signal]:
        """Signals by the source's names."""
        return self.signals.by_path(self.channels, self.names)

    def lacking(self, present: Sequence[str], origin: str) -> ShapeError:
        """The error for a source that lacks some of the names.

        Args:
            present: Names that the source has.
            origin: Name of the source.
        """
        lacking = [name for name in self.names if name not in present]
        told = set(lacking) & set(self.signals.paths(self.channels)) and self.signals
        order = "Name the columns in the model's order with --columns, or in a table [channels]."
        remedy = "Correct the paths in the table [channels]." if told else order
        return ShapeError(
            f"The model expects {len(self.channels)} channels ({', '.join(self.channels)}); {origin} has no "
            f"{', '.join(lacking)} (its columns: {short(present)}). {remedy}"
        )


def reading(metadata: Metadata) -> tuple[Resampling | None, Counters, tuple[str, ...], Signals]:
    """Parts of a model's metadata by which its source reads rows; a source that is open keeps them.

    Raises:
        ModelError: If they are damaged.
    """
    sections = metadata.sections
    return Resampling.of(sections), Counters.of(sections), missing_words(sections), Signals.of(sections)


def missing_words(sections: Mapping[str, Any]) -> tuple[str, ...]:
    """Words for a missing value that a model was trained with.

    Args:
        sections: Of the model's metadata.

    Raises:
        ModelError: If they are no list of words.

    >>> missing_words({"missing_words": ["defekt"]}), missing_words({})
    (('defekt',), ())
    """
    words = sections.get(MISSING_SECTION, [])
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise ModelError(f"The model's section {MISSING_SECTION} is no list of words. Train it again.")
    return tuple(words)


def short(names: Sequence[str]) -> str:
    """Names for a message, twelve at most."""
    shown = ["".join(filter(str.isprintable, name[:40])) for name in names[:12]]
    return ", ".join(shown) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
