"""The steps of a report: convert to every scheme, measure, judge on the same rows, and compare."""

import datetime
import hashlib
import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from edgelstm.converters.validation.limits import INT8_LIMIT
from edgelstm.deployment.convert import Converted
from edgelstm.deployment.foreign_kind import DETECTORS
from edgelstm.deployment.representative_data import Source
from edgelstm.evaluation.keras_detector import check_detector
from edgelstm.keras_file import load_keras
from edgelstm.runtime.alarms.narrator import Narrator
from edgelstm.runtime.diagnostics.benchmark import Benchmark, benchmark
from edgelstm.runtime.forecasting.features import SECTION as FORECAST
from edgelstm.runtime.model_file.detection_limits import SECTION as DETECTION_LIMITS
from edgelstm.runtime.model_file.detection_limits import limit_table
from edgelstm.versions import tool_versions

from .alarm_part import alarms_of, page_of
from .data import Subject
from .judge import Judged, judge, reference, shown_scheme
from .layer_errors import compare
from .layers import layers_in_words
from .plot_data import channel_name
from .plot_schema import Figures
from .request import EXACT, Request, Tell, convert_all
from .schema import Model, Report, Scheme
from .tables import headline
from .widths import judge_widths

SECONDS = 0.25  # of timing a scheme: thousands of calls of a small model, 20 at least of any
UNCOMPARED = "it has no errors by layer: its operators are others than those of float32, as where an LSTM is unrolled"


@dataclass(frozen=True)
class Built:
    """A report and the files it speaks of."""

    report: Report
    files: Mapping[str, bytes] = field(repr=False)
    """Content of each `.tflite` file, and of the page of alarms, by name."""


def build(request: Request, tell: Tell = lambda _: None) -> Built:
    """Make a report.

    Args:
        request: Model, data and schemes.
        tell: Called with the name of each step.

    Raises:
        ModelError: If the file is no Keras model.
        ConversionError: If it has no TFLite form at all.
        SeriesError: If the data cannot be used.
    """
    narrator = Narrator.of(request.language, request.timezone)
    tell("reading")
    source = request.source(request.model)
    keras = load_keras(request.model)
    if source.metadata.kind in DETECTORS and FORECAST not in source.metadata.sections:
        check_detector(request.model.name, keras, source.metadata)
    subject = Subject.read(source, request.data, request.label_column, request.time_column)
    converted = request.convertible(source)
    made, refused = convert_all(converted, request, tell)
    tell("Keras")
    judged = judge(subject, keras, made, tell, narrator)
    tell("errors by layer")
    figures = _tensors(judged.figures, made, converted)
    benches, files = _measure(made, request, tell)
    alarms = None
    if judged.recorder is not None:
        scheme = shown_scheme(made)
        alarms = alarms_of(judged.recorder, scheme)
        files[alarms.page] = page_of(judged.recorder, subject, made[scheme].bundle.origin)
    compared = {EXACT, *figures.layers}
    schemes = tuple(_scheme(name, made, refused, judged, benches, keras, compared) for name in request.schemes)
    report = Report(
        made=datetime.date.today().isoformat(),
        tools=tool_versions(),
        model=_model(source, keras),
        data=judged.data,
        machine=next((bench.machine for bench in benches.values()), None),
        keras=reference(judged, int(keras.count_params())),
        schemes=schemes,
        figures=_training(figures, source),
        warnings=next(iter(made.values())).check.warnings,
        remarks=(*subject.remarks, *judged.remarks),
        notes=tuple(f"{note[0].upper()}{note[1:]}." for note in source.notes),
        alarms=alarms,
    )
    metric = headline(report)
    widths, more = judge_widths(request, metric.name, tell) if request.widths and metric else ((), {})
    return Built(replace(report, widths=widths), {**files, **more})


def _measure(
    made: Mapping[str, Converted], request: Request, tell: Tell
) -> tuple[dict[str, Benchmark], dict[str, bytes]]:
    """Times and memory of each file that was asked for, from a scratch folder."""
    benches, models = {}, {}
    with tempfile.TemporaryDirectory(prefix="edgelstm-") as folder:
        for scheme in request.schemes:
            if scheme not in made:
                continue
            tell(f"timing {scheme}")
            file = Path(folder) / made[scheme].bundle.origin
            file.write_bytes(made[scheme].bundle.to_bytes())
            benches[scheme] = benchmark(file, seconds=SECONDS, tried=True)
            models[file.name] = file.read_bytes()
    return benches, models


def _scheme(
    name: str, made: Mapping[str, Converted], refused: Mapping[str, str], judged: Judged,
    benches: Mapping[str, Benchmark], keras: Any, compared: Collection[str],
) -> Scheme:  # fmt: skip
    if name in refused:
        return Scheme(name, refused=refused[name])
    validation = made[name].conversion.validation
    return Scheme(
        name,
        file=made[name].bundle.origin,
        size=benches[name].size,
        parameters=int(keras.count_params()),
        validation=validation.record(),
        bench=benches[name],
        metrics=judged.metrics[name],
        drops=judged.drops[name],
        confusion=judged.confusions.get(name),
        notes=(*_notes(made[name]), *(() if name in compared else (UNCOMPARED,))),
    )


def _notes(converted: Converted) -> list[str]:
    validation, notes = converted.conversion.validation, []
    if converted.bundle.metadata.stateful:
        notes.append("one row a call, state kept between calls; the output error is that against its own float form")
    if validation.error > INT8_LIMIT:
        notes.append(
            f"its output differs from float by {validation.error:.1%}, above the limit of {INT8_LIMIT:.0%}: "
            "`edgelstm convert` writes it with --allow-drop only"
        )
    elif validation.channel_error > INT8_LIMIT:
        notes.append(
            f"its output channel {validation.channel} differs from float by {validation.channel_error:.1%} of its own "
            f"deviation, above the limit of {INT8_LIMIT:.0%}: `edgelstm convert` writes it with --allow-drop only"
        )
    if validation.newer_ops:
        notes.append(f"tflite-runtime 2.14, the interpreter of 32-bit Arm, has no {', '.join(validation.newer_ops)}")
    if validation.scheme.startswith("int") and validation.depth not in ("full", ""):
        notes.append("part of it stays in float, because an all-integer form loses more")
    return notes


def _model(source: Source, keras: Any) -> Model:
    metadata = source.metadata
    return Model(
        name=source.path.name,
        source=hashlib.sha256(source.path.read_bytes()).hexdigest(),
        kind=metadata.kind,
        parameters=int(keras.count_params()),
        window=metadata.window,
        horizon=metadata.horizon,
        channels=tuple(channel_name(metadata, index) for index in range(len(metadata.channels))),
        period=metadata.period,
        layers=layers_in_words(source.path),
        limits=limit_table(metadata.sections.get(DETECTION_LIMITS), metadata.period),
    )


def _tensors(figures: Figures, made: Mapping[str, Converted], source: Source) -> Figures:
    """Errors of layers and weights of every scheme, and the int8 scheme's ranges."""
    exact = made[EXACT].conversion.flatbuffer
    comparisons = {
        scheme: compare(exact, converted.conversion.flatbuffer, source.held, converted.bundle.metadata.stateful)
        for scheme, converted in made.items()
        if scheme != EXACT
    }
    integer = comparisons.get("int8")
    return replace(
        figures,
        layers={scheme: part.layers for scheme, part in comparisons.items() if part.layers},
        weights={scheme: part.weights for scheme, part in comparisons.items() if part.weights},
        histograms=integer.histograms if integer else (),
    )


def _training(figures: Figures, source: Source) -> Figures:
    """Add the trainer's records; a foreign model has none."""
    training = source.metadata.sections.get("training", {})
    lookback: Mapping[str, Any] = training.get("lookback", {})
    history: Mapping[str, Sequence[float]] = training.get("history", {})
    return replace(
        figures,
        autocorrelation=tuple(lookback.get("autocorrelation", ())),
        rule=lookback.get("rule", ""),
        history={name: tuple(values) for name, values in history.items()},
    )
