"""Fitting score statistics and threshold of a model on normal data, by the detector's own code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
import numpy.typing as npt

from .alarms.debounce import Decision
from .detector import Detector
from .drift.statistics import SECTION, fit_reference
from .errors import ModelError
from .inference.engine import Engine, Predict
from .model_file.metadata import Metadata
from .model_file.scaler import Scaler
from .scoring.ewma import fit_style, scorer_of
from .scoring.scorers import Scoring
from .scoring.threshold_rules import Rule, Setting, parse_rule, set_threshold

Doubles = npt.NDArray[np.float64]
Segments = Sequence[npt.NDArray[np.float32]]
LEAST = 20  # scores below which a quantile says nothing
MOST = 20_000  # rows replayed: a quantile of 99.9 % needs no more, and a slow kernel takes 1 ms a row


def fit_detector(
    metadata: Metadata, predict: Predict | Engine, segments: Segments, rule: Rule | None = None
) -> Metadata:
    """Fit `scoring` and `threshold` on this very model's outputs for rows of normal operation.

    Args:
        metadata: The model's; a `scoring` that is there keeps its method, rows and smoothing.
        predict: The model as the device runs it, scaled window to output.
        segments: Scaled rows of normal operation, each (T_i, F), contiguous and in time order.
        rule: How the threshold is set; None for that of the threshold that is there, or the score's usual one.

    Returns:
        The metadata with scoring and threshold.

    Raises:
        ModelError: If the segments are too short to give 20 scores.
    """
    style = metadata.scoring or Scoring()
    channels = len(metadata.channels)
    blank = Scoring(rows=style.rows, center=(0.0,) * channels, scale=(1.0,) * channels)
    unscaled = Scaler("none", (0.0,) * channels, (1.0,) * channels)
    replay = Detector(metadata.with_(scaler=unscaled, scoring=blank), predict)
    rows = newest_rows(segments)
    errors = [segment_errors(replay, part) for part in rows]
    count = sum(map(len, errors))
    if count < LEAST:
        raise ModelError(
            f"A threshold needs at least {LEAST} scores of normal operation; these rows give {count} "
            f"(window {metadata.window}). Give more rows with --calibration."
        )
    found = np.concatenate([part for part in errors if len(part)])
    scoring = fit_style(found, style)
    scores = [segment_scores(scoring, part) for part in errors]
    threshold = set_threshold(rule or rule_of(metadata), np.concatenate(scores), setting_of(metadata))
    usual = fit_reference(rows, scores, threshold.value)
    sections = {**metadata.sections, SECTION: asdict(usual)} if usual else metadata.sections
    return metadata.with_(scoring=scoring, threshold=threshold, sections=sections)


def rule_of(metadata: Metadata) -> Rule:
    """The rule that a model's threshold was set by, or the usual one of its score."""
    said = metadata.threshold
    if said is not None:
        return Rule(said.method, said.quantile or said.number or 0.0)
    dual = metadata.scoring is not None and metadata.scoring.method == "dual"
    return parse_rule("deviations" if dual else "quantile")


def setting_of(metadata: Metadata) -> Setting:
    """What threshold rules ask of a model."""
    decision = Decision.of(metadata.sections.get("decision", {}))
    return Setting(metadata.window * len(metadata.channels), metadata.period, decision.cooldown)


def segment_errors(detector: Detector, segment: npt.NDArray[np.float32]) -> Doubles:
    """Signed errors a channel of each sample that could be scored, shape (N, F), from a fresh start."""
    detector.reset()
    found = (detector.error(row) for row in np.asarray(segment, np.float64).tolist())
    return np.asarray([list(error) for error in found if error is not None], np.float64)


def segment_scores(scoring: Scoring, errors: Doubles) -> Doubles:
    """Scores of consecutive samples' errors (N, F), shape (N,)."""
    scorer = scorer_of(scoring)
    return np.asarray([scorer.update(error)[0] for error in errors.tolist()])


def newest_rows(segments: Segments, most: int = MOST) -> Segments:
    """The last rows of the segments, `most` in all: the newest say most about what comes next.

    >>> [len(part) for part in newest_rows([np.zeros((5, 1)), np.zeros((4, 1))], most=6)]
    [2, 4]
    """
    kept: list[npt.NDArray[np.float32]] = []
    for segment in reversed(segments):
        if most <= 0:
            break
        kept.append(segment[-most:])
        most -= len(kept[-1])
    return kept[::-1]
