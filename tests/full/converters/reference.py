"""The LSTM cell in NumPy, float and integer: what TFLite's kernels are checked against.

Integer arithmetic after TensorFlow Lite's lstm_eval.cc (LstmStepInteger8x8_16) and gemmlowp's fixedpoint.h, scalar code.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

INT16_MIN, INT16_MAX = -(1 << 15), (1 << 15) - 1
GATE_SCALE = 2.0**-12  # pre-activations are Q3.12
EXP_FACTORS = {-2: 1672461947, -1: 1302514674, 0: 790015084, 1: 290630308, 2: 39332535, 3: 720401, 4: 242}  # exp(-2^k)


def float_lstm(inputs, kernel, recurrent, bias):
    """Hidden states (N, T, U) of inputs (N, T, F); weights (F, 4U), (U, 4U), (4U,) in Keras' gate order i, f, c, o."""
    hidden = cell = np.zeros((len(inputs), recurrent.shape[0]))
    states = []
    for step in range(inputs.shape[1]):
        i, f, g, o = np.split(inputs[:, step] @ kernel + hidden @ recurrent + bias, 4, axis=1)
        cell = _sigmoid(f) * cell + _sigmoid(i) * np.tanh(g)
        hidden = _sigmoid(o) * np.tanh(cell)
        states.append(hidden)
    return np.stack(states, axis=1)


def _sigmoid(z):
    return 1 / (1 + np.exp(-z))


@dataclass(frozen=True)
class IntegerLstm:
    """Tensors of an integer UNIDIRECTIONAL_SEQUENCE_LSTM, gates in the order i, f, c, o."""

    kernels: tuple[np.ndarray, ...]
    """Input weights a gate, int8 (U, F)."""
    recurrents: tuple[np.ndarray, ...]
    """Recurrent weights a gate, int8 (U, U)."""
    biases: tuple[np.ndarray, ...]
    """Biases a gate, int32 (U,)."""
    kernel_scales: tuple[float, ...]
    """Step of the input weights a gate."""
    recurrent_scales: tuple[float, ...]
    """Step of the recurrent weights a gate."""
    input: tuple[float, int]
    """Scale and zero point of the input."""
    hidden: tuple[float, int]
    """Scale and zero point of hidden state and output."""
    cell_scale: float
    """Step of the 16-bit cell state, a power of two."""

    def __call__(self, inputs):
        """Hidden states int8 (T, U) of int8 inputs (T, F), from a zero state."""
        units = len(self.biases[0])
        hidden = np.full(units, self.hidden[1], np.int64)
        cell = np.zeros(units, np.int64)
        exponent = round(math.log2(self.cell_scale))
        narrow = multiplier(np.float32(2.0**-15 / self.hidden[0] * 2.0**-15))
        states = []
        for row in inputs.astype(np.int64):
            i, f, g, o = (self._gate(gate, row, hidden) for gate in range(4))
            i, f, o = (logistic(part, 3) for part in (i, f, o))
            kept, added = round_shift(f * cell, 15), round_shift(i * tanh(g, 3), 30 + exponent)
            cell = saturate(kept + added)
            hidden = np.clip(scaled(o * tanh(cell, 15 + exponent), narrow) + self.hidden[1], -128, 127)
            states.append(hidden)
        return np.stack(states).astype(np.int8)

    def _gate(self, gate, row, hidden):
        """Pre-activation Q3.12 of one gate; each of the two products is rounded and saturated by itself."""
        unit = np.float32(GATE_SCALE)
        steps = np.float32(self.kernel_scales[gate]), np.float32(self.recurrent_scales[gate])
        from_input = self.kernels[gate].astype(np.int64) @ (row - self.input[1]) + self.biases[gate]
        from_hidden = self.recurrents[gate].astype(np.int64) @ (hidden - self.hidden[1])
        total = saturate(scaled(from_input, multiplier(steps[0] * np.float32(self.input[0]) / unit)))
        return saturate(total + scaled(from_hidden, multiplier(steps[1] * np.float32(self.hidden[0]) / unit)))


# -- fixed point ---------------------------------------------------------------------------------------------------


def saturate(values):
    """Clip to 16 bits."""
    return np.clip(values, INT16_MIN, INT16_MAX)


def round_shift(values, bits):
    """Divide by 2^bits, ties away from zero."""
    mask = (1 << bits) - 1
    threshold = (mask >> 1) + (values < 0)
    return (values >> bits) + ((values & mask) > threshold)


def multiplier(scale):
    """A real factor as a 31-bit fraction and a shift."""
    fraction, shift = math.frexp(float(scale))
    quantized = math.floor(fraction * (1 << 31) + 0.5)
    return (quantized // 2, shift + 1) if quantized == 1 << 31 else (quantized, shift)


def scaled(values, factor):
    """Multiply 32-bit values by a real factor, rounded twice as the kernels do."""
    quantized, shift = factor
    product = (values << max(shift, 0)) * quantized
    nudge = np.where(product >= 0, 1 << 30, 1 - (1 << 30))
    return round_shift(_truncate(product + nudge, 31), max(-shift, 0))


def _truncate(values, bits):
    """Divide by 2^bits toward zero, as C++ does."""
    return np.where(values >= 0, values >> bits, -((-values) >> bits))


def multiply(a, b):
    """Product of two 16-bit fractions."""
    product = a * b
    nudge = np.where(product >= 0, 1 << 14, 1 - (1 << 14))
    return np.where((a == b) & (a == INT16_MIN), INT16_MAX, _truncate(product + nudge, 15))


def _constant(bits32):
    """A 32-bit fixed-point constant in 16 bits."""
    return int(round_shift(np.int64(bits32), 16))


def _exp_quarter(a):
    """Exp on [-1/4, 0), Q0.15 to Q0.15: a Taylor series around -1/8."""
    x = a + (1 << 12)
    x2 = multiply(x, x)
    x3, x4 = multiply(x2, x), multiply(x2, x2)
    series = round_shift(multiply(round_shift(x4, 2) + x3, _constant(715827883)) + x2, 1)
    start = _constant(1895147668)
    return saturate(start + multiply(np.int64(start), x + series))


def exp_negative(a, integer_bits):
    """Exp of values of at most 0 with that many integer bits, as Q0.15."""
    fraction = 15 - integer_bits
    quarter = 1 << (fraction - 2)
    rest = (a & (quarter - 1)) - quarter
    result = _exp_quarter(saturate(rest << integer_bits))
    remainder = rest - a
    for exponent, factor in EXP_FACTORS.items():
        if integer_bits > exponent:
            hit = (remainder & (1 << (fraction + exponent))) != 0
            result = np.where(hit, multiply(result, np.int64(_constant(factor))), result)
    if integer_bits > 5:
        result = np.where(a < -(1 << (20 - integer_bits)), 0, result)
    return np.where(a == 0, INT16_MAX, result)


def _newton(a):
    """2 / (1 + a) as Q2.13 for a fraction a, by Newton-Raphson."""
    one = 1 << 13
    total = a + INT16_MAX
    half = _truncate(total + np.where(total >= 0, 1, -1), 1)
    x = _constant(1515870810) + multiply(half, np.int64(_constant(-1010580540)))
    for _ in range(3):
        x = x + saturate(multiply(x, one - multiply(half, x)) << 2)
    return x


def logistic(a, integer_bits):
    """Logistic function of a 16-bit value with that many integer bits, as Q0.15."""
    positive = saturate(_newton(exp_negative(saturate(-np.abs(a)), integer_bits)) << 1)
    result = np.where(a > 0, positive, INT16_MAX - positive)
    return np.where(a == 0, 1 << 14, result)


def tanh(a, integer_bits):
    """Hyperbolic tangent of a 16-bit value with that many integer bits, as Q0.15."""
    negative = np.where(a < 0, a, -a)
    size = saturate((_newton(exp_negative(negative, integer_bits + 1)) - (1 << 13)) << 2)
    return np.where(a == 0, 0, np.where(a < 0, -size, size))
