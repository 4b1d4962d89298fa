"""Look-back from the autocorrelation: the rows of the past that still inform about the present."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]
SHORTEST, LONGEST = 8, 64  # rows; a fused LSTM's time and activations grow with the look-back
FORGOTTEN = 0.2  # autocorrelation below which the past explains less than 4 % of the variance
MOST = 1 << 17  # rows looked at


@dataclass(frozen=True)
class Lookback:
    """A look-back and what it was chosen from."""

    rows: int
    """Samples per window, W."""
    rule: str
    """Reason, in words."""
    autocorrelation: tuple[float, ...]
    """Mean over the channels by lag, from lag 0."""
    order: int = 0
    """Newest rows that a linear forecast beside a recurrent one reads; 0 for all."""


def autocorrelation(values: Doubles, lags: int) -> Doubles:
    """Autocorrelation of each channel by FFT (Wiener-Khinchin).

    Args:
        values: Shape (T, F).
        lags: Largest lag.

    Returns:
        Shape (lags + 1, F); 1 at lag 0. A constant channel gives 0 beyond it.

    >>> autocorrelation(np.array([[1.0], [-1.0], [1.0], [-1.0]]), 1).ravel().tolist()
    [1.0, -0.75]
    """
    centred = values - values.mean(axis=0)
    rows = len(values)
    size = 1 << (2 * rows - 1).bit_length()
    spectrum = np.abs(np.fft.rfft(centred, size, axis=0)) ** 2
    covariance = np.fft.irfft(spectrum, size, axis=0)[: lags + 1]
    variance = covariance[0].copy()
    alive = variance > 1e-12 * np.maximum(1.0, np.abs(values).max(axis=0) ** 2) * rows
    result: Doubles = np.where(alive, covariance / np.where(alive, variance, 1.0), 0.0)
    result[0] = 1.0
    return np.round(result, 12) + 0.0


def choose_lookback(parts: Sequence[Doubles], next_row: bool = False) -> Lookback:
    """The lag at which the channels' mean autocorrelation has fallen below 0.2, between 8 and 64 rows.

    A series that repeats itself sooner than 64 rows gets one whole period instead: the second rise of the
    autocorrelation above 0.5. What forecasts the next row alone needs no more rows than an autoregressive model does:
    its order by the Bayesian information criterion (Schwarz 1978).

    Args:
        parts: Segments, each (T_i, F); the longest is looked at.
        next_row: Whether it is for a forecast of the next row.
    """
    longest = max(parts, key=len)[:MOST]
    lags = min(4 * LONGEST, len(longest) - 1)
    by_channel = autocorrelation(longest, lags)
    alive = by_channel[1:].any(axis=0)
    mean = by_channel[:, alive].mean(axis=1) if alive.any() else by_channel.mean(axis=1)
    most = max(4, min(LONGEST, len(longest) // 8))
    below = np.flatnonzero(mean < FORGOTTEN)
    first = int(below[0]) if len(below) else lags
    season = _season(mean, first)
    if next_row:
        order = autoregressive_order(by_channel[: most + 1], len(longest))
        rows = max(order, min(SHORTEST, most))
        rule = f"an autoregressive model of order {order} forecasts the next row best (BIC)"
        rule += "" if rows == order else f"; at least {rows} rows"
    elif season is not None and SHORTEST <= season <= most:
        rows, rule = season, f"the series repeats itself every {season} rows"
    else:
        rows = int(np.clip(first, min(SHORTEST, most), most))
        rule = f"the autocorrelation falls below {FORGOTTEN} at lag {first}" if len(below) else (
            f"the autocorrelation stays above {FORGOTTEN} for {lags} rows"
        )  # fmt: skip
        if rows != first:
            rule += f"; kept within {min(SHORTEST, most)} to {most} rows"
    return Lookback(rows, rule, tuple(round(float(value), 4) for value in mean))


def autoregressive_order(correlations: Doubles, rows: int) -> int:
    """Order of the autoregressive model that explains the channels best for its size, by BIC.

    Args:
        correlations: Autocorrelation by lag and channel, shape (K + 1, F).
        rows: Rows that it comes from, N.

    Returns:
        0 to K.

    >>> autoregressive_order(0.9 ** np.arange(20.0)[:, None], 1000)
    1
    """
    left = np.maximum(_innovations(correlations), 1e-9)
    criterion = rows * np.log(left).mean(axis=1) + np.log(rows) * np.arange(len(left))
    return int(np.argmin(criterion))


def _innovations(correlations: Doubles) -> Doubles:
    """Share of the variance that autoregressive models of order 0, 1, ... leave unexplained (Levinson-Durbin recursion)."""
    left = np.ones_like(correlations)
    weights = np.zeros((0, correlations.shape[1]))
    for order in range(1, len(correlations)):
        explained = (weights * correlations[order - 1 : 0 : -1]).sum(axis=0)
        reflection = np.where(left[order - 1] > 1e-9, (correlations[order] - explained) / left[order - 1], 0.0)
        weights = np.concatenate([weights - reflection * weights[::-1], [reflection]])
        left[order] = left[order - 1] * (1 - reflection**2)
    return left


def _season(mean: Doubles, first: int) -> int | None:
    """Lag of the first peak above 0.5 after the autocorrelation has fallen."""
    rise = np.flatnonzero(mean[first:] > 0.5)
    if not len(rise):
        return None
    start = first + int(rise[0])
    end = start
    while end < len(mean) and mean[end] > 0.5:
        end += 1
    return start + int(np.argmax(mean[start:end]))
