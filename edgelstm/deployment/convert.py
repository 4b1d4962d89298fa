"""From a `.keras` file to finished `.tflite` bundles: representative windows, conversion, recalibrated threshold."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgelstm.converters import Conversion, RepresentativeCheck, check_representative, convert
from edgelstm.runtime.calibration import fit_detector
from edgelstm.runtime.forecasting.features import SECTION as FORECAST
from edgelstm.runtime.inference.engine import TFLiteEngine
from edgelstm.runtime.inference.interpreter import TFLiteModel
from edgelstm.runtime.model_file.bundle import Bundle
from edgelstm.runtime.scoring.threshold import Rule
from edgelstm.runtime.scoring.threshold_rules import unlabelled_rule

from ..forecasting.intervals import refit_intervals
from ..versions import tool_versions
from .representative_data import Source, read_source
from .streaming import LONGEST_WARMUP, described, streamed

DETECTORS = ("autoencoder", "forecaster")


@dataclass(frozen=True)
class Converted:
    """One scheme, ready to be written."""

    bundle: Bundle
    """The `.tflite` file with its metadata."""
    conversion: Conversion
    """The flatbuffer's validation."""
    check: RepresentativeCheck
    """What was found about the representative windows."""
    keras_threshold: float | None
    """The threshold of the Keras model, for comparison."""
    float32: bytes
    """The float form's flatbuffer, to compare size and time with."""


def convert_file(
    path: Path | str,
    schemes: Sequence[str] = ("int8",),
    *,
    calibration: Path | str | None = None,
    scaler: str | None = None,
    kind: str | None = None,
    lookback: int | None = None,
    streaming: bool = False,
    threshold_rule: str | None = None,
    **options: Any,
) -> dict[str, Converted]:
    """Convert a `.keras` file to bundles, one a scheme.

    Args:
        path: A `.keras` file; one that this trainer wrote carries its representative data.
        schemes: Any of float32, float16, dynamic, int8.
        calibration: For other files: a CSV of raw rows of normal operation, or .npy/.npz windows (N, W, F) just as
            the model eats them.
        scaler: Fitted on a calibration CSV; None is `standard`, `none` for a model that eats sensor units.
        kind: Kind of a foreign model; None infers an autoencoder from equal input and output shapes.
        lookback: Rows for an open time axis.
        streaming: Write the form of a causal forecaster that eats one row a call and keeps its state.
        threshold_rule: How a detector's threshold is set; None for the rule it was trained with.
        options: `io`, `allow_drop`, `target`, `tell` and `apart` of `edgelstm.converters.convert`.

    Raises:
        ModelError: If the file is no Keras model.
        ConversionError: If it cannot be converted.
    """
    if streaming:  # what a foreign model is shows in its one-row form, see `described`
        kind, lookback = kind or "forecaster", lookback or LONGEST_WARMUP
    source = read_source(path, calibration, scaler, kind, lookback)
    source = streamed(source) if streaming else source
    return convert_source(source, schemes, threshold_rule, lookback=lookback, **options)


def convert_source(
    source: Source,
    schemes: Sequence[str],
    threshold_rule: str | None = None,
    *,
    target: str = "",
    tell: Callable[[str], None] = lambda _: None,
    **options: Any,
) -> dict[str, Converted]:
    """As `convert_file`, from a model whose representative data have been read already."""
    rule = unlabelled_rule(threshold_rule)
    check = check_representative(source.windows, source.held)
    wanted = tuple(dict.fromkeys((*schemes, "float32")))
    conversions = convert(
        source.path,
        source.windows,
        source.held,
        wanted,
        starts=source.starts,
        target=target,
        like_inputs=source.metadata.kind in DETECTORS,
        tell=tell,
        **options,
    )
    tell("thresholds")
    exact = conversions["float32"].flatbuffer
    return {scheme: finish(source, conversions[scheme], check, target, exact, rule) for scheme in schemes}


def finish(
    source: Source, conversion: Conversion, check: RepresentativeCheck, target: str, exact: bytes, rule: Rule | None
) -> Converted:
    """Recalibrate score and threshold on this very file's outputs, and put everything into one bundle."""
    metadata = source.metadata.with_(
        scheme=conversion.validation.scheme,
        target=target,
        source=hashlib.sha256(source.path.read_bytes()).hexdigest(),
        tools=tool_versions(),
        accuracy={**conversion.validation.record(), "representative": _check_record(check)},
        sections={name: part for name, part in source.metadata.sections.items() if name != "training"},
    )
    if metadata.stateful:
        metadata = described(metadata, conversion)
    if FORECAST in metadata.sections:
        metadata = refit_intervals(metadata, TFLiteModel(conversion.flatbuffer, target=target), source.representative)
    elif metadata.kind in DETECTORS and source.representative is not None:
        engine = TFLiteEngine(TFLiteModel(conversion.flatbuffer, target=target), metadata.stateful)
        normal = [*source.representative.segments, *source.representative.held]
        metadata = fit_detector(metadata, engine, normal, rule)
    name = f"{source.path.stem}{'.stream' if metadata.stateful else ''}.{conversion.validation.scheme}.tflite"
    threshold = source.metadata.threshold.value if source.metadata.threshold else None
    return Converted(Bundle(conversion.flatbuffer, metadata, name), conversion, check, threshold, exact)


def _check_record(check: RepresentativeCheck) -> dict[str, Any]:
    return {
        "windows": check.windows,
        "held": check.held,
        "outside": check.outside,
        "constant": list(check.constant),
        "warnings": list(check.warnings),
    }
