"""Detection quality of a model on labelled rows; the same code for Keras and TFLite."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgelstm.runtime.alarms.narrator import Narrator
from edgelstm.runtime.detector import Detector
from edgelstm.runtime.errors import ModelError, SeriesError
from edgelstm.runtime.model_file.metadata import Metadata
from edgelstm.runtime.model_file.trial import load_tried_bundle

from ..alarm_page.recorder import Recorder
from ..alarm_page.write import write_alarm_page
from ..data.label_cells import read_labels
from ..data.label_columns import require_label_column
from ..data.series import Series, read_for_model
from ..data.time_label import time_label
from ..keras_file import load_keras, model_parts
from .keras_detector import Segments, check_detector, keras_detector
from .label_runs import ranges
from .metrics import VUS_WINDOW, match, points, pr_auc, roc_auc, vus_pr
from .replaying import Replay, replay
from .unscored_rows import unscored_rows

Doubles = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
DAY = 86_400.0


@dataclass(frozen=True)
class Evaluation:
    """Detection metrics of one model on one labelled series; None where a metric is not defined."""

    model: str
    """File name."""
    scheme: str
    """keras or a quantization scheme."""
    rows: int
    """Rows that got a score; only they count."""
    anomalous_rows: int
    """Labelled rows among them."""
    vus_pr: float | None
    """Volume under the precision-recall surface, buffers up to 100 rows; 1 is perfect, chance is the anomalous share."""
    roc_auc: float | None
    """Chance that an anomalous row scores above a normal one; 0.5 is guessing."""
    pr_auc: float | None
    """Average precision over rows; chance is the anomalous share."""
    f1: float
    """Harmonic mean of precision and recall over rows at the model's threshold; to be read with FAR."""
    far: float
    """Share of normal rows above the threshold."""
    mar: float
    """Share of anomalous rows below the threshold."""
    event_recall: float | None
    """Share of the labelled anomalies that an alarm overlaps."""
    event_precision: float | None
    """Share of the alarms that overlap a labelled anomaly."""
    labelled_events: int
    """Labelled anomalies, runs of labelled rows."""
    alarms: int
    """Alarms, after de-bounce."""
    delay: float | None
    """Median rows from an anomaly's first row to the first alarm in it."""
    delay_seconds: float | None
    """The same in seconds; None where there is no time."""
    false_alarms_per_day: float | None
    """Alarms that overlap no label, per day of data; None where there is no time."""
    false_alarms_per_1000_rows: float
    """Alarms that overlap no label, per 1000 rows."""
    warnings: tuple[str, ...] = ()
    """Sentences about rows that were not judged."""

    def record(self) -> dict[str, Any]:
        """As plain JSON types."""
        return asdict(self)

    def document(self) -> dict[str, Any]:
        """As `record`, with what each metric means."""
        return {**self.record(), "vus_window": VUS_WINDOW, "meaning": MEANING}


MEANING = {
    "vus_pr": "how well scores rank anomalous stretches, threshold-free, buffers to 100 rows; 1 is perfect",
    "roc_auc": "chance that an anomalous row scores above a normal one; 0.5 is guessing",
    "pr_auc": "average precision over rows; chance is the anomalous share",
    "f1": "rows above the threshold against labels, precision and recall in one; read it with FAR",
    "far": "false alarm rate: share of normal rows flagged",
    "mar": "missed alarm rate: share of anomalous rows not flagged",
    "event_recall": "share of labelled anomalies that raised an alarm",
    "event_precision": "share of alarms that were right",
    "delay": "median rows from the start of an anomaly to its alarm; 0 where an alarm was open already",
    "delay_seconds": "the same in seconds; nothing where the data have no time",
    "false_alarms_per_day": "alarms without a labelled anomaly, per day; nothing where the data have no time",
    "false_alarms_per_1000_rows": "the same per 1000 rows",
}


def measure(name: str, scheme: str, result: Replay, labels: Bools, period: float | None) -> Evaluation:
    """Compute the metrics of a replay against labels; rows without a score are left out of row metrics.

    Args:
        name: File name of the model.
        scheme: keras or a quantization scheme.
        result: Scores and alarms of the detector.
        labels: Whether each row is anomalous, shape (T,).
        period: Seconds between rows; None without a time column.

    Raises:
        SeriesError: If no row has a score.
    """
    scored = np.isfinite(result.scores)
    if not scored.any():
        raise SeriesError(f"A metric needs rows with a score; none of these {len(labels)} rows has one.")
    truth, scores = labels[scored], result.scores[scored]
    counts = points(truth, result.flagged[scored])
    events = match(ranges(labels), result.alarms)
    days = len(labels) * period / DAY if period else None
    delay = float(np.median(events.delays)) if events.delays else None
    return Evaluation(
        model=name,
        scheme=scheme,
        rows=int(scored.sum()),
        anomalous_rows=int(truth.sum()),
        vus_pr=vus_pr(truth, scores),
        roc_auc=roc_auc(truth, scores),
        pr_auc=pr_auc(truth, scores),
        f1=counts.f1,
        far=counts.false_alarm_rate,
        mar=counts.missed_alarm_rate,
        event_recall=events.recall,
        event_precision=events.precision,
        labelled_events=events.anomalies,
        alarms=events.alarms,
        delay=delay,
        delay_seconds=delay * period if period and delay is not None else None,
        false_alarms_per_day=events.false_alarms / days if days else None,
        false_alarms_per_1000_rows=1000 * events.false_alarms / len(labels),
    )


def load_detector(path: Path | str, series: Series | None = None) -> tuple[Detector, Metadata]:
    """A detector over a `.tflite` file or a `.keras` file.

    Args:
        path: The model file.
        series: Rows it is going to be fed; a Keras model predicts them in batches beforehand.

    Raises:
        ModelError: If the file is no model of this tool.
    """
    path = Path(path)
    if path.suffix != ".keras":
        bundle = load_tried_bundle(path)
        return Detector.from_bundle(bundle), bundle.metadata
    metadata, _ = model_parts(path)
    if metadata.scaler is None or metadata.scoring is None:
        raise ModelError(f"{path.name} is a {metadata.kind} model and gives no anomaly score.")
    rows = (np.empty((0, len(metadata.channels))), np.empty(0)) if series is None else (series.values, series.time)
    return keras_detector(load_keras(path), metadata, rows), metadata


def read_labelled(
    path: Path | str, metadata: Metadata, label_column: str | None = None, time_column: str | None = None
) -> Series:
    """Read labelled rows as they are in the file, in the order of the model's channels.

    Args:
        path: CSV file.
        metadata: The model's.
        label_column: 0, false, normal or empty is normal; None looks for a column of a common name.
        time_column: Column with the time; None looks for one.

    Raises:
        SeriesError: If there is no label column, or the rows cannot be read.
    """
    path = Path(path)
    label_column = require_label_column(path, label_column, metadata.names)
    return read_for_model(metadata, path, time_column, label_column, repair=False)


def evaluate(
    path: Path | str,
    data: Path | str,
    label_column: str | None = None,
    time_column: str | None = None,
    plot: Path | str | None = None,
    narrator: Narrator | None = None,
) -> Evaluation:
    """Measure a model file on a labelled CSV file.

    Args:
        path: `.keras` or `.tflite`.
        data: CSV with the model's channels and a label column.
        label_column: 0, false, normal or empty is normal, anything else is an anomaly; None looks for a common name.
        time_column: Column with the time; None looks for one.
        plot: HTML file for the page of alarms; None for none.
        narrator: Language and time zone of that page; None for English in the zone of this machine.

    Raises:
        ModelError: If the model cannot be used.
        SeriesError: If the data cannot be used.
    """
    path = Path(path)
    metadata, content = model_parts(path)
    series = read_labelled(data, metadata, label_column, time_column)
    detector, _ = load_detector(path, series)
    recorder = Recorder(detector, narrator, time_label(data, metadata, time_column)) if plot else None
    evaluation = judge_detector(path.name, metadata.scheme if content else "keras", detector, series, recorder)
    _write(plot, recorder, path, data, series)
    return evaluation


def evaluate_foreign(
    path: Path | str,
    metadata: Metadata,
    normal: Segments,
    data: Path | str,
    label_column: str | None = None,
    time_column: str | None = None,
    plot: Path | str | None = None,
    narrator: Narrator | None = None,
) -> Evaluation:
    """Measure a Keras model of another tool on a labelled CSV file; its threshold is fitted on normal operation.

    Args:
        path: `.keras` file.
        metadata: Its kind, window, channels and scaler, as `read_source` infers them.
        normal: Scaled segments of normal operation, each (T_i, F).
        data: CSV with the model's channels and a label column.
        label_column: As in `evaluate`.
        time_column: As in `evaluate`.
        plot: As in `evaluate`.
        narrator: As in `evaluate`.

    Raises:
        ModelError: If the model gives no anomaly score.
        SeriesError: If the data cannot be used.
    """
    path = Path(path)
    series = read_labelled(data, metadata, label_column, time_column)
    model = load_keras(path)
    check_detector(path.name, model, metadata)
    detector = keras_detector(model, metadata, (series.values, series.time), normal)
    recorder = Recorder(detector, narrator, time_label(data, metadata, time_column)) if plot else None
    evaluation = judge_detector(path.name, "keras", detector, series, recorder)
    _write(plot, recorder, path, data, series)
    return evaluation


def _write(plot: Path | str | None, recorder: Recorder | None, model: Path, data: Path | str, series: Series) -> None:
    """Write the page of alarms where it is wanted."""
    if plot is not None and recorder is not None and series.labels is not None:
        write_alarm_page(plot, recorder, model.name, Path(data).name, read_labels(series.labels))


def judge_detector(
    name: str, scheme: str, detector: Detector, series: Series, recorder: Recorder | None = None
) -> Evaluation:
    """Measure a detector on labelled rows.

    Args:
        name: File name of its model.
        scheme: keras or a quantization scheme.
        detector: The detector.
        series: Rows with labels, as `read_labelled` reads them.
        recorder: Receiver of all rows and events, for the page of alarms; None for none.

    Raises:
        SeriesError: If no row has a score.
    """
    assert series.labels is not None
    result = replay(detector, series.values, series.time, recorder)
    warning = unscored_rows(series, result.scores, detector.metadata.window + detector.metadata.horizon)
    if not np.isfinite(result.scores).any():
        raise SeriesError(f"An evaluation needs rows with a score: {warning}")
    labels = read_labels(series.labels)
    warnings = [f"Only {warning}"] if warning else []
    untimed = int(np.isnan(series.time).sum())
    if untimed and not warning:
        warnings.append(f"{untimed:,} rows without a time were dropped.")
    if labels.all():
        values = ", ".join(sorted(set(series.labels.tolist()))[:5])
        warnings.append(f"Every row is labelled anomalous ({values}): normal is 0, false, normal, ok, no or empty.")
    return replace(measure(name, scheme, result, labels, series.period), warnings=tuple(warnings))
