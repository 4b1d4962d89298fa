"""The forecasts of a model, each by itself and both together, compared on injected faults: no labels are needed.

A user who reads that the linear forecast alone finds as much may take the smaller model. The comparison does not choose: held
against labels, a choice by injected faults was worse than both forecasts together (docs/benchmarks.md, what was tried).
Unsupervised model selection by injected anomalies: Goswami et al., ICLR 2023.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from edgelstm.runtime.calibration import newest_rows, rule_of, segment_scores, setting_of
from edgelstm.runtime.model_file.metadata import Metadata
from edgelstm.runtime.scoring.registry import fit_scoring, style_of
from edgelstm.runtime.scoring.scorer import Scoring
from edgelstm.runtime.scoring.threshold_rules import set_threshold

from .injected_faults import FAULTS, ROWS, injected_fault
from .trial import CALM, Floats, Watch, errors_of, places_of

Doubles = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
LINEAR, RECURRENT, BOTH = "linear", "recurrent", "both"
NORMAL = 4096  # newest rows that scores and thresholds are fitted on
PLACES, LEAST = 12, 5  # places that each fault is injected at, and at least
SIZES = (1.0, 2.0, 4.0)  # deviations of the channel
SURE = 1.64  # deviations of a difference by chance: one in twenty on one side


@dataclass(frozen=True)
class Candidate:
    """Alarms of one way to listen to a model."""

    name: str
    """linear, recurrent or both."""
    shares: dict[str, float]
    """Share of the faults of each kind that raise an alarm."""
    total: float
    """Share of all of them."""
    false: float
    """Share of the places that raise an alarm without a fault."""


@dataclass(frozen=True)
class Candidates:
    """Ways to listen to a model with two forecasts, compared on the same faults."""

    taken: str
    """Name of the one that the model uses."""
    faults: int
    """Number of faults."""
    candidates: tuple[Candidate, ...]
    """All of them."""
    linear_is_as_good: bool
    """True where both find no more than the linear one does, but for chance."""


def compare_candidates(model: Any, metadata: Metadata, normal: Sequence[Floats]) -> Candidates | None:
    """Compare the linear forecast, the recurrent one and both.

    Args:
        model: The Keras model.
        metadata: Its metadata with scoring and threshold.
        normal: Scaled rows of normal operation in time order, each (T_i, F), or wider with a calendar.

    Returns:
        The comparison; None for a model without two forecasts, or where rows are too few for five places.
    """
    scoring, window = metadata.scoring, metadata.window
    if scoring is None or scoring.witnesses == 1 or not scoring.reads or metadata.threshold is None:
        return None
    places = places_of(normal, window + CALM + ROWS, PLACES)
    if len(places) < LEAST:
        return None
    kept = [part for part in newest_rows(normal, NORMAL) if len(part) > window]
    known = np.concatenate([errors_of(model, metadata, part[None], len(part) - window)[0] for part in kept])
    deviations = np.concatenate(kept).std(axis=0)
    kinds, faulty = zip(*faulty_places(places, deviations[: len(metadata.channels)]), strict=True)
    blank, stretches = (errors_of(model, metadata, np.stack(rows)) for rows in (places, faulty))
    alarms, candidates = {}, []
    for name, style, columns in _styles(metadata, scoring):
        watch = _watch(metadata, style, known[:, columns])
        false = _alarms(watch, blank[..., columns], places)
        alarms[name] = _alarms(watch, stretches[..., columns], faulty)
        candidates.append(_candidate(name, alarms[name], np.asarray(kinds), float(false.mean())))
    taken = BOTH if scoring.trusted else LINEAR
    return Candidates(taken, len(faulty), tuple(candidates), _as_good(alarms[LINEAR], alarms[BOTH]))


def faulty_places(places: Sequence[Floats], deviations: Floats) -> Iterator[tuple[str, Floats]]:
    """Yield kinds and stretches with a fault: each kind and size at each place, in a channel that is drawn anew each time.

    Args:
        places: Stretches of scaled rows, each (T, F).
        deviations: Of each channel, shape (F,), scaled units.
    """
    random = np.random.default_rng(0)
    moving = np.flatnonzero(deviations > 0)
    drawn = moving if len(moving) else np.arange(len(deviations))
    for at, place in enumerate(places):
        for kind, fault in FAULTS.items():
            for size in SIZES if fault.sized else (0.0,):
                channel, seed = int(random.choice(drawn)), int(random.integers(2**31))
                signed = size * float(deviations[channel]) * (-1) ** at
                yield kind, injected_fault(place, kind, channel, signed, seed)


def _styles(metadata: Metadata, scoring: Scoring) -> Iterator[tuple[str, Scoring, slice]]:
    """Yield name, score and columns of the errors of each candidate."""
    channels = len(metadata.channels)
    near, far = scoring.reads[0], metadata.window * channels + metadata.width - channels
    style = style_of("witnesses")
    yield LINEAR, replace(style, reads=(near, near)), slice(0, channels)
    yield RECURRENT, replace(style, reads=(far, far)), slice(channels, None)
    yield BOTH, replace(style, witnesses=2, trusted=1, reads=(near, far)), slice(None)


def _watch(metadata: Metadata, style: Scoring, errors: Doubles) -> Watch:
    """Return a watch whose score and threshold are fitted on errors of normal operation."""
    scoring = fit_scoring(errors, style)
    blank = metadata.with_(scoring=scoring)
    threshold = set_threshold(rule_of(metadata), segment_scores(scoring, errors), setting_of(blank))
    return Watch(blank.with_(threshold=threshold))


def _alarms(watch: Watch, errors: Doubles, stretches: Sequence[Floats]) -> Flags:
    return np.array([watch.delay(one, stretch) is not None for one, stretch in zip(errors, stretches, strict=True)])


def _candidate(name: str, alarms: Flags, kinds: npt.NDArray[np.str_], false: float) -> Candidate:
    return Candidate(name, {kind: float(alarms[kinds == kind].mean()) for kind in FAULTS}, float(alarms.mean()), false)


def _as_good(linear: Flags, both: Flags) -> bool:
    """Tell whether both find no more than the linear one, but for chance: McNemar's test on the faults that one of them finds."""
    more, less = int((both & ~linear).sum()), int((linear & ~both).sum())
    return more - less <= SURE * math.sqrt(more + less)
