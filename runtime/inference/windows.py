"""Windows over a series: all at once for training, one sample at a time on the device."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import ShapeError

Floats = npt.NDArray[np.float32]


def sliding_windows(values: npt.NDArray[np.float32], length: int, stride: int = 1) -> Floats:
    """Cut a series into overlapping windows, without copying.

    Args:
        values: Samples, shape (T, F).
        length: Samples per window, W.
        stride: Samples between the starts of neighbouring windows.

    Returns:
        A read-only view of shape (N, W, F), oldest first, where N = (T - W) // stride + 1.

    Raises:
        ShapeError: If the series is shorter than one window.

    >>> sliding_windows(np.zeros((5, 2), np.float32), length=3).shape
    (3, 3, 2)
    """
    if len(values) < length:
        raise ShapeError(
            f"A window needs {length} rows; received {len(values)}. Pass more rows or a shorter look-back."
        )
    view = np.lib.stride_tricks.sliding_window_view(values, length, axis=0)[::stride]
    return np.moveaxis(view, -1, 1)


class WindowBuffer:
    """The last W samples as one contiguous window, O(F) per sample.

    Samples are written twice into a buffer of 2 W rows, so that the newest window is always one slice.

    Args:
        length: Samples per window, W.
        channels: Number of channels, F.
        dtype: Type of the values.

    >>> buffer = WindowBuffer(2, 1)
    >>> for value in (1, 2, 3):
    ...     buffer.push(np.array([value], np.float32))
    >>> buffer.window().ravel().tolist()
    [2.0, 3.0]
    """

    def __init__(self, length: int, channels: int, dtype: npt.DTypeLike = np.float32) -> None:
        self.length = length
        self.count = 0
        self._batch = np.zeros((1, 2 * length, channels), dtype)
        self._rows = self._batch[0]
        self._memory = memoryview(self._rows).cast("B")
        self._width = self._rows.strides[0]
        self._half = length * self._width
        self._next = 0
        self._batches: list[npt.NDArray[Any]] = []

    @property
    def full(self) -> bool:
        """True once W samples were pushed since the last clear."""
        return self.count >= self.length

    def push(self, sample: npt.ArrayLike) -> None:
        """Add the newest sample, shape (F,), cast to the buffer's type."""
        self.push_bytes(np.asarray(sample, self._rows.dtype).tobytes())

    def push_bytes(self, sample: bytes) -> None:
        """Add the newest sample as the bytes of an array of shape (F,) of the buffer's type."""
        at, width, memory = self._next, self._width, self._memory
        first = at * width
        memory[first : first + width] = sample
        first += self._half
        memory[first : first + width] = sample
        self._next = at + 1 if at + 1 < self.length else 0
        self.count += 1

    def undo(self) -> None:
        """Take the newest sample back, to push another in its place."""
        self._next = (self._next or self.length) - 1
        self.count -= 1

    def window(self) -> Floats:
        """Return the newest window, shape (W, F), oldest row first; a view, valid until the next push."""
        newest: Floats = self._rows[self._next : self._next + self.length]
        return newest

    def batch(self) -> npt.NDArray[Any]:
        """Return the newest window with a batch axis, shape (1, W, F), as an interpreter takes it; a view."""
        if not self._batches:  # made once: a slice costs as much as adding a sample
            self._batches = [self._batch[:, at : at + self.length] for at in range(self.length)]
        return self._batches[self._next]

    def restore(self, window: bytes, count: int) -> None:
        """Continue from a stored window.

        Args:
            window: Bytes of a `window()`.
            count: Samples pushed until then.

        Raises:
            ValueError: If the window has another size.
        """
        if len(window) != self._half:
            raise ValueError(f"a window of {self._half} bytes, not {len(window)}")
        self._memory[: self._half] = window
        self._memory[self._half :] = window
        self._next, self.count = 0, count

    def clear(self) -> None:
        """Forget all samples."""
        self.count = 0
        self._next = 0
