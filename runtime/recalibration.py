"""A new alarm threshold on the device, from recent rows of normal operation; no TensorFlow, and a way back."""

from __future__ import annotations

import logging
import math
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .alarms.answers import Answer
from .alarms.debounce import Debounce
from .alarms.events import TAUGHT, Event
from .alarms.shape import AlarmShape, harmless_of
from .calibration import rule_of, setting_of
from .detector import Detector
from .drift.statistics import SECTION, Floats, fit_reference
from .errors import ConfigError, ModelError
from .feedback import Feedback, Raised, learn
from .input.unscored_warning import coverage_warning
from .model_file.bundle import Bundle, load_bundle
from .model_file.metadata import Channel, Metadata
from .read_ahead import read_ahead
from .scoring.threshold import Rule, Threshold
from .scoring.threshold_rules import RULES, set_threshold
from .sources import Sample

log = logging.getLogger("edgelstm")
MOST = 100_000  # newest rows that count; a year of them would not fit a small computer's memory
LEAST = 100  # scores; fewer say nothing about a rare one
FACTOR = 3.0  # a threshold that moves further than this says that the rows are not normal, or the model not fit
ODD = 0.005  # share of rows at each end that do not count as values of training: one wild reading opens no range
PREVIOUS = "previous"


@dataclass(frozen=True)
class Recalibration:
    """Result of a recalibration or a roll-back."""

    before: float
    """Threshold that was in force."""
    after: float
    """Threshold that is in force now."""
    scores: int
    """Scores it was set on, 0 for a roll-back."""
    alarms_before: int
    """Number of those scores above the old threshold."""
    alarms_after: int
    """Number of them above the new one."""
    left_out: int = 0
    """Scores of rows that are labelled as anomalous, left out."""
    feedback: Feedback | None = None
    """Effect of answers to alarms, where they were given."""
    harmless: int = 0
    """Shapes of harmless alarms that the model knows then."""

    def record(self) -> dict[str, Any]:
        """Return the result as plain JSON types."""
        return asdict(self)


@dataclass
class _Replay:
    """Scores of the newest good rows, N of them."""

    scores: deque[float] = field(default_factory=lambda: deque(maxlen=MOST))
    rows: deque[list[float]] = field(default_factory=lambda: deque(maxlen=MOST))
    labels: deque[bool] = field(default_factory=lambda: deque(maxlen=MOST))
    moments: deque[float] = field(default_factory=lambda: deque(maxlen=MOST))
    statuses: Counter[str] = field(default_factory=Counter)
    alarms: list[Raised] = field(default_factory=list)
    _shape: AlarmShape | None = None

    def follow(self, debounce: Debounce, events: Iterable[Event]) -> None:
        """Keep the shape of the open alarm, and the alarm when it closes."""
        for event in events:
            if event.kind == "anomaly" and event.state == "closed" and self._shape is not None:
                assert event.start is not None
                assert event.end is not None
                self.alarms.append(Raised(event.start, event.end, self._shape))
        self._shape = debounce.shape

    def normal(self) -> tuple[list[float], list[list[float]]]:
        """Return scores and rows that are not labelled as anomalous."""
        kept = [place for place, label in enumerate(self.labels) if not label]
        scores, rows = list(self.scores), list(self.rows)
        return [scores[place] for place in kept], [rows[place] for place in kept]


def recalibrate(
    path: Path | str,
    rows: Iterable[Sample],
    force: bool = False,
    rule: Rule | None = None,
    labels: Iterable[bool] | None = None,
) -> Recalibration:
    """Set a model file's threshold, and the reference of its drift, by recent rows of normal operation.

    Values of these rows count as values of training from then on. The old threshold, reference and values are kept in the
    file. Where most rows get no score, a warning with the likely reason is logged.

    Args:
        path: The `.tflite` file, replaced whole.
        rows: Recent rows, in sensor units and time order.
        force: Take a threshold that is more than three times as high or as low, too.
        rule: Threshold rule; None for the rule by which the old one was set.
        labels: Whether each row is anomalous: a rule by labels is set on all rows, the others on those that are not.

    Raises:
        ConfigError: If the rule needs labels and there are none.
        ModelError: If the rows give too few scores, or a threshold far from the old one.
        OutputError: If the file cannot be replaced.
    """
    bundle = load_bundle(path)
    metadata, old = bundle.metadata, bundle.metadata.threshold
    if old is None:
        raise ModelError(f"{bundle.origin} has no threshold to replace. Convert it with --calibration normal.csv.")
    rule = rule or rule_of(metadata)
    if labels is None and rule.name in RULES and RULES[rule.name].labelled:
        raise ConfigError(f"The rule {rule.name} needs labelled rows. Name their column with --label-column.")
    detector = Detector.from_bundle(bundle)
    detector.alarms.beyond = None  # these rows are normal operation wherever they are
    replay = _replay(detector, rows, repeat(False) if labels is None else labels)
    scores, good = replay.normal()
    warning = coverage_warning(metadata, len(replay.scores), replay.statuses)
    if len(scores) < LEAST:
        reason = warning or "Pass more rows."
        raise ModelError(f"A threshold needs at least {LEAST} scores; these rows give {len(scores)}. {reason}")
    if warning:
        log.warning("%s", warning)
    by_labels = rule.name in RULES and RULES[rule.name].labelled
    used = list(replay.scores) if by_labels else scores
    setting = replace(setting_of(metadata), labels=np.asarray(replay.labels, bool) if by_labels else None)
    new = set_threshold(rule, used, setting)
    _refuse_far(old, new, force)
    sections = _sections(metadata, old, new, scores, _scaled(metadata, good))
    changed = metadata.with_(threshold=new, sections=sections, channels=_widened(metadata, good))
    type(bundle)(bundle.flatbuffer, changed, bundle.origin).save(path)
    before, after = (sum(score > threshold.value for score in used) for threshold in (old, new))
    return Recalibration(old.value, new.value, len(used), before, after, len(replay.scores) - len(used))


def recalibrate_by_answers(path: Path | str, rows: Iterable[Sample], answers: Sequence[Answer]) -> Recalibration:
    """Teach a model file which alarms are harmless, so that what looks like one called false raises none.

    The threshold stays. Values of the alarms that were called a new normal count as values of training from then on.

    Args:
        path: The `.tflite` file, replaced whole.
        rows: Recorded rows that hold the alarms, in sensor units and time order.
        answers: Answers to alarms.

    Raises:
        ModelError: If the rows hold none of the alarms.
        OutputError: If the file cannot be replaced.
    """
    bundle = load_bundle(path)
    metadata, threshold = bundle.metadata, bundle.metadata.threshold
    if threshold is None:
        raise ModelError(
            f"{bundle.origin} has no threshold, so it raises no alarms. Convert it with --calibration normal.csv."
        )
    replay = _replay(Detector.from_bundle(_untaught(bundle)), rows, repeat(False))
    harmless, feedback = learn(replay.alarms, answers, harmless_of(metadata.sections, len(metadata.channels)))
    if not feedback.false + feedback.real:
        raise ModelError(
            f"None of the {len(answers)} answered alarms lies in these {len(replay.scores)} scored rows. Give the rows that the "
            "alarms came from, with their times."
        )
    normal = [
        row
        for row, moment in zip(replay.rows, replay.moments, strict=True)
        if any(one.answer == "normal" and one.start <= moment <= (one.end or math.inf) for one in answers)
    ]
    taught = {"harmless": [shape.record() for shape in harmless], **feedback.record()}
    sections = {**metadata.sections, PREVIOUS: _previous(metadata, threshold), TAUGHT: taught}
    changed = metadata.with_(sections=sections, channels=_widened(metadata, normal))
    type(bundle)(bundle.flatbuffer, changed, bundle.origin).save(path)
    above = sum(score > threshold.value for score in replay.scores)
    return Recalibration(
        threshold.value, threshold.value, len(replay.scores), above, above, feedback=feedback, harmless=len(harmless)
    )


def _untaught(bundle: Bundle) -> Bundle:
    """Return a model as it is without what answers have taught it."""
    metadata = bundle.metadata
    sections = {name: section for name, section in metadata.sections.items() if name != TAUGHT}
    return replace(bundle, metadata=metadata.with_(sections=sections))


def _widened(metadata: Metadata, rows: Sequence[list[float]]) -> tuple[Channel, ...]:
    """Return the channels with the values of further normal rows as values of training; one row in 200 may be odd on each side."""
    if not rows:
        return metadata.channels
    ends = np.quantile(np.asarray(rows, np.float64), [ODD, 1.0 - ODD], axis=0).T.tolist()
    channels = []
    for channel, values in zip(metadata.channels, ends, strict=True):
        known = [value for value in (*values, channel.train_low, channel.train_high) if value is not None]
        channels.append(replace(channel, train_low=min(known), train_high=max(known)))
    return tuple(channels)


def _refuse_far(old: Threshold, new: Threshold, force: bool) -> None:
    if not force and not old.value / FACTOR <= new.value <= old.value * FACTOR:
        raise ModelError(
            f"The threshold would move from {old.value:.4g} to {new.value:.4g}: these rows are not normal operation, or "
            "the model no longer fits. Look at them with `edgelstm score`; --force takes it all the same."
        )


def _replay(detector: Detector, rows: Iterable[Sample], labels: Iterable[bool]) -> _Replay:
    replay, debounce = _Replay(), detector.alarms.debounce
    for row, label in zip(read_ahead(rows, detector), labels, strict=False):
        result = detector.update(row.values, row.time)
        replay.statuses[result.status] += 1
        if result.score is not None and result.status == "ok":
            replay.scores.append(result.score)
            replay.rows.append(row.values)
            replay.labels.append(label)
            replay.moments.append(float(row.row) if row.time is None else row.time)
        replay.follow(debounce, result.events)
    replay.follow(debounce, detector.finish())
    return replay


def _scaled(metadata: Metadata, rows: list[list[float]]) -> Floats:
    assert metadata.scaler is not None
    values: npt.NDArray[np.float64] = np.asarray(rows, np.float64).reshape(len(rows), len(metadata.channels))
    return metadata.scaler.transform(values)


def _sections(metadata: Metadata, old: Threshold, new: Threshold, scores: list[float], rows: Floats) -> dict[str, Any]:
    reference = fit_reference([rows], [scores], new.value)
    sections = {**metadata.sections, PREVIOUS: _previous(metadata, old)}
    return {**sections, SECTION: asdict(reference)} if reference else sections


def _previous(metadata: Metadata, old: Threshold) -> dict[str, Any]:
    ranges = [[channel.train_low, channel.train_high] for channel in metadata.channels]
    kept = {name: metadata.sections.get(name) for name in (SECTION, TAUGHT)}
    return {"threshold": asdict(old), "ranges": ranges, **kept}


def _with_ranges(channels: Sequence[Channel], ranges: Sequence[Sequence[float | None]]) -> tuple[Channel, ...]:
    """Return channels with earlier values of training; as they are where a file keeps none."""
    pairs = zip(channels, ranges, strict=True) if ranges else ()
    return tuple(replace(channel, train_low=low, train_high=high) for channel, (low, high) in pairs) or tuple(channels)


def roll_back(path: Path | str) -> Recalibration:
    """Put the threshold before the last recalibration in force again.

    Raises:
        ModelError: If there is none.
    """
    bundle = load_bundle(path)
    sections = dict(bundle.metadata.sections)
    kept = sections.pop(PREVIOUS, None)
    now = bundle.metadata.threshold
    if kept is None or now is None:
        raise ModelError(
            f"{bundle.origin} keeps no older threshold: it was not recalibrated since it was converted or last rolled "
            "back. Convert it again for its first threshold, or recalibrate it."
        )
    try:
        old, before = Threshold(**kept["threshold"]), {name: kept.get(name) for name in (SECTION, TAUGHT)}
        channels = _with_ranges(bundle.metadata.channels, kept.get("ranges", ()))
    except (TypeError, KeyError, ValueError) as error:
        raise ModelError(f"{bundle.origin} keeps a damaged old threshold ({error}). Recalibrate it.") from error
    sections = {name: section for name, section in sections.items() if name not in before}
    changed = bundle.metadata.with_(
        threshold=old,
        channels=channels,
        sections=sections | {name: section for name, section in before.items() if section},
    )
    type(bundle)(bundle.flatbuffer, changed, bundle.origin).save(path)
    known = harmless_of(changed.sections, len(changed.channels))
    return Recalibration(now.value, old.value, 0, 0, 0, harmless=len(known))
