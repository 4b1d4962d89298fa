"""Counters seen in training rows: the reading at which one wraps, and channels that look like counters and are not declared."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from edgelstm.runtime.sources.counters import Counters

from .table import Table

Doubles = npt.NDArray[np.float64]
MARGIN = 1.25  # times the fastest growth, up to which a counter may have grown in the step over its wrap
DIGITS = 6  # significant digits of a wrap, at most
CHANCE = 0.02  # that a round number explains a single fall, above which that is no evidence
LEAST_STEPS = 50  # with growth, below which nothing is said
RARE = 0.01  # share of the steps that may fall
END, START = 0.9, 0.1  # of the range, from where and to where a counter falls


@dataclass(frozen=True)
class Steps:
    """Steps between the readings of one channel."""

    before: Doubles
    """Readings, shape (N,)."""
    after: Doubles
    """The next ones, shape (N,)."""
    rows: Doubles
    """Rows from one to the other, shape (N,)."""

    @classmethod
    def of(cls, column: Doubles) -> Steps:
        """Return the steps of a column.

        Args:
            column: Shape (T,), NaN where there is no reading.
        """
        known = np.flatnonzero(np.isfinite(column))
        return cls(column[known[:-1]], column[known[1:]], np.diff(known).astype(np.float64))

    @property
    def falls(self) -> npt.NDArray[np.intp]:
        """Places of the steps at which the reading fell."""
        return np.flatnonzero(self.after < self.before)

    @property
    def fastest(self) -> float:
        """Largest growth a row."""
        return float(((self.after - self.before) / self.rows).max(initial=0.0))


def observed(table: Table, counters: Counters) -> tuple[Counters, tuple[str, ...]]:
    """Return the counters with the wraps that the rows show, where none is declared, and a sentence for each.

    Args:
        table: Readings, in time order.
        counters: The declared counters.
    """
    wraps, notes = dict(counters.wraps), []
    for name in [name for name, wrap in wraps.items() if wrap is None]:
        steps = Steps.of(table.values[:, table.channels.index(name)])
        wrap = wrap_of(steps)
        if wrap is not None:
            wraps[name] = wrap
            count = len(steps.falls)
            notes.append(
                f"{name} begins at 0 again at {wrap:.15g}, as {count} fall{'s show' if count > 1 else ' shows'}"
            )
    return replace(counters, wraps=wraps), tuple(notes)


def wrap_of(steps: Steps) -> float | None:
    """Return the reading at which a counter begins at 0 again: the roundest that explains all falls; None where there is none.

    In the step over the wrap it grew at least not at all, and at most a quarter faster than ever else.

    Args:
        steps: Of its readings.

    >>> wrap_of(Steps.of(np.arange(29_000.0, 33_000.0, 7) % 30_000))
    30000.0
    """
    falls = steps.falls
    if not len(falls) or not steps.fastest:
        return None
    least = steps.before[falls] - steps.after[falls]
    low = max(float(least.max()), float(np.nextafter(max(steps.before.max(), steps.after.max()), math.inf)))
    high = float((least + MARGIN * steps.fastest * steps.rows[falls]).min())
    if not low <= high:
        return None
    roundest = next(_round_numbers(low, high), None)
    if roundest is None:
        return None
    wrap, apart = roundest
    return wrap if len(falls) > 1 or high - low <= CHANCE * apart else None


def _round_numbers(low: float, high: float) -> Iterator[tuple[float, float]]:
    """Yield numbers from low to high with the distance of their like: a power of two, then those of the fewest digits."""
    bits = math.ceil(math.log2(low))
    if 2.0**bits <= high:
        yield 2.0**bits, 2.0**bits
    for digits in range(1, DIGITS + 1):
        unit = 10.0 ** (math.floor(math.log10(high)) - digits + 1)
        number = math.floor(high / unit) * unit
        if number >= low:
            yield float(f"{number:.{DIGITS}g}"), unit


def hints(table: Table, counters: Sequence[str]) -> tuple[str, ...]:
    """Return a sentence for each channel that looks like a counter and is not declared.

    Args:
        table: Readings, in time order.
        counters: Names of the declared counters.
    """
    sentences = []
    for at, name in enumerate(table.channels):
        if name in counters:
            continue
        column = table.values[:, at]
        steps = Steps.of(column)
        if not _only_grows(steps):
            continue
        wrap, falls = wrap_of(steps), len(steps.falls)
        fell = f" and fell back {falls} time{'s' if falls > 1 else ''}" if falls else ""
        declared = name if wrap is None else f"{name}:{wrap:.15g}"
        sentences.append(
            f"Warning: {name} only grows{fell}, as counters do: later readings are outside of all that training saw. "
            f"If it counts, take its growth with --counter {declared}"
        )
    return tuple(sentences)


def _only_grows(steps: Steps) -> bool:
    """Tell whether readings grow, and fall at most seldom, from near the end of their range to near its start."""
    growth, falls = steps.after - steps.before, steps.falls
    if (growth > 0).sum() < LEAST_STEPS or len(falls) > RARE * len(growth):
        return False
    low, high = float(steps.before.min()), float(steps.before.max())
    from_end = steps.before[falls] >= low + END * (high - low)
    to_start = steps.after[falls] <= low + START * (high - low)
    return bool((from_end & to_start).all())
