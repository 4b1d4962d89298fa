"""Conversion of a `.keras` file to finished `.tflite` bundles: representative windows, conversion, recalibrated threshold."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from edgelstm.converters import Conversion, RepresentativeCheck, Validation, check_representative, convert
from edgelstm.converters.child import Child, Here
from edgelstm.runtime.calibration import fit_detector
from edgelstm.runtime.forecasting.features import SECTION as FORECAST
from edgelstm.runtime.inference.engine import TFLiteEngine
from edgelstm.runtime.inference.interpreter import TFLiteModel
from edgelstm.runtime.model_file.bundle import Bundle
from edgelstm.runtime.model_file.metadata import Metadata
from edgelstm.runtime.scoring.threshold import Rule
from edgelstm.runtime.scoring.threshold_rules import unlabelled_rule

from ..forecasting.intervals import predict_with, refit_intervals
from ..versions import tool_versions
from .calibration_file import Wishes
from .foreign_kind import DETECTORS
from .representative_data import Source, Uncalibrated, open_source
from .streaming import LONGEST_WARMUP, described, streamed

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Converted:
    """One scheme, ready to be written."""

    bundle: Bundle
    """The `.tflite` file with its metadata."""
    conversion: Conversion
    """The flatbuffer's validation."""
    check: RepresentativeCheck
    """Fitness of the representative windows."""
    keras_threshold: float | None
    """The threshold of the Keras model, for comparison."""
    float32: bytes
    """The float form's flatbuffer, to compare size and time with."""
    notes: tuple[str, ...] = ()
    """Assumptions about a model from elsewhere, one sentence each."""

    def __repr__(self) -> str:
        return f"Converted({self.bundle.origin}, {self.bundle.metadata.kind}, {self.conversion!r})"

    @property
    def validation(self) -> Validation:
        """Error, size and form of the converted model, measured on windows that were held back."""
        return self.conversion.validation

    @property
    def metadata(self) -> Metadata:
        """Description of the model for the device."""
        return self.bundle.metadata

    def _repr_html_(self) -> str:
        """Summary for notebooks."""
        from ..notebook_html import summary

        return summary(self.metadata, len(self.bundle.flatbuffer))

    def save(self, path: Path | str) -> None:
        """Write the `.tflite` file, whole or not at all.

        Raises:
            OutputError: If it cannot be written.
        """
        self.bundle.save(path)


def convert_file(
    path: Path | str,
    schemes: Sequence[str] = ("int8",),
    *,
    calibration: Any = None,
    scaler: str | None = None,
    scaler_from: Any = None,
    kind: str | None = None,
    lookback: int | None = None,
    streaming: bool = False,
    threshold_rule: str | None = None,
    custom_objects: Mapping[str, Any] | None = None,
    **options: Any,
) -> dict[str, Converted]:
    """Convert a `.keras` file to bundles, one a scheme.

    Args:
        path: A `.keras` file; one that this trainer wrote carries its representative data.
        schemes: Any of float32, float16, dynamic, int8, int16x8.
        calibration: For other files: a CSV of raw rows of normal operation, or .npy/.npz windows (N, W, F) just as
            the model takes them; or a `Series` or an array of windows in memory.
        scaler: Kind of scaler to fit on a calibration CSV, `none` for a model that takes sensor units; None compares all
            of them and takes `standard` unless the model's error with another one is less than half.
        scaler_from: The scaler that the model was trained with, a file or an object, see `foreign_scaler.read_scaler`.
        kind: Kind of a foreign model; None infers it from the shapes.
        lookback: Rows for an open time axis.
        streaming: Write the form of a causal forecaster that takes one row a call and keeps its state.
        threshold_rule: How a detector's threshold is set; None for the rule it was trained with.
        custom_objects: Classes and functions of the user's own in the model, by name.
        options: `io`, `allow_drop`, `target`, `tell` and `apart` of `edgelstm.converters.convert`.

    Raises:
        ModelError: If the file is no Keras model.
        ConversionError: If it cannot be converted.
    """
    if streaming:  # the kind of a foreign model shows in its one-row form, see `described`
        lookback = lookback or LONGEST_WARMUP
    files = (Path(file) if isinstance(file, str) else file for file in (calibration, scaler_from))
    wishes = Wishes(next(files), scaler, next(files), kind, lookback, streaming, custom_objects)
    source = open_source(path, wishes)
    if isinstance(source, Uncalibrated):
        return _convert_calibrating(source, schemes, unlabelled_rule(threshold_rule), lookback=lookback, **options)
    source = streamed(source) if streaming else source
    return convert_source(source, schemes, threshold_rule, lookback=lookback, **options)


def _convert_calibrating(
    opened: Uncalibrated, schemes: Sequence[str], rule: Rule | None, *, tell: Tell = lambda _: None, apart: bool = True,
    **options: Any,
) -> dict[str, Converted]:  # fmt: skip
    """Calibrate where the conversion runs, so that one process loads TensorFlow; its data are read meanwhile."""
    with Child() if apart and opened.wishes.custom_objects is None else Here() as place:
        task = partial(_calibrate_and_convert, opened, opened.read(), tuple(schemes), options)
        source, conversions = place.run(task, tell)
    return _finished(source, conversions, schemes, options.get("target", ""), rule, tell)


def _calibrate_and_convert(
    opened: Uncalibrated, data: Any, schemes: tuple[str, ...], options: dict[str, Any], tell: Tell
) -> tuple[Source, dict[str, Conversion]]:
    """The part of a conversion that takes Keras; the source returned holds no model of Keras' any more."""
    source = opened.source(data)
    source = streamed(source) if opened.wishes.streaming else source
    conversions = _conversions(source, schemes, tell=tell, apart=False, **options)
    return replace(source, model=None), conversions


def convert_source(
    source: Source,
    schemes: Sequence[str],
    threshold_rule: str | None = None,
    *,
    target: str = "",
    tell: Tell = lambda _: None,
    **options: Any,
) -> dict[str, Converted]:
    """As `convert_file`, from a model whose representative data have been read already.

    Args:
        source: Model with its representative data, already read.
        schemes: Quantization schemes.
        threshold_rule: Rule of the new threshold; None for the model's own.
        target: Machine to run on, empty for any.
        tell: Function that receives progress.
        options: As of `convert_file`.
    """
    rule = unlabelled_rule(threshold_rule)
    conversions = _conversions(source, schemes, target=target, tell=tell, **options)
    return _finished(source, conversions, schemes, target, rule, tell)


def _conversions(source: Source, schemes: Sequence[str], **options: Any) -> dict[str, Conversion]:
    """Conversions to some schemes and to float32, for comparison."""
    return convert(
        source.model or source.path,
        source.windows,
        source.held,
        tuple(dict.fromkeys((*schemes, "float32"))),
        starts=source.starts,
        like_inputs=source.like_inputs,
        byte_budget=source.byte_budget,
        custom_objects=source.custom_objects,
        **options,
    )


def _finished(
    source: Source, conversions: dict[str, Conversion], schemes: Sequence[str], target: str, rule: Rule | None,
    tell: Tell,
) -> dict[str, Converted]:  # fmt: skip
    check = check_representative(source.windows, source.held, source.metadata.names)
    tell("thresholds")
    exact = conversions["float32"].flatbuffer
    return {scheme: finish(source, conversions[scheme], check, target, exact, rule) for scheme in schemes}


def finish(
    source: Source, conversion: Conversion, check: RepresentativeCheck, target: str, exact: bytes, rule: Rule | None
) -> Converted:
    """Recalibrate score and threshold on this very file's outputs, and put everything into one bundle.

    Args:
        source: Model with its representative data.
        conversion: One converted model.
        check: Findings about the representative data.
        target: Machine to run on, empty for any.
        exact: Flatbuffer of the float form.
        rule: Threshold rule, None for none.
    """
    metadata = source.metadata.with_(
        scheme=conversion.validation.scheme,
        target=target,
        source=hashlib.sha256(source.path.read_bytes()).hexdigest(),
        tools=tool_versions(),
        accuracy=_figures({**conversion.validation.record(), "representative": _check_record(check)}),
        sections={name: part for name, part in source.metadata.sections.items() if name != "training"},
    )
    if metadata.stateful:
        metadata = described(metadata, conversion)
    if FORECAST in metadata.sections:
        forecast = predict_with(TFLiteModel(conversion.flatbuffer, target=target))
        metadata = refit_intervals(metadata, forecast, source.representative)
    elif metadata.kind in DETECTORS and source.representative is not None:
        engine = TFLiteEngine(TFLiteModel(conversion.flatbuffer, target=target), metadata.stateful)
        normal = source.representative.normal
        metadata = fit_detector(metadata, engine, normal, rule)
    name = file_name(source.path, conversion.validation.scheme, metadata.stateful, target)
    threshold = source.metadata.threshold.value if source.metadata.threshold else None
    return Converted(Bundle(conversion.flatbuffer, metadata, name), conversion, check, threshold, exact, source.notes)


def file_name(model: Path, scheme: str, streaming: bool = False, target: str = "") -> str:
    """Name of a converted model's file.

    Args:
        model: The Keras model.
        scheme: Quantization scheme.
        streaming: It takes one row a call.
        target: x86, micro, or empty for anywhere.

    >>> file_name(Path("pump.keras"), "dynamic", target="x86")
    'pump.x86.dynamic.tflite'
    """
    return f"{model.stem}{'.stream' if streaming else ''}{f'.{target}' if target else ''}.{scheme}.tflite"


def _figures(record: dict[str, Any]) -> dict[str, Any]:
    """Figures of a validation for the device's file: four digits of each, and none that is 0 or empty."""
    figures = {}
    for name, value in record.items():
        if value:
            short = float(f"{value:.4g}") if isinstance(value, float) else value
            figures[name] = _figures(short) if isinstance(short, dict) else short
    return figures


def _check_record(check: RepresentativeCheck) -> dict[str, Any]:
    return {
        "windows": check.windows,
        "held": check.held,
        "outside": check.outside,
        "constant": list(check.constant),
        "warnings": list(check.warnings),
    }
