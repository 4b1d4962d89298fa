"""What a conversion starts from: a Keras model and rows of normal operation, its own or a calibration file's."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgelstm.converters.validation.report import STRETCH
from edgelstm.runtime.errors import ConversionError
from edgelstm.runtime.forecasting.features import SECTION as FORECAST
from edgelstm.runtime.inference.windows import sliding_windows
from edgelstm.runtime.model_file.metadata import Channel, Metadata
from edgelstm.runtime.model_file.scaler import fit_scaler

from ..data.npz_windows import read_windows
from ..data.series import read_for_model, read_series
from ..data.split import split, usable
from ..forecasting.representative_data import examples_of
from ..keras_file import Representative, load_keras, read_extras

Array = npt.NDArray[Any]
WINDOWS = 256  # representative windows, spread over all rows
HELD = 128  # held-back windows for the validation
HELD_SHARE = 0.25


@dataclass(frozen=True)
class Source:
    """A Keras model with its representative data, wherever they came from."""

    path: Path
    """The `.keras` file."""
    metadata: Metadata
    """Its own, or made up for a foreign model."""
    representative: Representative | None
    """Scaled segments; None when windows were given directly."""
    windows: tuple[Array, ...]
    """Representative windows, (N, ...) an input."""
    held: tuple[Array, ...]
    """Later windows."""
    starts: tuple[int, ...] | None = None
    """For a streaming form, the rows of `windows` (one row each) at which a sequence begins; `held` is one sequence."""


def read_source(
    path: Path | str,
    calibration: Path | str | None = None,
    scaler: str | None = None,
    kind: str | None = None,
    lookback: int | None = None,
) -> Source:
    """A `.keras` file with its representative data: its own, or a calibration file's. Arguments as in `convert_file`.

    Raises:
        ModelError: If the file is no Keras model.
        ConversionError: If there are no representative data, or they do not fit the model.
    """
    path = Path(path)
    metadata, representative = read_extras(path)
    if calibration is not None:
        return _calibrated(path, metadata, Path(calibration), scaler, kind, lookback)
    if metadata is None:
        raise ConversionError(
            f"{path.name} carries no representative data: it was not saved by `edgelstm train`, or Keras saved it again "
            "and dropped them. Give rows of normal operation with --calibration FILE (.csv raw rows, .npy windows)."
        )
    if representative is None:
        raise ConversionError(
            f"{path.name} was trained with --no-embed and carries no representative data. "
            "Give rows of normal operation with --calibration FILE."
        )
    if "vocabulary" in metadata.sections or FORECAST in metadata.sections:
        return _whole(path, metadata, representative)
    return _from_segments(path, metadata, representative)


def _whole(path: Path, metadata: Metadata, representative: Representative) -> Source:
    """Texts and a forecaster's examples are not cut into windows: each one is whole, (N, ...) an input."""
    step = -(-len(representative.held[0]) // HELD)
    return Source(
        path, metadata, representative, representative.segments, tuple(p[::step] for p in representative.held)
    )


def _from_segments(path: Path, metadata: Metadata, representative: Representative) -> Source:
    windows, held = (
        spread_windows(parts, metadata.window, count)
        for parts, count in ((representative.segments, WINDOWS), (representative.held, HELD))
    )
    return Source(path, metadata, representative, (reaching(windows, metadata),), (held,))


def reaching(windows: Array, metadata: Metadata) -> Array:
    """Representative windows of a detector, and some stretched ones, so that integer ranges reach beyond normal operation.

    A detector's work begins where normal operation ends. With ranges that end there, too, int8 and float decided alike in
    97.6 % of the rows of NAB's machine temperature; with these in 99.8 %.
    """
    if metadata.scoring is None:
        return windows
    return np.concatenate([windows, windows[::4] * np.float32(STRETCH)])


def spread_windows(segments: Sequence[Array], length: int, count: int) -> Array:
    """At most `count` windows (N, W, F), spread evenly over all segments.

    Raises:
        ConversionError: If no segment holds a window.
    """
    views = [sliding_windows(np.asarray(part, np.float32), length) for part in usable(segments, length)]
    if not views:
        raise ConversionError(
            f"No stretch of the representative rows holds a window of {length} rows. Give more with --calibration."
        )
    total = sum(map(len, views))
    chosen = np.unique(np.linspace(0, total - 1, min(count, total)).astype(int))
    ends = np.cumsum([len(view) for view in views])
    parts = np.searchsorted(ends, chosen, side="right")
    starts = np.concatenate([[0], ends[:-1]])
    return np.stack([views[part][row - starts[part]] for part, row in zip(parts, chosen, strict=True)])


def _calibrated(
    path: Path, metadata: Metadata | None, calibration: Path, scaler: str | None, kind: str | None, lookback: int | None
) -> Source:
    """Representative data from a file of the user's."""
    if metadata is not None and FORECAST in metadata.sections and calibration.suffix not in (".npy", ".npz"):
        return _whole(path, metadata, examples_of(metadata, calibration))
    model = load_keras(path)
    shapes = [tuple(tensor.shape[1:]) for tensor in model.inputs]
    outputs = [tuple(tensor.shape[1:]) for tensor in model.outputs]
    if calibration.suffix in (".npy", ".npz"):
        arrays = read_windows(calibration, list(zip((tensor.name for tensor in model.inputs), shapes, strict=True)))
        window = lookback or (arrays[0].shape[1] if arrays[0].ndim > 1 else 1)
        count = len(arrays[0])
        cut = count - max(1, int(HELD_SHARE * count))
        blank = metadata or Metadata("generic", int(window), channels=_unnamed(shapes[0]))
        return Source(path, blank, None, tuple(part[:cut] for part in arrays), tuple(part[cut:] for part in arrays))
    if len(shapes) != 1 or len(shapes[0]) != 2:
        raise ConversionError(
            f"A CSV calibrates a model with one input of shape (rows, channels); {path.name} has inputs {shapes}. "
            "Give windows as .npz, one array an input."
        )
    window = metadata.window if metadata else shapes[0][0] or lookback
    if window is None:
        raise ConversionError(f"{path.name} has an open time axis {shapes[0]}. Give its length with --lookback N.")
    series = read_for_model(metadata, calibration) if metadata else read_series([calibration])
    if shapes[0][1] not in (None, len(series.channels)):
        raise ConversionError(
            f"{path.name} eats {shapes[0][1]} channels; {calibration.name} has {len(series.channels)} "
            f"({', '.join(series.channels)}). Make a file with just the right columns, in order."
        )
    early, late = split(series.parts(), HELD_SHARE, window + 1)
    fitted = (
        metadata.scaler if metadata and metadata.scaler else fit_scaler(np.concatenate(early), scaler or "standard")
    )
    if metadata is None:
        kind = kind or (
            "autoencoder" if outputs == [(window, len(series.channels))] or outputs == shapes else "generic"
        )
        metadata = Metadata(
            kind, int(window), _horizon(outputs[0]) if kind == "forecaster" else 0,
            tuple(Channel(name) for name in series.channels), series.period, fitted,
        )  # fmt: skip
    parts = (tuple(fitted.transform(part) for part in side) for side in (early, late))
    return _from_segments(path, metadata, Representative(*parts))


def _horizon(output: tuple[int, ...]) -> int:
    """Rows that a forecaster of this output shape gives: (H, F), or (F,) for one row."""
    return int(output[0] or 1) if len(output) > 1 else 1


def _unnamed(shape: tuple[int | None, ...]) -> tuple[Channel, ...]:
    return tuple(Channel(f"channel_{i + 1}") for i in range(shape[-1] or 0)) if len(shape) == 2 else ()
