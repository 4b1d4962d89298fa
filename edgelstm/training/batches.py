"""Windows for training, cut as they are needed: memory stays flat however long the series is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
SMALLEST, LARGEST = 16, 256
STRETCH = 256  # rows that a streaming forecaster learns on at a time, at least; four windows where that is more
OVERLAP = 8  # stretches an epoch that a row is in
STRETCHES = 8  # a batch


@dataclass(frozen=True)
class Layout:
    """Rows and channels of a window and of its target."""

    window: int
    """Rows that go in, W."""
    horizon: int
    """Rows to forecast, H; 0 for an autoencoder, whose target is the window itself."""
    channels: int
    """Channels, F, the first numbers of a row: what targets are made of."""
    each_row: bool = False
    """True if each row of a window has a target: the H rows after it, as one row of H * F numbers."""

    @property
    def reach(self) -> int:
        """Rows from the first one of a window to the last one of its target."""
        return self.window + self.horizon

    def cut(self, rows: Any, starts: Any) -> tuple[Any, Any]:
        """Return tensors of windows (B, W, N) and targets (B, H, F), (B, W, F) or (B, W, H * F); inside a graph, too.

        Args:
            rows: Shape (T, N).
            starts: First row of each window, shape (B,).
        """
        ops = keras.ops
        block = ops.take(rows, starts[:, None] + np.arange(self.reach, dtype=np.int32), axis=0)
        windows = block[:, : self.window]
        if not self.horizon:
            return windows, windows
        if not self.each_row:
            return windows, block[:, self.window :, : self.channels]
        ahead = [block[:, row : row + self.window, : self.channels] for row in range(1, self.horizon + 1)]
        return windows, ops.concatenate(ahead, axis=2)


class Batches:
    """Batches of windows with their targets.

    Args:
        parts: Scaled segments, each (T_i, F); no window spans two.
        window: Rows that go in, W.
        horizon: Rows to forecast, H; 0 for an autoencoder, whose target is the window itself.
        batch_size: Windows a batch; None aims at `steps` batches an epoch.
        seed: Of the shuffling; None keeps time order.
        most: Windows an epoch; of a longer series each epoch draws as many, in time order they are spread evenly.
        steps: Batches an epoch that an automatic batch size aims at.
        each_row: Whether each row of a window has a target: the H rows after it, as one row of H * F numbers.
        channels: Channels, F, the first numbers of a row: what targets are made of; None for all of it.
    """

    def __init__(
        self,
        parts: Sequence[Floats],
        window: int,
        horizon: int,
        batch_size: int | None,
        seed: int | None,
        most: int,
        steps: int,
        each_row: bool = False,
        channels: int | None = None,
    ) -> None:
        self.layout = Layout(window, horizon, channels or parts[0].shape[1], each_row)
        self.rows = keras.ops.convert_to_tensor(np.concatenate(parts))
        firsts = np.cumsum([0, *map(len, parts)])[:-1]
        reach = self.layout.reach
        every = [first + np.arange(len(part) - reach + 1) for first, part in zip(firsts, parts, strict=True)]
        self.starts = np.concatenate(every).astype(np.int32)
        self.count = min(len(self.starts), most)
        self.batch_size = batch_size or automatic_batch_size(self.count, steps)
        self.rule = f"about {steps} steps an epoch of {self.count} windows, between {SMALLEST} and {LARGEST}"
        self.order = np.linspace(0, len(self.starts) - 1, self.count).astype(np.intp)
        self.random = None if seed is None else np.random.default_rng(seed)
        self.on_epoch_end()

    def __len__(self) -> int:
        return -(-self.count // self.batch_size)

    def __getitem__(self, index: int) -> tuple[Floats, Floats]:
        chosen = self.order[index * self.batch_size : (index + 1) * self.batch_size]
        windows, targets = self.layout.cut(self.rows, self.starts[chosen])
        return np.asarray(windows), np.asarray(targets)

    @property
    def chosen(self) -> npt.NDArray[np.int32]:
        """First row of each window of this epoch, in their order."""
        return self.starts[self.order]

    def on_epoch_end(self) -> None:
        """Shuffle anew; of a long series every epoch sees other windows."""
        if self.random is not None:
            self.order = self.random.permutation(len(self.starts))[: self.count]


def stretches(
    parts: Sequence[Floats],
    window: int,
    horizon: int,
    batch_size: int | None,
    seed: int | None,
    channels: int | None = None,
) -> Batches:
    """Batches of long stretches with a target at each row, for a model that starts each from a zero state.

    Args:
        parts: Scaled segments, each (T_i, F).
        window: Rows of the windowed form, W.
        horizon: Rows to forecast, H.
        batch_size: Stretches a batch; None for 8.
        seed: Of the shuffling; None keeps time order.
        channels: Channels, F, see `Batches`.
    """
    longest = max(map(len, parts)) - horizon
    # a short series is cut in two at least, so that there is something to shuffle
    length = max(2, min(max(STRETCH, 4 * window), longest if seed is None else longest // 2))
    whole = [part for part in parts if len(part) >= length + horizon]
    most = max(1, OVERLAP * sum(map(len, whole)) // length)
    made = Batches(whole, length, horizon, batch_size or STRETCHES, seed, most, 1, each_row=True, channels=channels)
    made.rule = f"{STRETCHES} stretches of {length} rows each"
    return made


def automatic_batch_size(windows: int, steps: int) -> int:
    """A power of two that gives about `steps` batches an epoch, between 16 and 256.

    Args:
        windows: Windows an epoch.
        steps: Batches an epoch to aim at.

    >>> automatic_batch_size(4000, 40)
    64
    """
    size = SMALLEST
    while size * 2 <= min(LARGEST, windows // steps):
        size *= 2
    return size
