"""Judgement of Keras and every scheme on the same rows: figures, and the contents of the plots."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from edgelstm.alarm_page.recorder import Recorder
from edgelstm.converters.quantization.calibrator import run
from edgelstm.converters.validation.limits import relative_rms
from edgelstm.deployment.convert import Converted
from edgelstm.evaluation.keras_detector import keras_detector
from edgelstm.evaluation.replaying import Replay, replay
from edgelstm.evaluation.unscored_rows import unscored_rows
from edgelstm.runtime.alarms.narrator import Narrator
from edgelstm.runtime.detector import Detector

from . import plot_data as traces
from .data import Subject
from .judge_detector import Judge, agreement
from .judge_forecaster import forecast_example
from .judge_outputs import Windows, figures
from .plot_schema import Figures
from .schema import KERAS, Data, Drop, Resampling, Scheme

Array = npt.NDArray[Any]
Tell = Callable[[str], None]
Metrics = dict[str, float | None]
Predicts = dict[str, traces.Predict]


@dataclass
class Judged:
    """Figures by scheme; `keras` is the reference."""

    metrics: dict[str, Metrics]
    drops: dict[str, dict[str, Drop]]
    confusions: dict[str, Any] = field(default_factory=dict)
    figures: Figures = field(default_factory=Figures)
    data: Data = field(default_factory=lambda: Data("", 0, False, 0, None))
    remarks: tuple[str, ...] = ()
    """About rows that were not judged, one sentence each."""
    recorder: Recorder | None = None
    """Replay of the shown scheme, for the page of alarms."""


def judge(
    subject: Subject, keras: Any, made: Mapping[str, Converted], tell: Tell, narrator: Narrator | None = None
) -> Judged:
    """Judge Keras and every conversion.

    Args:
        subject: Rows or examples.
        keras: The Keras model.
        made: Conversions by scheme.
        tell: Called with the name of each step.
        narrator: Language and time zone of the alarms; None for English in the zone of this machine.
    """
    names = (KERAS, *made)
    judged = Judged({name: {} for name in names}, {name: {} for name in made})
    expected = _outputs(keras, subject.source.held)
    for scheme, converted in made.items():
        judged.metrics[scheme]["output_error"] = _output_error(converted, subject, expected)
    predicts: Predicts = {KERAS: lambda inputs: _outputs(keras, inputs)[0]}
    windowed = {scheme: converted for scheme, converted in made.items() if not converted.bundle.metadata.stateful}
    predicts |= {scheme: _predict(converted.conversion.flatbuffer) for scheme, converted in windowed.items()}
    if subject.windows is not None:
        _explained(judged, subject.windows, predicts)
    if subject.judge is not None:
        _detect(judged, subject, subject.judge, keras, made, predicts, tell, narrator)
    elif subject.metadata.kind == "classifier":
        _classify(judged, subject, predicts, tell)
    elif subject.series is not None and subject.windows is not None:
        models = {KERAS: subject.metadata, shown_scheme(made): made[shown_scheme(made)].bundle.metadata}
        example = forecast_example(subject.series, subject.windows, models, predicts)
        judged.figures = Figures(examples=(example,))
        judged.data = Data(subject.description, len(subject.series.values), False, 0, _resampling(subject))
    if not judged.data.rows:
        judged.data = Data(subject.description, len(subject.source.held[0]), False, 0, _resampling(subject))
    return judged


def _output_error(converted: Converted, subject: Subject, expected: tuple[Array, ...]) -> float:
    """RMS difference from Keras on held-back windows; of a streaming form that from its float form, over a sequence."""
    if converted.bundle.metadata.stateful:
        return converted.conversion.validation.error
    ours = run(converted.conversion.flatbuffer, subject.source.held)
    return max(relative_rms(mine, theirs) for mine, theirs in zip(ours, expected, strict=True))


def _predict(flatbuffer: bytes) -> traces.Predict:
    return lambda inputs: run(flatbuffer, inputs)[0]


def _outputs(keras: Any, inputs: tuple[Array, ...]) -> tuple[Array, ...]:
    arrays = list(inputs) if len(inputs) > 1 else inputs[0]
    outputs = keras.predict(arrays, batch_size=256, verbose=0)
    parts = (
        outputs.values() if isinstance(outputs, dict) else outputs if isinstance(outputs, list | tuple) else (outputs,)
    )
    return tuple(np.asarray(part) for part in parts)


def _explained(judged: Judged, windows: Windows, predicts: Predicts) -> None:
    parts = {name: windows.errors(predict(windows.inputs)) for name, predict in predicts.items()}
    for name, part in parts.items():
        judged.metrics[name] |= figures(part)
        if name != KERAS:
            judged.drops[name] |= windows.drops(part, parts[KERAS])


def _detect(
    judged: Judged, subject: Subject, rows: Judge, keras: Any, made: Mapping[str, Converted],
    predicts: Predicts, tell: Tell, narrator: Narrator | None,
) -> None:  # fmt: skip
    count = len(rows.series.values)
    replays = {}
    for name in (KERAS, *made):
        tell(f"scoring {count:,} rows with {name}")
        detector = _keras_detector(subject, keras) if name == KERAS else Detector.from_bundle(made[name].bundle)
        recorder = Recorder(detector, narrator, subject.label) if name == shown_scheme(made) else None
        judged.recorder = recorder or judged.recorder
        replays[name] = replay(detector, rows.series.values, rows.series.time, recorder)
        if name != KERAS:
            judged.metrics[name]["clipped"] = detector.engine.clipped / rows.series.values.size
    quality = {name: rows.figures(name, result) for name, result in replays.items()}
    for name, result in replays.items():
        judged.metrics[name] |= {**quality[name], **agreement(result, replays[KERAS])}
    known = rows.resampled(replays[KERAS])
    for name in made:
        tell(f"how sure the differences of {name} are")
        judged.drops[name] |= rows.drops(replays[name], quality[name], quality[KERAS], known)
    judged.data = Data(subject.description, count, rows.labels is not None, len(rows.anomalies), _resampling(subject))
    judged.figures = _pictures(subject, rows, replays, predicts)
    warning = unscored_rows(rows.series, replays[KERAS].scores, subject.metadata.window + subject.metadata.horizon)
    judged.remarks = (f"Only {warning}",) if warning else ()


def _keras_detector(subject: Subject, keras: Any) -> Detector:
    """A detector over the Keras model; the score of a foreign one is fitted on its representative rows."""
    assert subject.judge is not None
    rows = subject.source.representative
    normal = [] if rows is None else rows.normal
    series = subject.judge.series
    return keras_detector(keras, subject.metadata, (series.values, series.time), normal)


def shown_scheme(names: Mapping[str, Any]) -> str:
    """The scheme that pictures show beside Keras: int8 where there is one."""
    return "int8" if "int8" in names else list(names)[-1]


def _pictures(subject: Subject, rows: Judge, replays: Mapping[str, Replay], predicts: Predicts) -> Figures:
    pair = (KERAS, shown_scheme(replays))
    both = {name: predicts[name] for name in pair if name in predicts}
    examples = []
    if subject.windows is not None:
        examples.append(traces.normal_example(subject.metadata, subject.windows, both))
    if rows.labels is not None:
        anomalous = traces.anomalous_example(subject.metadata, rows.series, replays[KERAS], rows.labels, both)
        examples += [anomalous] if anomalous else []
    scores = traces.scores(rows.series, {name: replays[name] for name in pair}, rows.anomalies)
    return Figures(scores=scores, examples=tuple(examples))


def _classify(
    judged: Judged, subject: Subject, predicts: Predicts, tell: Tell
) -> None:  # fmt: skip
    answers = subject.answers
    inputs = (answers.examples.inputs,) if answers else subject.source.held
    shares = {}
    for name, predict in predicts.items():
        tell(f"asking {name}")
        shares[name] = predict(inputs)
        same = shares[name].argmax(axis=1) == shares[KERAS].argmax(axis=1)
        judged.metrics[name] |= {} if name == KERAS else {"answers_flipped": float(np.mean(~same))}
    if answers is None:
        return
    for name, part in shares.items():
        quality = judged.confusions[name] = answers.quality(name, name, part)
        judged.metrics[name] |= {"accuracy": quality.accuracy, "macro_f1": quality.macro_f1}
        if name != KERAS:
            judged.drops[name] |= answers.drops(part, shares[KERAS])
    judged.data = Data(subject.description, len(inputs[0]), True, 0, _resampling(subject))


def _resampling(subject: Subject) -> Resampling | None:
    for part in (subject.judge, subject.answers, subject.windows):
        if part is not None and not (part is subject.judge and subject.judge.labels is None):
            return part.resampling
    return None


def reference(judged: Judged, parameters: int) -> Scheme:
    """The row of Keras.

    Args:
        judged: Figures by scheme.
        parameters: Weights of the model.
    """
    return Scheme(KERAS, parameters=parameters, metrics=judged.metrics[KERAS], confusion=judged.confusions.get(KERAS))
