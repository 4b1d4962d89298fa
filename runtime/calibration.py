"""Fit of score statistics and threshold on rows of normal operation, by the detector's own code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
import numpy.typing as npt

from .alarms.debounce import DebounceRules
from .drift.statistics import SECTION, fit_reference
from .error_stream import ErrorStream, open_stream
from .errors import ModelError
from .inference.engine import Engine, Predict
from .model_file.metadata import Metadata
from .scoring.registry import fit_scoring, score_class, scorer_of
from .scoring.scorer import Scoring
from .scoring.threshold import Rule, Setting, few_rows
from .scoring.threshold_rules import DAY, parse_rule, set_threshold

Doubles = npt.NDArray[np.float64]
Segments = Sequence[npt.NDArray[np.float32]]
LEAST = 20  # scores below which a quantile says nothing
DOUBTFUL = (
    1.5  # times as large as on known rows are errors on new ones, above which nothing is promised: 5 rows a value read
)
MOST = 20_000  # rows replayed: a quantile of 99.9 % needs no more, and a slow kernel takes 1 ms a row


def fit_detector(
    metadata: Metadata, predict: Predict | Engine, segments: Segments, rule: Rule | None = None
) -> Metadata:
    """Fit `scoring` and `threshold` on this very model's outputs for rows of normal operation.

    Args:
        metadata: The model's; a `scoring` in it keeps its method, rows and smoothing.
        predict: The model as the device runs it, scaled window to output.
        segments: Scaled rows of normal operation, each (T_i, F), contiguous and in time order; with the numbers of
            their calendar behind the channels where the model has one.
        rule: Threshold rule; None for the rule of the threshold in the metadata, or the default of the score.

    Returns:
        The metadata with scoring and threshold.

    Raises:
        ModelError: If the segments are too short for 20 scores.
    """
    stream = open_stream(metadata, predict)
    rows = newest_rows(segments)
    errors = [segment_errors(stream, part) for part in rows]
    count = sum(map(len, errors))
    if count < LEAST:
        raise ModelError(
            f"A threshold needs at least {LEAST} scores of normal operation; these rows give {count} "
            f"(window {metadata.window}). Pass more rows with --calibration."
        )
    scoring = fit_scoring(np.concatenate([part for part in errors if len(part)]), metadata.scoring or Scoring())
    scores = [segment_scores(scoring, part) for part in errors]
    threshold = set_threshold(rule or rule_of(metadata), np.concatenate(scores), setting_of(metadata))
    sensors = [part[:, : stream.channels] for part in rows]
    reference = fit_reference(sensors, scores, threshold.value)
    sections = {**metadata.sections, SECTION: asdict(reference)} if reference else metadata.sections
    return metadata.with_(scoring=scoring, threshold=threshold, sections=sections)


def rule_of(metadata: Metadata) -> Rule:
    """Return the rule by which a model's threshold was set, or the default rule of its score."""
    threshold = metadata.threshold
    if threshold is not None:
        return Rule(threshold.method, threshold.quantile or threshold.number or 0.0)
    return parse_rule(score_class((metadata.scoring or Scoring()).method).rule)


def promise_doubt(metadata: Metadata) -> str | None:
    """Return a sentence where a number of false alarms is promised on rows that cannot show it, else None.

    Args:
        metadata: With the threshold, and the seconds between rows; without time the promise is for 1000 rows.
    """
    threshold, inputs = metadata.threshold, setting_of(metadata).inputs
    if threshold is None or threshold.method != "alarms" or not threshold.number:
        return None
    if few_rows(threshold.samples, inputs) > DOUBTFUL:
        return (
            f"{threshold.samples} rows of normal operation are too few for a model that reads {inputs} values: errors on new "
            f"rows will be larger, and no number of false alarms can be promised. Give at least {5 * inputs} rows."
        )
    unit, rows = ("a day", DAY / metadata.period) if metadata.period else ("in 1000 rows", 1000.0)
    if threshold.number * threshold.samples / rows >= 1:
        return None
    shown = f"{threshold.samples / rows:.2g} days" if metadata.period else f"{threshold.samples} rows"
    needed = f"{1 / threshold.number:.2g} days of rows" if metadata.period else f"{rows / threshold.number:.0f} rows"
    return (
        f"{shown} of normal operation cannot show {threshold.number:g} false alarms {unit}: the threshold is "
        f"extrapolated. Give at least {needed} for a promise."
    )


def setting_of(metadata: Metadata) -> Setting:
    """Return what threshold rules need to know about a model."""
    rules = DebounceRules.of(metadata.sections.get("decision", {}))
    reads = metadata.scoring.reads if metadata.scoring else ()
    inputs = max(reads, default=0) or metadata.window * len(metadata.channels)
    return Setting(inputs, metadata.period, rules.cooldown, rules.minimum)


def segment_errors(stream: ErrorStream, segment: npt.NDArray[np.float32]) -> Doubles:
    """Return the errors of consecutive scaled samples from a fresh start, without those of the warm-up.

    Args:
        stream: The model.
        segment: Scaled samples, shape (T, F), with the numbers of their calendar behind the channels.

    Returns:
        Errors, shape (N, F).
    """
    stream.clear()
    stream.engine.expect(np.asarray(segment, np.float32))
    count = stream.channels
    errors = (stream.push(row[:count], row[count:]) for row in np.asarray(segment, np.float64).tolist())
    return np.asarray([list(error) for error in errors if error is not None], np.float64)


def segment_scores(scoring: Scoring, errors: Doubles) -> Doubles:
    """Return the scores of consecutive samples.

    Args:
        scoring: A fitted scoring.
        errors: Errors of the samples, shape (N, F), scaled units.

    Returns:
        Scores, shape (N,).
    """
    scorer = scorer_of(scoring)
    return np.asarray([scorer.update(error)[0] for error in errors.tolist()])


def newest_rows(segments: Segments, most: int = MOST) -> Segments:
    """Return the last rows of the segments: the newest say most about what comes next.

    Args:
        segments: Rows in time order, each (T_i, F).
        most: Number of rows in all.

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
