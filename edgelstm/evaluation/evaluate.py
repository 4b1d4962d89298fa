"""Detection quality of a model on labelled rows; the same code for Keras and TFLite."""

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgelstm.runtime.alarms.events import Event
from edgelstm.runtime.detector import Detector
from edgelstm.runtime.errors import ModelError, SeriesError
from edgelstm.runtime.model_file.bundle import load_bundle
from edgelstm.runtime.model_file.metadata import Metadata

from ..data.series import Series, read_for_model, read_labels
from ..keras_file import load_keras, read_extras
from .batched_predict import batched_predict
from .metrics import VUS_WINDOW, match, points, pr_auc, ranges, roc_auc, vus_pr

Doubles = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
DAY = 86_400.0


@dataclass(frozen=True)
class Replay:
    """What a detector said, row by row."""

    scores: Doubles
    """Score of each row, shape (T,), NaN where there is none."""
    flagged: Bools
    """Whether each row's score is above the threshold, shape (T,)."""
    alarms: tuple[tuple[int, int], ...]
    """First and last row of each anomaly event."""
    events: tuple[Event, ...]
    """Closed events, in order."""
    threshold: float | None
    """The threshold in force."""


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
    """Harmonic mean of precision and recall over rows at the model's threshold; say FAR with it."""
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


def replay(detector: Detector, values: Doubles, time: Doubles | None = None) -> Replay:
    """Feed rows to a detector from a fresh start, as a device would.

    Args:
        detector: Any model.
        values: Shape (T, F), sensor units, NaN where a value is missing.
        time: Shape (T,), seconds; None counts rows.
    """
    detector.reset()
    rows = len(values)
    scores, flagged = np.full(rows, np.nan), np.zeros(rows, bool)
    clock: list[float] = np.arange(rows, dtype=np.float64).tolist() if time is None else time.tolist()
    at: dict[float, int] = {}  # row of each time; of doubled times the first one, as the detector takes it
    closed: list[Event] = []
    for row, moment in enumerate(clock):
        at.setdefault(moment, row)
        result = detector.update(values[row], None if math.isnan(moment) else moment)
        if result.score is not None:
            scores[row], flagged[row] = result.score, result.anomaly
        closed += [event for event in result.events if event.state == "closed"]
    closed += [event for event in detector.finish() if event.state == "closed"]
    alarms = tuple(
        (at[event.start], at[event.end])
        for event in closed
        if event.kind == "anomaly" and event.start in at and event.end in at
    )
    return Replay(scores, flagged, alarms, tuple(closed), detector.threshold)


def measure(name: str, scheme: str, found: Replay, labels: Bools, period: float | None) -> Evaluation:
    """Metrics of a replay against labels; rows without a score are left out of row metrics."""
    scored = np.isfinite(found.scores)
    if not scored.any():
        raise SeriesError(f"No row could be scored: {len(labels)} rows are fewer than one window.")
    truth, scores = labels[scored], found.scores[scored]
    counts = points(truth, found.flagged[scored])
    events = match(ranges(labels), found.alarms)
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
        bundle = load_bundle(path)
        return Detector.from_bundle(bundle), bundle.metadata
    metadata, _ = read_extras(path)
    if metadata is None or metadata.scaler is None:
        raise ModelError(
            f"{path.name} carries no edgelstm metadata. Train it with `edgelstm train`, or convert it first."
        )
    model = load_keras(path)
    segments = [] if series is None else [metadata.scaler.transform(series.values)]
    return Detector(metadata, batched_predict(model, metadata, segments)), metadata


def read_labelled(path: Path | str, metadata: Metadata, label_column: str, time_column: str | None = None) -> Series:
    """Labelled rows as they are in the file, in the order of the model's channels."""
    return read_for_model(metadata, path, time_column, label_column, repair=False)


def evaluate(
    path: Path | str, data: Path | str, label_column: str = "anomaly", time_column: str | None = None
) -> Evaluation:
    """Measure a model file on a labelled CSV file.

    Args:
        path: `.keras` or `.tflite`.
        data: CSV with the model's channels and a label column.
        label_column: 0, false, normal or empty is normal; anything else is an anomaly.
        time_column: Column with the time; None looks for one.

    Raises:
        ModelError: If the model cannot be used.
        SeriesError: If the data cannot be used.
    """
    path = Path(path)
    metadata = read_extras(path)[0] if path.suffix == ".keras" else load_bundle(path).metadata
    if metadata is None:
        raise ModelError(f"{path.name} carries no edgelstm metadata. Train it with `edgelstm train`.")
    series = read_labelled(data, metadata, label_column, time_column)
    assert series.labels is not None
    detector, _ = load_detector(path, series)
    found = replay(detector, series.values, series.time)
    scheme = "keras" if path.suffix == ".keras" else metadata.scheme
    return measure(path.name, scheme, found, read_labels(series.labels), series.period)
