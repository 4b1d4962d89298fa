"""Faults that are injected into rows of normal operation, so that a detector is judged without labels.

Unsupervised model selection by injected anomalies: Goswami et al., ICLR 2023.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

Rows = TypeVar("Rows", npt.NDArray[np.float32], npt.NDArray[np.float64])
Values = npt.NDArray[np.float64]
ROWS = 60  # that a fault lasts
SPIKE = 2  # rows of a spike


@dataclass(frozen=True)
class Fault:
    """A kind of fault in one channel."""

    change: Callable[[Values, float, np.random.Generator], Values]
    """From values of normal operation in deviations, shape (`ROWS`,), a size and random numbers to faulty ones."""
    sized: bool = False
    """True if it has a size, in deviations of the channel."""
    lasts: int = ROWS
    """Rows that are faulty."""
    says: str = ""
    """Course of the fault, in a few words."""


def _offset(values: Values, size: float, _: np.random.Generator) -> Values:
    return values + size


def _drift(values: Values, size: float, _: np.random.Generator) -> Values:
    return values + size * np.arange(1, len(values) + 1) / len(values)


def _noise(values: Values, size: float, random: np.random.Generator) -> Values:
    return values + size * random.normal(size=len(values))


def _spike(values: Values, size: float, _: np.random.Generator) -> Values:
    return values + size * (np.arange(len(values)) < SPIKE)


def _stuck(values: Values, _: float, __: np.random.Generator) -> Values:
    return np.full_like(values, values[0])


def _uncorrelated(values: Values, _: float, random: np.random.Generator) -> Values:
    return np.roll(values, int(random.integers(len(values) // 4, 3 * len(values) // 4)))


def _reversed(values: Values, _: float, __: np.random.Generator) -> Values:
    return values[::-1].copy()


def _slowed(values: Values, _: float, __: np.random.Generator) -> Values:
    return np.interp(np.arange(len(values)) / 2, np.arange(len(values)), values)


FAULTS = {
    "offset": Fault(_offset, True, says="a step that stays"),
    "drift": Fault(_drift, True, says="a ramp"),
    "noise": Fault(_noise, True, says="added noise"),
    "spike": Fault(_spike, True, SPIKE, says=f"{SPIKE} rows off"),
    "stuck": Fault(_stuck, says="a channel stands still"),
    "uncorrelated": Fault(_uncorrelated, says="out of step with the others"),
    "reversed": Fault(_reversed, says="a course that runs backwards"),
    "slowed": Fault(_slowed, says="a course at half its pace"),
}
"""Kinds of faults by name; the first ones leave a trace in the level, the last ones in the shape alone."""


def injected_fault(place: Rows, kind: str, channel: int, size: float, seed: int = 0) -> Rows:
    """Return a copy of rows with a fault in the last `ROWS` of them.

    Args:
        place: Rows in deviations, shape (T, F).
        kind: Name in `FAULTS`.
        channel: Index of the channel.
        size: Size of the fault, deviations, where its kind has one; of a drift at its end.
        seed: Of what is random in it.
    """
    rows = place.copy()
    values = rows[-ROWS:, channel].astype(np.float64)
    rows[-ROWS:, channel] = FAULTS[kind].change(values, size, np.random.default_rng(seed))
    return rows
