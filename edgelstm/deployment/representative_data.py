"""Source of a conversion: a Keras model and rows of normal operation, its own or a calibration file's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgelstm.converters.validation.limits import STRETCH
from edgelstm.runtime.errors import ConversionError
from edgelstm.runtime.forecasting.features import SECTION as FORECAST
from edgelstm.runtime.inference.windows import sliding_windows
from edgelstm.runtime.model_file.metadata import Metadata

from ..data.npz_windows import Held, load_windows
from ..data.series import Series, read_for_model, read_series
from ..data.split import usable
from ..forecasting.representative_data import examples_of
from ..keras_file import Representative, load_keras, needs_loading, read_extras
from .calibration_file import Wishes, calibrate_on_rows, calibrate_on_windows, name_of

Array = npt.NDArray[Any]
WINDOWS = 256  # representative windows, spread over all rows
HELD = 128  # held-back windows for the validation
FORECASTER_BYTES = 64 * 1024  # what a small device has for a forecaster's file


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
    model: Any = None
    """The Keras model itself where a conversion cannot load the file by its name; None where it can."""
    notes: tuple[str, ...] = ()
    """Assumptions about a model from elsewhere, one sentence each."""
    custom_objects: Mapping[str, Any] | None = None
    """Classes and functions of the user's own in the model, by name."""

    @property
    def like_inputs(self) -> bool:
        """Outputs are in the units of the inputs, as those of a detector of ours are; of others nobody knows."""
        return self.metadata.scoring is not None

    @property
    def byte_budget(self) -> int:
        """See `convert`: a forecast of many rows errs by far more than 8-bit weights change it; a detector's error is what counts."""
        return FORECASTER_BYTES if FORECAST in self.metadata.sections else 0


@dataclass(frozen=True)
class Uncalibrated:
    """A model whose representative data a calibration file gives: only Keras knows whether they fit its layers."""

    path: Path
    """The model's file."""
    metadata: Metadata | None
    """Its own; None for a foreign model."""
    wishes: Wishes
    """The user's options."""

    def read(self) -> Held | Series:
        """Read the calibration data, without Keras.

        Raises:
            EdgelstmError: If they cannot be read.
        """
        data = self.wishes.calibration
        return _windows_of(data) if self.wishes.windowed else _rows_of(data, self.metadata)

    def source(self, data: Held | Series) -> Source:
        """Load the model, and make its representative data.

        Args:
            data: From `read`.

        Raises:
            ModelError: If Keras cannot load the file.
            ConversionError: If the data do not fit the model.
        """
        model = load_keras(self.path, self.wishes.custom_objects or {})
        # imports Keras, which `load_keras` does without its chatter
        from edgelstm.converters.lowering.model_checks import check

        check(model, streaming=self.wishes.streaming)
        if isinstance(data, Held):
            made = calibrate_on_windows(data, model, self.metadata, self.wishes)
        else:
            made = calibrate_on_rows(name_of(self.wishes.calibration), data, model, self.metadata, self.wishes)
        if made.windows is not None:
            source = Source(self.path, made.metadata, made.representative, *made.windows)
        else:
            assert made.representative is not None  # rows always give it
            source = _from_segments(self.path, made.metadata, made.representative)
        kept = model if self.wishes.custom_objects or needs_loading(self.path) else None
        return replace(source, notes=made.notes, model=kept, custom_objects=self.wishes.custom_objects)


def read_source(path: Path | str, wishes: Wishes = Wishes()) -> Source:  # noqa: B008 (frozen)
    """Read a `.keras` file with its representative data: its own, or a calibration file's.

    Args:
        path: The model.
        wishes: The user's options.

    Raises:
        ModelError: If the file is no Keras model.
        ConversionError: If there are no representative data, or they do not fit the model.
    """
    opened = open_source(path, wishes)
    return opened if isinstance(opened, Source) else opened.source(opened.read())


def open_source(path: Path | str, wishes: Wishes) -> Source | Uncalibrated:
    """Read a `.keras` file as far as that takes no Keras; arguments and errors as of `read_source`.

    Args:
        path: The model.
        wishes: The user's options.
    """
    path = Path(path)
    metadata, representative = read_extras(path)
    wishes.check(metadata, path.name)
    if wishes.calibration is not None:
        return _calibrated(path, metadata, wishes)
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

    Args:
        windows: Representative windows, shape (N, W, F), scaled units.
        metadata: The model's metadata; without a score the windows are returned as they are.
    """
    if metadata.scoring is None:
        return windows
    return np.concatenate([windows, windows[::4] * np.float32(STRETCH)])


def spread_windows(segments: Sequence[Array], length: int, count: int) -> Array:
    """At most `count` windows (N, W, F), spread evenly over all segments.

    Args:
        segments: Scaled segments, shape (T, F) each.
        length: Samples per window, W.
        count: Largest number of windows.

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


def _calibrated(path: Path, metadata: Metadata | None, wishes: Wishes) -> Source | Uncalibrated:
    data = wishes.calibration
    if isinstance(data, Path) and not data.exists():
        raise ConversionError(f"There is no file {data}. Check the name of --calibration.")
    if metadata is not None and FORECAST in metadata.sections and not wishes.windowed:
        return _whole(path, metadata, examples_of(metadata, _rows_of(data, metadata), name_of(data)))
    return Uncalibrated(path, metadata, wishes)


def _windows_of(given: Any) -> Held:
    return load_windows(given) if isinstance(given, Path) else Held(Path("the calibration"), {"": given})


def _rows_of(given: Any, metadata: Metadata | None) -> Series:
    if isinstance(given, Series):
        return given
    return read_for_model(metadata, given) if metadata else read_series([given])
