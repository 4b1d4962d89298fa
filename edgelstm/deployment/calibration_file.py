"""Representative data from a file of the user's: raw rows as CSV, or windows just as the model takes them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgelstm.runtime.errors import ConversionError
from edgelstm.runtime.input.calendar import Calendar
from edgelstm.runtime.model_file.metadata import Channel, Metadata
from edgelstm.runtime.model_file.scaler import Scaler, fit_scaler

from ..data.npz_windows import Held, fit_windows
from ..data.series import Series
from ..data.split import split
from ..keras_file import Representative
from ..training.calendar import dated_parts, scaled
from .foreign_kind import ForeignKind, Shape, infer_kind
from .foreign_scaler import read_scaler, suitable_scaler

Array = npt.NDArray[Any]
HELD_SHARE = 0.25
JUDGED = 64  # windows that scalers are compared on
WINDOW_FILES = (".npy", ".npz")


@dataclass(frozen=True)
class Wishes:
    """Options for a file of the user's, as in `convert_file`; None where the user left one out."""

    calibration: Path | Series | Array | None = None
    """CSV of raw rows, or .npy/.npz windows; or rows or windows (N, W, F) in memory."""
    scaler: str | None = None
    """Kind of scaler to fit on a CSV."""
    scaler_from: Any = None
    """File with the scaler that the model was trained with; or that scaler, scikit-learn's or a record of numbers."""
    kind: str | None = None
    """Kind of a foreign model."""
    lookback: int | None = None
    """Rows for an open time axis."""
    streaming: bool = False
    """A one-row form is wanted: its shapes say nothing of the kind."""
    custom_objects: Mapping[str, Any] | None = None
    """Classes and functions of the user's own in the model, by name."""

    @property
    def windowed(self) -> bool:
        """True if the calibration data are windows as the model takes them."""
        data = self.calibration
        return isinstance(data, np.ndarray) or (isinstance(data, Path) and data.suffix in WINDOW_FILES)

    def check(self, own: Metadata | None, name: str) -> None:
        """Refuse options that this model or this file has no use for.

        Args:
            own: Metadata that the model carries, None for a foreign one.
            name: Of the model's file.

        Raises:
            ConversionError: If two options exclude each other, or one would be ignored.
        """
        if self.scaler and self.scaler_from:
            raise ConversionError("--scaler fits a scaler, --scaler-from reads one: give one of them.")
        chosen = [
            option
            for option, value in (("--scaler", self.scaler), ("--scaler-from", self.scaler_from), ("--kind", self.kind))
            if value
        ]
        if own is not None and chosen:
            raise ConversionError(
                f"{name} carries its own kind ({own.kind}) and scaling: leave {' and '.join(chosen)} out, which are for "
                "models from elsewhere."
            )
        if own is None and self.windowed and self.scaler:
            raise ConversionError(
                f"{name_of(self.calibration)} holds windows as the model takes them, on which no scaler is fitted. Leave "
                "--scaler out; --scaler-from FILE says how a device scales its rows into such windows."
            )


def name_of(given: Any) -> str:
    """A file's name for a sentence, the kind of what is in memory."""
    if isinstance(given, Path):
        return given.name
    return "the calibration" if isinstance(given, Series | np.ndarray) else type(given).__name__


@dataclass(frozen=True)
class Calibration:
    """Metadata and windows of a model, made from a calibration file."""

    metadata: Metadata
    """The model's own, or made up for a foreign model."""
    representative: Representative | None
    """Scaled segments; None where windows cannot be joined to rows."""
    windows: tuple[tuple[Array, ...], tuple[Array, ...]] | None
    """Representative and held-back windows, an array an input; None to cut them from the segments."""
    notes: tuple[str, ...]
    """Assumptions to print, one sentence each."""


def calibrate_on_windows(held: Held, model: Any, own: Metadata | None, wishes: Wishes) -> Calibration:
    """Take windows from a .npy or .npz file.

    Args:
        held: The file's arrays.
        model: The Keras model.
        own: Metadata that the model carries, None for a foreign one.
        wishes: The user's options.

    Raises:
        ConversionError: If the windows do not fit the model.
    """
    shapes, outputs = _shapes(model)
    arrays = fit_windows(held, list(zip((tensor.name for tensor in model.inputs), shapes, strict=True)))
    cut = len(arrays[0]) - max(1, int(HELD_SHARE * len(arrays[0])))
    windows = tuple(part[:cut] for part in arrays), tuple(part[cut:] for part in arrays)
    if own is not None:
        return Calibration(
            own, None, windows, ("alarm threshold: as in training, since windows give no rows in order",)
        )
    kind = _kind(model, outputs, wishes)
    width = arrays[0].shape[1] if arrays[0].ndim > 1 else 1
    channels = tuple(Channel(f"channel_{i + 1}") for i in range(shapes[0][-1] or 0)) if len(shapes[0]) == 2 else ()
    metadata = Metadata(kind.kind, int(wishes.lookback or width), kind.horizon, channels)
    notes = [kind.note]
    if wishes.scaler_from is not None:
        metadata = metadata.with_(scaler=read_scaler(wishes.scaler_from, metadata.names))
        notes.append(f"scaler: {_described(metadata.scaler)} from {name_of(wishes.scaler_from)}")
    elif kind.kind != "generic":
        metadata = metadata.with_(scaler=fit_scaler(np.zeros((1, len(channels))), "none"))
        notes.append(
            "scaler: none, so the model takes rows as they come; if these windows were scaled, say how with --scaler-from"
        )
    representative = None
    if kind.kind != "generic":
        representative = Representative(*(tuple(joined_rows(side[0], kind.kind)) for side in windows))
    if representative is not None and not representative.segments:
        representative = None
        notes.append(
            "alarm threshold: none, since a forecaster's error needs the row after a window; give rows in time order as CSV"
        )
    return Calibration(metadata, representative, windows, tuple(notes))


def joined_rows(windows: Array, kind: str) -> list[Array]:
    """Rows in time order from windows (N, W, F) that follow each other by one row.

    Args:
        windows: Windows in the order of the file.
        kind: An autoencoder takes a window that stands alone, too; a forecaster needs the row behind it.

    Returns:
        Segments, each (T_i, F).
    """
    follows = [False, *(np.array_equal(a[1:], b[:-1]) for a, b in pairwise(windows))]
    segments: list[list[Array]] = []
    for window, joins in zip(windows, follows, strict=True):
        if joins and window.shape[0] > 1:
            segments[-1].append(window[-1:])
        else:
            segments.append([window])
    rows = [np.concatenate(part).astype(np.float32) for part in segments]
    return rows if kind == "autoencoder" else [part for part in rows if len(part) > windows.shape[1]]


def calibrate_on_rows(name: str, series: Series, model: Any, own: Metadata | None, wishes: Wishes) -> Calibration:
    """Take raw rows of normal operation.

    Args:
        name: Of their file, for sentences.
        series: Its rows.
        model: The Keras model.
        own: Metadata that the model carries, None for a foreign one.
        wishes: The user's options.

    Raises:
        ConversionError: If the rows do not fit the model.
    """
    shapes, outputs = _shapes(model)
    if len(shapes) != 1 or len(shapes[0]) != 2:
        raise ConversionError(
            f"A CSV calibrates a model with one input of shape (rows, channels); this model has inputs {shapes}. "
            "Give windows as .npz, one array an input."
        )
    window = own.window if own else shapes[0][0] or wishes.lookback
    if window is None:
        raise ConversionError(f"The model has an open time axis {shapes[0]}. Give its length with --lookback N.")
    if wishes.lookback and shapes[0][0] and wishes.lookback != shapes[0][0]:
        raise ConversionError(
            f"The model takes windows of {shapes[0][0]} rows; leave --lookback {wishes.lookback} out."
        )
    moment = own.width - len(own.channels) if own else 0
    if shapes[0][1] not in (None, len(series.channels) + moment):
        raise ConversionError(
            f"The model takes {shapes[0][1]} channels; {name} has {len(series.channels)} "
            f"({', '.join(series.channels)}). Make a file with just the right columns, in order."
        )
    calendar = Calendar.of(own) if own else None
    early, late = split(dated_parts(series, calendar), HELD_SHARE, window + 1)
    if not early or not late:
        raise ConversionError(
            f"{name} is too short: windows of {window} rows for ranges and for the validation need about "
            f"{4 * (window + 1)} rows in one stretch."
        )
    if own is not None:
        metadata, notes = own, []
        scaler = own.scaler or fit_scaler(np.concatenate(early)[:, : len(series.channels)], "none")
    else:
        kind = _kind(model, outputs, wishes)
        scaler, note = _scaler(name, model, kind, series, early, int(window), wishes)
        metadata = Metadata(
            kind.kind, int(window), kind.horizon, tuple(Channel(channel, series.unit_of(channel)) for channel in series.channels), series.period, scaler,
            sections=series.sections,
        )  # fmt: skip
        notes = [kind.note, note]
    parts = (tuple(scaled(scaler, part) for part in side) for side in (early, late))
    return Calibration(metadata, Representative(*parts), None, tuple(notes))


def _kind(model: Any, outputs: list[Shape], wishes: Wishes) -> ForeignKind:
    if wishes.streaming:
        return ForeignKind(wishes.kind or "forecaster", 1, f"kind: {wishes.kind or 'forecaster'}, a row a call")
    shapes = [tuple(wishes.lookback if size is None and place == 0 else size for place, size in enumerate(shape)) for shape in _shapes(model)[0]]  # fmt: skip
    outputs = [tuple(wishes.lookback if size is None else size for size in shape) for shape in outputs]
    activation = getattr(getattr(model.layers[-1], "activation", None), "__name__", "")
    return infer_kind(shapes, outputs, activation, wishes.kind)


def _scaler(
    name: str, model: Any, kind: ForeignKind, series: Series, early: Sequence[Array], window: int, wishes: Wishes
) -> tuple[Scaler, str]:
    if wishes.scaler_from is not None:
        scaler = read_scaler(wishes.scaler_from, series.channels)
        return scaler, f"scaler: {_described(scaler)} from {name_of(wishes.scaler_from)}"
    rows = np.concatenate(early)
    if wishes.scaler is not None:
        scaler = fit_scaler(rows, wishes.scaler)
        return scaler, f"scaler: {_described(scaler)}, fitted on {name}"
    if kind.kind == "generic" or wishes.streaming:
        scaler = fit_scaler(rows, "standard")
        return scaler, f"scaler: {_described(scaler)}, fitted on {name}; --scaler or --scaler-from say otherwise"
    scaler, reason = suitable_scaler(rows, lambda fitted: _error(model, fitted, early, window, kind))
    return scaler, (
        f"scaler: {_described(scaler)}, fitted on {name} ({reason}); --scaler or --scaler-from say otherwise"
    )


def _error(model: Any, scaler: Scaler, early: Sequence[Array], window: int, kind: ForeignKind) -> float:
    """RMS error of a detector with a scaler, as a share of the deviation of what it is to give."""
    reach = window + kind.horizon
    part = max(early, key=len)
    scaled = scaler.transform(part)
    starts = np.unique(np.linspace(0, max(0, len(part) - reach), JUDGED).astype(int))
    if len(part) < reach:
        return 1.0
    windows = np.stack([scaled[start : start + window] for start in starts])
    exact = windows if not kind.horizon else np.stack([scaled[at + window : at + reach] for at in starts])
    ours = np.asarray(model.predict(windows, verbose=0)).reshape(exact.shape)
    deviation = scaled.std(axis=0)
    alive = deviation > 0
    difference = np.sqrt(np.mean((ours - exact) ** 2, axis=(0, 1)))
    return float(np.mean(difference[alive] / deviation[alive])) if alive.any() else 1.0


def _described(scaler: Scaler | None) -> str:
    """A scaler with its first numbers.

    >>> _described(Scaler("minmax", (20.0,), (5.0,)))
    'minmax (offset 20, scale 5)'
    """
    if scaler is None:
        return "none"
    offsets, scales = (", ".join(f"{value:.4g}" for value in part[:3]) for part in (scaler.offset, scaler.scale))
    more = " …" * (len(scaler.offset) > 3)
    return f"{scaler.kind} (offset {offsets}{more}, scale {scales}{more})"


def _shapes(model: Any) -> tuple[list[Shape], list[Shape]]:
    """Shapes of a model's inputs and outputs, without the batch axis."""
    return [tuple(t.shape[1:]) for t in model.inputs], [tuple(t.shape[1:]) for t in model.outputs]
