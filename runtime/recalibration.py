"""A new alarm threshold on the device, from recent rows of normal operation; no TensorFlow, and a way back."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .calibration import rule_of, setting_of
from .detector import Detector
from .drift.statistics import SECTION, Floats, fit_reference
from .errors import ModelError
from .model_file.bundle import load_bundle
from .model_file.metadata import Metadata
from .scoring.threshold import Rule, Threshold
from .scoring.threshold_rules import set_threshold
from .sources import Sample

MOST = 100_000  # newest rows that count; a year of them would not fit a small computer's memory
LEAST = 100  # scores; fewer say nothing about a rare one
FACTOR = 3.0  # a threshold that moves further than this says that the rows are not normal, or the model not fit
PREVIOUS = "previous"


@dataclass(frozen=True)
class Recalibration:
    """What a recalibration did."""

    before: float
    """Threshold that was in force."""
    after: float
    """Threshold that is in force now."""
    scores: int
    """Scores of normal operation it was set on, 0 for a roll-back."""
    alarms_before: int
    """How many of those scores were above the old threshold."""
    alarms_after: int
    """How many are above the new one."""

    def record(self) -> dict[str, Any]:
        """As plain JSON types."""
        return asdict(self)


def recalibrate(
    path: Path | str,
    rows: Iterable[Sample],
    force: bool = False,
    rule: Rule | None = None,
    labels: Iterable[bool] | None = None,
) -> Recalibration:
    """Set a model file's threshold, and what its drift is measured from, by recent rows of normal operation.

    The old ones are kept in the file.

    Args:
        path: The `.tflite` file, replaced whole.
        rows: Recent rows, in sensor units and time order.
        force: Take a threshold that is more than three times as high or as low, too.
        rule: How the threshold is set; None for the rule it was set by.
        labels: Whether each row is anomalous, for the rule that needs it.

    Raises:
        ConfigError: If the rule needs labels and there are none.
        ModelError: If the rows give too few scores, or a threshold far from the old one.
        OutputError: If the file cannot be replaced.
    """
    bundle = load_bundle(path)
    old = bundle.metadata.threshold
    if old is None:
        raise ModelError(f"{bundle.origin} has no threshold to replace. Convert it with --calibration normal.csv.")
    detector = Detector.from_bundle(bundle)
    scores, kept, truth = _scored(detector, rows, repeat(False) if labels is None else labels)
    if len(scores) < LEAST:
        raise ModelError(f"A threshold needs at least {LEAST} scores; these rows give {len(scores)}. Give more rows.")
    setting = replace(setting_of(bundle.metadata), labels=None if labels is None else truth)
    new = set_threshold(rule or rule_of(bundle.metadata), scores, setting)
    if not force and not old.value / FACTOR <= new.value <= old.value * FACTOR:
        raise ModelError(
            f"The threshold would move from {old.value:.4g} to {new.value:.4g}: these rows are not normal operation, or "
            "the model no longer fits. Look at them with `edgelstm score`; --force takes it all the same."
        )
    changed = bundle.metadata.with_(threshold=new, sections=_sections(bundle.metadata, old, new, scores, kept))
    type(bundle)(bundle.flatbuffer, changed, bundle.origin).save(path)
    above = [sum(score > threshold.value for score in scores) for threshold in (old, new)]
    return Recalibration(old.value, new.value, len(scores), *above)


def _scored(
    detector: Detector, rows: Iterable[Sample], labels: Iterable[bool]
) -> tuple[list[float], Floats, npt.NDArray[np.bool_]]:
    """The scores of all good rows, N of them, these rows scaled, shape (N, F), and their labels."""
    truth: deque[bool] = deque(maxlen=MOST)
    scores: deque[float] = deque(maxlen=MOST)
    kept: deque[list[float]] = deque(maxlen=MOST)
    for row, label in zip(rows, labels, strict=False):
        result = detector.update(row.values, row.time)
        if result.score is not None and result.status == "ok":
            scores.append(result.score)
            kept.append(row.values)
            truth.append(label)
    assert detector.metadata.scaler is not None
    scaled = detector.metadata.scaler.transform(
        np.asarray(kept, np.float64).reshape(len(kept), len(detector.metadata.channels))
    )
    return list(scores), scaled, np.asarray(truth, bool)


def _sections(metadata: Metadata, old: Threshold, new: Threshold, scores: list[float], rows: Floats) -> dict[str, Any]:
    usual = fit_reference([rows], [scores], new.value)
    sections = {**metadata.sections, PREVIOUS: {"threshold": asdict(old), SECTION: metadata.sections.get(SECTION)}}
    return {**sections, SECTION: asdict(usual)} if usual else sections


def roll_back(path: Path | str) -> Recalibration:
    """Put the threshold before the last recalibration in force again.

    Raises:
        ModelError: If there was none.
    """
    bundle = load_bundle(path)
    sections = dict(bundle.metadata.sections)
    kept = sections.pop(PREVIOUS, None)
    now = bundle.metadata.threshold
    if kept is None or now is None:
        raise ModelError(f"{bundle.origin} was never recalibrated: there is no older threshold to go back to.")
    try:
        old, usual = Threshold(**kept["threshold"]), kept[SECTION]
    except (TypeError, KeyError) as error:
        raise ModelError(f"{bundle.origin} keeps a damaged old threshold ({error}). Recalibrate it.") from error
    sections.pop(SECTION, None)
    changed = bundle.metadata.with_(threshold=old, sections={**sections, SECTION: usual} if usual else sections)
    type(bundle)(bundle.flatbuffer, changed, bundle.origin).save(path)
    return Recalibration(now.value, old.value, 0, 0, 0)
