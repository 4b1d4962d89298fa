"""Fixed-point arithmetic of TFLite's integer kernels, on arrays.

Rounding and saturation follow gemmlowp (`fixedpoint.h`) and TFLite (`common.h`), bit by bit.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import numpy.typing as npt

Longs = npt.NDArray[np.int64]
SHORT_MOST, SHORT_LEAST = 32767, -32768
NEWTON_STEPS = 3
SIZES = np.arange(1 - SHORT_LEAST, dtype=np.int64)  # absolute values of 16-bit integers: the functions are symmetric
# exp(-2^k) for k = -2 ... 4, as 32-bit fractions
EXPONENTIALS = {-2: 1672461947, -1: 1302514674, 0: 790015084, 1: 290630308, 2: 39332535, 3: 720401, 4: 242}
EXP_EIGHTH, THIRD = 1895147668, 715827883  # exp(-1/8), 1/3
DIVISION_START, DIVISION_SLOPE = 1515870810, -1010580540  # 48/17 and -32/17 with two integer bits


class UnprovenError(Exception):
    """A model with a part that has no exact batched form here."""


def multiplier_of(scale: float) -> tuple[int, int]:
    """Return a positive real factor as a 31-bit multiplier and a shift to the left: scale = multiplier / 2^31 * 2^shift.

    Args:
        scale: The factor.
    """
    fraction, shift = math.frexp(scale)
    multiplier = math.floor(fraction * 2.0**31 + 0.5)
    if multiplier == 1 << 31:
        multiplier, shift = multiplier // 2, shift + 1
    return (0, 0) if shift < -31 else (multiplier, shift)


def rescale(values: Longs, multiplier: npt.ArrayLike, shift: npt.ArrayLike) -> Longs:
    """Multiply 32-bit sums by real factors: once rounded half up to 32 bits, then half away from zero.

    Args:
        values: Sums that fit 32 bits after the shift to the left.
        multiplier: From `multiplier_of`; one, or one for each of the last axis.
        shift: The same.
    """
    left, right = np.maximum(shift, 0).astype(np.int64), np.maximum(-np.asarray(shift), 0).astype(np.int64)
    high = (((values << left) * np.asarray(multiplier, np.int64)) + (1 << 30)) >> 31
    return divide_by_power(high, right)


def rescale_wide(values: Longs, multiplier: npt.ArrayLike, shift: npt.ArrayLike) -> Longs:
    """Multiply 48-bit sums by real factors, with a multiplier of 15 bits and one rounding half up.

    Args:
        values: Sums.
        multiplier: From `multiplier_of`; one, or one for each of the last axis.
        shift: The same.
    """
    whole = np.asarray(multiplier, np.int64)
    reduced = np.where(whole < 0x7FFF0000, (whole + (1 << 15)) >> 16, 0x7FFF)
    down = 15 - np.asarray(shift, np.int64)
    return (values * reduced + (np.int64(1) << (down - 1))) >> down


def divide_by_power(values: Longs, exponent: npt.ArrayLike) -> Longs:
    """Divide by 2^exponent, rounding half away from zero.

    Args:
        values: Integers.
        exponent: At least 0.

    >>> divide_by_power(np.array([5, 6, -6, -5]), 2).tolist()
    [1, 2, -2, -1]
    """
    power = np.asarray(exponent, np.int64)
    half = (np.int64(1) << power) >> 1
    return (values + half - ((values < 0) & (power > 0))) >> power


@cache
def sigmoid_table() -> npt.NDArray[np.int16]:
    """Return the logistic function of all 16-bit integers with 3 integer bits, from -32768 on, as 15-bit fractions."""
    positive = _inverse_of_one_plus(_exponential(-SIZES, 3))
    return np.concatenate([SHORT_MOST - positive[:0:-1], [1 << 14], positive[1:-1]]).astype(np.int16)


@cache
def tanh_table(integer_bits: int) -> npt.NDArray[np.int16]:
    """Return the hyperbolic tangent of all 16-bit integers, from -32768 on, as 15-bit fractions.

    Args:
        integer_bits: Integer bits of the argument, 0 to 6.
    """
    positive = _ratio_of_one_minus(_exponential(-SIZES, integer_bits + 1))
    return np.concatenate([-positive[:0:-1], [0], positive[1:-1]]).astype(np.int16)


def _saturated(values: Longs) -> Longs:
    return np.clip(values, SHORT_LEAST, SHORT_MOST)


def _product(first: Longs, second: npt.ArrayLike) -> Longs:
    """Product of two 15-bit fractions, rounded half up."""
    high: Longs = (first * np.asarray(second, np.int64) + (1 << 14)) >> 15
    return np.minimum(high, SHORT_MOST)


def _times_power(values: Longs, exponent: int) -> Longs:
    """Multiplication by 2^exponent, saturating or rounding."""
    return _saturated(values << exponent) if exponent > 0 else divide_by_power(values, -exponent)


def _short(constant: int) -> int:
    return int(divide_by_power(np.asarray(constant, np.int64), 16))


def _exponential(values: Longs, integer_bits: int) -> Longs:
    """Return exp of values that are not positive, as 15-bit fractions."""
    fraction_bits = 15 - integer_bits
    values = np.maximum(values, SHORT_LEAST)
    quarter = 1 << (fraction_bits - 2)
    remainder = (values & (quarter - 1)) - quarter
    result = _exponential_near_zero(_times_power(remainder, integer_bits))
    rest = remainder - values
    for power, constant in EXPONENTIALS.items():
        if integer_bits > power:
            place = fraction_bits + power
            result = np.where(rest & (1 << place), _product(result, _short(constant)), result)
    if integer_bits > 5:
        result = np.where(values < -(1 << (36 - integer_bits - 16)), 0, result)
    return np.where(values == 0, SHORT_MOST, result)


def _exponential_near_zero(values: Longs) -> Longs:
    """Return exp in [-1/4, 0) by a Taylor expansion around -1/8."""
    x = values + (1 << 12)
    square = _product(x, x)
    fourth = divide_by_power(_product(square, square), 2)
    tail = divide_by_power(_product(fourth + _product(square, x), _short(THIRD)) + square, 1)
    constant = _short(EXP_EIGHTH)
    return _saturated(constant + _product(x + tail, constant))


def _reciprocal(values: Longs) -> tuple[Longs, int]:
    """Return 2 / (1 + x) for x in [0, 1] by Newton's method, and 1, both with two integer bits."""
    total = values + SHORT_MOST
    half = (total + 1) >> 1
    one = 1 << 13
    x = _short(DIVISION_START) + _product(half, _short(DIVISION_SLOPE))
    for _ in range(NEWTON_STEPS):
        x = x + _times_power(_product(x, one - _product(half, x)), 2)
    return x, one


def _inverse_of_one_plus(values: Longs) -> Longs:
    x, _ = _reciprocal(values)
    return _times_power(x, 1)


def _ratio_of_one_minus(values: Longs) -> Longs:
    """Return (1 - x) / (1 + x)."""
    x, one = _reciprocal(values)
    return _times_power(x - one, 2)
