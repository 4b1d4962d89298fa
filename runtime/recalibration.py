"""A new alarm threshold on the device, from recent rows of normal operation; no TensorFlow, and a way back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .bundle import load_bundle
from .detector import Detector
from .errors import ModelError
from .sources import Sample
from .threshold import Threshold, fit_threshold

LEAST = 100  # scores; fewer say nothing about a rare one
FACTOR = 3.0  # a threshold that moves further than this says that the rows are not normal, or the model not fit
SECTION = "previous_threshold"


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


def recalibrate(path: Path | str, rows: Iterable[Sample], force: bool = False) -> Recalibration:
    """Set a model file's threshold from recent rows of normal operation; the old one is kept in the file.

    Args:
        path: The `.tflite` file, replaced whole.
        rows: Recent rows, in sensor units and time order.
        force: Take a threshold that is more than three times as high or as low, too.

    Raises:
        ModelError: If the rows give too few scores, or a threshold far from the old one.
        OutputError: If the file cannot be replaced.
    """
    bundle = load_bundle(path)
    old = bundle.metadata.threshold
    if old is None:
        raise ModelError(f"{bundle.origin} has no threshold to replace. Convert it with --calibration normal.csv.")
    detector = Detector.from_bundle(bundle)
    results = (detector.update(row.values, row.time) for row in rows)
    scores = [result.score for result in results if result.score is not None and result.status == "ok"]
    if len(scores) < LEAST:
        raise ModelError(f"A threshold needs at least {LEAST} scores; these rows give {len(scores)}. Give more rows.")
    new = fit_threshold(scores)
    if not force and not old.value / FACTOR <= new.value <= old.value * FACTOR:
        raise ModelError(
            f"The threshold would move from {old.value:.4g} to {new.value:.4g}: these rows are not normal operation, or "
            "the model no longer fits. Look at them with `edgelstm score`; --force takes it all the same."
        )
    sections = {**bundle.metadata.sections, SECTION: asdict(old)}
    changed = bundle.metadata.with_(threshold=new, sections=sections)
    type(bundle)(bundle.flatbuffer, changed, bundle.origin).save(path)
    above = [sum(score > threshold.value for score in scores) for threshold in (old, new)]
    return Recalibration(old.value, new.value, len(scores), *above)


def roll_back(path: Path | str) -> Recalibration:
    """Put the threshold before the last recalibration in force again.

    Raises:
        ModelError: If there was none.
    """
    bundle = load_bundle(path)
    sections = dict(bundle.metadata.sections)
    kept = sections.pop(SECTION, None)
    now = bundle.metadata.threshold
    if kept is None or now is None:
        raise ModelError(f"{bundle.origin} was never recalibrated: there is no older threshold to go back to.")
    try:
        old = Threshold(**kept)
    except TypeError as error:
        raise ModelError(f"{bundle.origin} keeps a damaged old threshold ({error}). Recalibrate it.") from error
    changed = bundle.metadata.with_(threshold=old, sections=sections)
    type(bundle)(bundle.flatbuffer, changed, bundle.origin).save(path)
    return Recalibration(now.value, old.value, 0, 0, 0)
