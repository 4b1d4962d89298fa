"""The integer LSTM of TFLite (8-bit weights and states, 16-bit gates and cell) over a batch of windows, bit for bit.

Sums of products, and their product with a 31-bit multiplier, stay below 2^53: double precision holds them exactly, so one
matrix product gives all four gates, and rounding is addition and truncation. Arrays are laid out units first, windows last.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .fixed_point import SHORT_LEAST, SHORT_MOST, UnprovenError, multiplier_of, sigmoid_table, tanh_table

Doubles = npt.NDArray[np.float64]
Integers = npt.NDArray[Any]
EXACT = 2.0**52  # sums in steps of a half below it have no rounding
AWAY = 1.0 + 2.0**-33  # moves a tie away from zero, and nothing else over a tie, for shifts of up to `MOST_SHIFT`
AWAY_PRODUCT = 1.0 + 2.0**-40  # the same for products of 16-bit numbers
MOST_SHIFT = 15
ORDER = (0, 1, 3, 2)  # input, forget and output gate before the cell's: those through the logistic function come first
ROUNDER = 1.5 * 2.0**52  # added to a double, it rounds it and leaves the integer in the lowest bits
ROUNDER_BITS = int(np.float64(ROUNDER).view(np.int64))
PLACE = ROUNDER - SHORT_LEAST
"""Added to a 16-bit number: its place in a table then is the sum's bits less those of `ROUNDER`."""


@dataclass(frozen=True)
class Gates:
    """One side of the gates' sums: weights for the inputs, or for the hidden state."""

    weights: Doubles
    """Weights with their multiplier, and a last column for the bias, shape (4, H, inputs + 1)."""
    steps: tuple[float, ...]
    """Factor after the first rounding, of each gate."""
    fits: bool
    """True if no sum can leave 16 bits."""

    @classmethod
    def of(cls, weights: Sequence[Integers], biases: Sequence[Integers], scales: Sequence[float]) -> Gates:
        """Prepare one side.

        Args:
            weights: 8-bit weights of the four gates, each (H, inputs).
            biases: Their effective biases, each (H,).
            scales: Their real factors to a gate's sum.

        Raises:
            UnprovenError: If double precision may not hold a sum.
        """
        rows, steps, fits = [], [], True
        for kernel, bias, scale in zip(weights, biases, scales, strict=True):
            multiplier, shift = multiplier_of(scale)
            size = np.abs(kernel.astype(np.float64)).sum(axis=1) * 128 + np.abs(bias.astype(np.float64))
            left = max(shift, 0)
            narrow = size.max(initial=0.0) * 2.0**left < 2.0**30
            if not narrow or size.max(initial=0.0) * max(multiplier, 1) >= EXACT or -shift > MOST_SHIFT:
                raise UnprovenError("sums that double precision does not hold")
            factor = multiplier * 2.0 ** (left - 31)
            # half a step of the grid: half up becomes nearest
            part = np.concatenate([kernel, bias[:, None]], axis=1) * factor
            part[:, -1] += 2.0 ** (left - 32)
            rows.append(part)
            steps.append(2.0 ** min(shift, 0) * AWAY)
            fits = fits and size.max(initial=0.0) * scale < SHORT_MOST - 1
        return cls(np.stack(rows), tuple(steps), fits)

    def sums(self, gate: int, values: Doubles, out: Doubles) -> Doubles:
        """Compute a gate's sums: rounded once, in units of a gate but not yet whole.

        Args:
            gate: Its number in `ORDER`.
            values: Inputs with a last row of ones, shape (inputs + 1, N).
            out: Where they go, shape (H, N).
        """
        np.matmul(self.weights[gate], values, out=out)
        np.rint(out, out=out)
        return np.multiply(out, self.steps[gate], out=out)

    def places(self, values: Doubles) -> Doubles:
        """Compute the sums of all gates in 16 bits, as offsets to a table's places; see `PLACE`.

        Args:
            values: As in `sums`.

        Returns:
            Shape (4, H, N).
        """
        gates, units, _ = self.weights.shape
        out = np.empty((gates, units, values.shape[1]))
        for gate, part in enumerate(out):
            np.rint(self.sums(gate, values, part), out=part)
        if not self.fits:
            np.clip(out, SHORT_LEAST, SHORT_MOST, out=out)
        return np.add(out, PLACE, out=out)


@dataclass(frozen=True)
class Hidden:
    """Product of output gate and cell, and its way to the steps of the hidden state."""

    factor: float
    """Real factor to these steps."""
    away: float
    """Added away from zero before rounding: the kernel rounds twice."""
    zero_point: int
    """Integer that stands for 0."""

    @classmethod
    def of(cls, scale: float, zero_point: int) -> Hidden:
        """Choose the numbers and prove them: products of 31 bits, times 31 bits, do not fit double precision.

        Args:
            scale: Of the hidden state.
            zero_point: Integer that stands for 0.

        Raises:
            UnprovenError: If a rounded product could lie on the other side of a tie than the kernel's.
        """
        multiplier, shift = multiplier_of(float(np.float32(2.0**-15 / scale * 2.0**-15)))
        right = -shift
        if not 0 < right < 31 or not multiplier:
            raise UnprovenError("a hidden state of unusual scale")
        factor, away = multiplier * 2.0 ** (shift - 31), 2.0 ** -(right + 1)
        # the least products that give k + 1: both neighbours must be clear of the tie by more than two roundings
        for k in range(256):
            tie = ((2 * k + 1) << (right + 30)) - (1 << 30)
            least = -(-tie // multiplier)
            above, below = least * multiplier - tie, tie - (least - 1) * multiplier
            room = ((k + 1) << (right + 31)) >> 48
            if below <= room + 1 or 0 < above <= room + 1:
                raise UnprovenError("a hidden state whose rounding is too close to tell")
        return cls(factor, away + 2.0**-41, zero_point)

    def rounded(self, values: Doubles, scratch: Doubles, out: Doubles) -> None:
        """Round to the steps of the hidden state.

        Args:
            values: In units of a step, shape (H, N); changed.
            scratch: Of the same shape.
            out: Where the states go.
        """
        np.add(values, np.copysign(self.away, values, out=scratch), out=values)
        np.rint(values, out=out)
        if self.zero_point:
            np.add(out, self.zero_point, out=out)
        np.clip(out, -128, 127, out=out)


class IntegerLstm:
    """A UNIDIRECTIONAL_SEQUENCE_LSTM with 8-bit weights.

    Args:
        inputs: Weights and biases of the input side.
        recurrent: Those of the hidden state.
        hidden: The hidden state's factor.
        cell_exponent: Power of two of the cell's scale, -15 to -9.
    """

    def __init__(self, inputs: Gates, recurrent: Gates, hidden: Hidden, cell_exponent: int) -> None:
        self.inputs, self.recurrent, self._hidden = inputs, recurrent, hidden
        self.units = inputs.weights.shape[1]
        self._cell_step = 2.0**-cell_exponent
        # fractions of 1, a trifle larger: products that are ties then round away from zero
        self._logistic = sigmoid_table() * (2.0**-15 * AWAY_PRODUCT)
        self._candidate = tanh_table(3) * 2.0 ** (-15 - cell_exponent)
        self._squashed = tanh_table(15 + cell_exponent) * (2.0**15 * hidden.factor)

    def run(self, steps: Callable[[int], Doubles], hidden: Doubles, cell: Doubles, out: npt.NDArray[np.int8]) -> None:
        """Run a block of windows; the states are changed in place.

        Args:
            steps: Function from a step to the input side's places, shape (4, H, N).
            hidden: Hidden state with a last row of ones, shape (H + 1, N).
            cell: Cell state, shape (H, N).
            out: Where the hidden states of all steps go, shape (steps, H, N).
        """
        shape = cell.shape
        entering, forgotten, leaving, candidate, scratch = (np.empty(shape) for _ in range(5))
        gates = ((entering, self._logistic), (forgotten, self._logistic), (leaving, self._logistic))
        parts = tuple(enumerate((*gates, (candidate, self._candidate))))
        places = np.empty(shape, np.intp)  # 32 bits on 32-bit Arm, where `take` refuses longer ones; places have 18
        # a step adds 1 to the cell at most
        clip_cell = np.abs(cell).max(initial=0.0) + (len(out) + 1) * self._cell_step > SHORT_MOST
        for step, states in enumerate(out):
            offsets = steps(step)
            for gate, (values, table) in parts:
                np.add(self.recurrent.sums(gate, hidden, scratch), offsets[gate], out=scratch)
                np.subtract(scratch.view(np.int64), ROUNDER_BITS, out=places)
                table.take(places, mode="clip", out=values)
            np.rint(np.multiply(forgotten, cell, out=cell), out=cell)
            np.rint(np.multiply(entering, candidate, out=entering), out=entering)
            np.add(cell, entering, out=cell)
            if clip_cell:
                np.clip(cell, SHORT_LEAST, SHORT_MOST, out=cell)
            np.subtract(np.add(cell, PLACE, out=scratch).view(np.int64), ROUNDER_BITS, out=places)
            self._squashed.take(places, mode="clip", out=candidate)
            self._hidden.rounded(np.multiply(leaving, candidate, out=leaving), scratch, hidden[:-1])
            np.copyto(states, hidden[:-1], casting="unsafe")
