"""Narrower models in every scheme, judged on the rows of the report."""

from collections.abc import Callable, Mapping

from edgelstm.converters.quantization.calibrator import run
from edgelstm.deployment.convert import Converted
from edgelstm.evaluation.replaying import replay
from edgelstm.keras_file import load_keras
from edgelstm.runtime.detector import Detector

from .data import Subject
from .judge_outputs import figures
from .layers import layers_in_words
from .request import Request, Tell, convert_all
from .schema import Width


def judge_widths(request: Request, metric: str, tell: Tell) -> tuple[tuple[Width, ...], Mapping[str, bytes]]:
    """Convert each narrower model to each scheme and measure one figure.

    Args:
        request: Names the models, the schemes and the data.
        metric: Name of the figure, one of `metrics.HEADLINE`.
        tell: Called with the name of each step.

    Returns:
        The figures, and the content of each `.tflite` file by name.

    Raises:
        ModelError: If a file is no Keras model.
        ConversionError: If one has no TFLite form at all.
    """
    quality_of, widths, files = QUALITIES[metric], [], {}
    for path in request.widths:
        source = request.source(path)
        subject = Subject.read(source, request.data, request.label_column, request.time_column)
        made, _ = convert_all(request.convertible(source), request, tell)
        parameters = int(load_keras(path).count_params())
        for scheme in request.schemes:
            if scheme not in made:
                continue
            tell(f"judging {made[scheme].bundle.origin}")
            quality = quality_of(subject, made[scheme])
            if quality is None:
                continue
            content, name = made[scheme].bundle.to_bytes(), made[scheme].bundle.origin
            widths.append(Width(name, scheme, layers_in_words(path), parameters, len(content), quality))
            files[name] = content
    return tuple(widths), files


def _detected(subject: Subject, converted: Converted) -> float | None:
    rows = subject.judge
    if rows is None:
        return None
    result = replay(Detector.from_bundle(converted.bundle), rows.series.values, rows.series.time)
    return rows.figures(converted.bundle.origin, result).get("vus_pr")


def _answered(subject: Subject, converted: Converted) -> float | None:
    answers, name = subject.answers, converted.bundle.origin
    if answers is None:
        return None
    return answers.quality(name, name, run(converted.conversion.flatbuffer, (answers.examples.inputs,))[0]).accuracy


def _explained(subject: Subject, converted: Converted) -> float | None:
    windows = subject.windows
    if windows is None or converted.bundle.metadata.stateful:
        return None
    return figures(windows.errors(run(converted.conversion.flatbuffer, windows.inputs)[0]))["explained"]


QUALITIES: Mapping[str, Callable[[Subject, Converted], float | None]] = {
    "vus_pr": _detected,
    "accuracy": _answered,
    "explained": _explained,
}
