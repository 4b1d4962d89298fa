"""The demo: from the embedded pump series to alarms, by the same functions that the commands call."""

import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from edgelstm import calibration_data
from edgelstm.runtime.alarms.events import Event
from edgelstm.runtime.io.atomic_files import write_atomic

from .alarm_page.recorder import Recorder
from .alarm_page.write import write_alarm_page
from .data.label_cells import read_labels
from .data.series import Series, read_series
from .deployment.convert import Converted, convert_file
from .evaluation.evaluate import Evaluation, load_detector, measure
from .evaluation.label_runs import ranges
from .evaluation.replaying import Replay, replay
from .plain_words import sentences
from .training.options import Options
from .training.train import train

NORMAL, FAULTY, PAGE = "pump_normal.csv", "pump_faults.csv", "alarms.html"
OPTIONS = Options()  # what `edgelstm train` does with no option


@dataclass(frozen=True)
class Alarm:
    """One alarm, held against the labels."""

    kind: str
    """anomaly, or sensor_fault where a sensor itself is to blame."""
    start: float
    """Second of the first sample above the threshold."""
    end: float
    """Second of the last one."""
    channels: tuple[str, ...]
    """Channels that caused it, strongest first."""
    fault: str
    """Labelled fault that it overlaps; empty for a false alarm."""
    delay: float | None
    """Seconds from the fault's first row to the alarm; None for a false alarm."""


@dataclass(frozen=True)
class Demo:
    """Results of the demo."""

    keras: Evaluation
    """The Keras model on the faulty series."""
    int8: Evaluation
    """The int8 TFLite model on the same rows."""
    converted: Converted
    """The conversion with its validation."""
    sentences: tuple[str, ...]
    """Smallest faults that the int8 model finds, in words."""
    alarms: tuple[Alarm, ...]
    """The int8 model's alarms, in order."""
    missed: tuple[str, ...]
    """Labelled faults without an alarm."""
    faults: int
    """Labelled faults."""
    drifts: int
    """Drift events beside the alarms: the baseline has moved, which no label covers."""
    agreement: float
    """Share of rows on which both models decide alike."""
    folder: Path
    """Folder of the files."""
    seconds: float
    """Time it took."""

    def record(self) -> dict[str, Any]:
        """As plain JSON types."""
        return {
            "keras": self.keras.record(),
            "int8": self.int8.record(),
            "conversion": self.converted.conversion.validation.record(),
            "sentences": list(self.sentences),
            "alarms": [asdict(alarm) for alarm in self.alarms],
            "missed": list(self.missed),
            "faults": self.faults,
            "drifts": self.drifts,
            "agreement": self.agreement,
            "folder": str(self.folder),
            "seconds": round(self.seconds, 1),
        }


def run_demo(
    folder: Path, seed: int = 0, callbacks: Iterable[Any] = (), tell: Callable[[str], None] = lambda _: None
) -> Demo:
    """Train on the normal series, convert to int8, and stream the faulty one.

    Args:
        folder: Where the files go; made when it is not there.
        seed: Of the training.
        callbacks: Keras callbacks, such as a progress display.
        tell: Called with the name of each step.
    """
    started = time.monotonic()
    for name in (NORMAL, FAULTY):
        calibration_data.write(name, folder)
    tell("training")
    trained = train(read_series([folder / NORMAL]), replace(OPTIONS, seed=seed), callbacks)
    if trained.interrupted:  # by Ctrl-C: nobody wants the rest of a demo
        raise KeyboardInterrupt
    trained.save(folder / "pump.keras")
    tell("converting")
    made = convert_file(folder / "pump.keras", ("int8", "float32"), tell=tell)
    for scheme, converted in made.items():
        converted.bundle.save(folder / f"pump.{scheme}.tflite")
    tell("streaming the faulty series")
    series = read_series([folder / FAULTY], label_column="fault", repair=False)
    keras = _judge(folder / "pump.keras", series)
    quantized = _judge(folder / "pump.int8.tflite", series, folder / PAGE)
    drifts = [event for event in quantized[0].events if event.kind == "drift"]
    alarms, missed, faults = compare([event for event in quantized[0].events if event.kind != "drift"], series)
    demo = Demo(
        keras[1], quantized[1], made["int8"], tuple(sentences(made["int8"].bundle.metadata)), alarms, missed, faults, len(drifts),
        agreement(keras[0], quantized[0]), folder, time.monotonic() - started,
    )  # fmt: skip
    _write(demo, keras[0], quantized[0], series)
    return demo


def _judge(path: Path, series: Series, page: Path | None = None) -> tuple[Replay, Evaluation]:
    """Replay and quality of a model, and the page of its alarms where it is wanted."""
    detector, metadata = load_detector(path, series)
    recorder = Recorder(detector) if page else None
    result = replay(detector, series.values, series.time, recorder)
    assert series.labels is not None
    if page is not None and recorder is not None:
        write_alarm_page(page, recorder, path.name, FAULTY, read_labels(series.labels))
    scheme = "keras" if path.suffix == ".keras" else metadata.scheme
    return result, measure(path.name, scheme, result, read_labels(series.labels), series.period)


def agreement(first: Replay, second: Replay) -> float:
    """Share of scored rows on which two models decide alike.

    Args:
        first: One model's replay.
        second: The other's, on the same rows.
    """
    scored = np.isfinite(first.scores) & np.isfinite(second.scores)
    return float(np.mean(first.flagged[scored] == second.flagged[scored]))


def compare(events: Sequence[Event], series: Series) -> tuple[tuple[Alarm, ...], tuple[str, ...], int]:
    """Hold alarms against labelled faults.

    Args:
        events: Closed events.
        series: With the fault's name as label.

    Returns:
        The alarms, the names of faults without one, and the number of labelled faults.
    """
    assert series.labels is not None
    faults = ranges(read_labels(series.labels))
    detected: set[int] = set()
    alarms = []
    for event in sorted(events, key=lambda event: event.start or 0.0):
        start, end = float(event.start or 0.0), float(event.end or 0.0)
        touched = [
            index
            for index, (first, last) in enumerate(faults)
            if series.time[first] <= end and series.time[last] >= start
        ]
        detected.update(touched)
        first = faults[touched[0]][0] if touched else None
        alarms.append(
            Alarm(
                event.kind,
                start,
                end,
                event.channels,
                "" if first is None else str(series.labels[first]),
                None if first is None else max(0.0, start - float(series.time[first])),
            )
        )
    missed = tuple(str(series.labels[first]) for index, (first, _) in enumerate(faults) if index not in detected)
    return tuple(alarms), missed, len(faults)


def _write(demo: Demo, keras: Replay, quantized: Replay, series: Series) -> None:
    """Scores, alarms, figures and the summary, beside the models."""
    folder = demo.folder
    lines = ["time,keras,int8,anomaly"]
    for row, second in enumerate(series.time):
        pair = ["" if np.isnan(result.scores[row]) else f"{result.scores[row]:.6g}" for result in (keras, quantized)]
        lines.append(f"{second:g},{pair[0]},{pair[1]},{int(quantized.flagged[row]) if pair[1] else ''}")
    write_atomic(folder / "scores.csv", ("\n".join(lines) + "\n").encode())
    events = "".join(json.dumps(event.record()) + "\n" for event in quantized.events)
    write_atomic(folder / "events.jsonl", events.encode())
    write_atomic(folder / "demo.json", json.dumps(demo.record(), indent=1).encode() + b"\n")
