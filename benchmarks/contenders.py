"""Contenders of the detection benchmark: our model in Keras and in int8, LSTMAD, and the usual baselines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
import numpy as np
from baselines import BASELINES, Doubles, run
from edgelstm.runtime.alarms.debounce import Debounce
from edgelstm.runtime.detector import Detector
from edgelstm.runtime.inference.engine import TFLiteEngine
from edgelstm.runtime.inference.interpreter import TFLiteModel
from edgelstm.runtime.model_file.bundle import Bundle, load_bundle
from edgelstm.runtime.scoring.scorer import Scoring
from edgelstm.runtime.scoring.threshold_rules import parse_rule, set_threshold
from protocols import Case

KERAS, INT8, LSTMAD = "edgelstm Keras", "edgelstm int8", "LSTMAD"
SILENCED = "edgelstm Keras, recurrent layers silenced"
LSTMAD_UNITS = (20, 20)
LAST: dict[tuple[bytes, int], tuple[Any, Bundle]] = {}  # the newest training


@dataclass(frozen=True)
class Found:
    """Answers of one method on one case."""

    case: Case
    """The rows and labels."""
    scores: Doubles
    """Score of each test row, NaN where there is none."""
    flags: Any
    """True for each test row above the threshold."""
    alarms: tuple[tuple[int, int], ...]
    """First and last row of each alarm."""
    threshold: float
    """Threshold on the score."""
    size: int | None = None
    """Bytes of the model file."""
    hits: tuple[int, int] = (0, 0)
    """Anomalies with a known cause among the three channels of the largest contribution, and all whose cause is known."""


def peers(case: Case, seed: int, _: Path) -> dict[str, Found]:
    """Every method that is not ours, on one case."""
    return {name: by_threshold(case, *run(method, case.train, case.test, seed)) for name, method in BASELINES.items()}


def by_threshold(case: Case, train_scores: Doubles, scores: Doubles) -> Found:
    """Judge a baseline's scores by the quantile rule and the product's de-bounce."""
    limit = set_threshold(parse_rule("quantile"), train_scores).value
    return Found(case, scores, np.nan_to_num(scores) > limit, alarms_of(scores, limit), limit)


def alarms_of(scores: Doubles, limit: float, debounce: Debounce | None = None) -> tuple[tuple[int, int], ...]:
    """First and last row of each alarm that scores give at a threshold."""
    debounce = debounce or Debounce(("all",))
    closed = [debounce.update(row, None, score, limit, (1.0,)) for row, score in enumerate(np.nan_to_num(scores))]
    events = [event for event in [*closed, *debounce.finish()] if event and event.state == "closed"]
    return tuple((int(event.start or 0), int(event.end or 0)) for event in events)


def trained(case: Case, seed: int, plain: bool) -> Any:
    """Train as `edgelstm train` does with no option on the case's training rows; `plain` is LSTMAD's stack instead."""
    import keras

    from edgelstm.training.architectures import Architecture
    from edgelstm.training.train import Options, train

    keras.backend.clear_session()
    architecture = Architecture(units=LSTMAD_UNITS, linear=False) if plain else Architecture()
    return train(case.series(), Options(architecture, seed=seed, limits=False))


def judged(case: Case, detector: Detector, size: int | None = None) -> Found:
    """A detector's own scores, threshold and alarms on the test rows."""
    from edgelstm.evaluation.replaying import replay

    found = replay(detector, case.test, np.arange(float(len(case.test))) * (case.period or 1.0))
    hits = hits_at_three(case, detector) if case.causes else (0, 0)
    return Found(case, found.scores, found.flagged, found.alarms, found.threshold or np.inf, size, hits)


def hits_at_three(case: Case, detector: Detector) -> tuple[int, int]:
    """Count anomalies whose three largest contributions, at the row of the highest score, hold a known cause."""
    detector.reset()
    results = [detector.update(row) for row in case.test.tolist()]
    hits = 0
    for first, last, channels in case.causes:
        peak = max(results[first : last + 1], key=lambda result: result.score or 0.0)
        parts = np.abs(peak.contribution if peak.contribution is not None else ())
        hits += bool(set(np.argsort(-parts)[:3].tolist()) & set(channels))
    return hits, len(case.causes)


def ours(case: Case, seed: int, path: Path) -> dict[str, Found]:
    """Train, convert, replay both through the runtime's own code; a case that cannot be trained on stays silent.

    Args:
        case: The rows.
        seed: Of the training.
        path: Where the trained model is kept; where it is there, from an earlier run, only the decision is fitted anew.
    """
    from edgelstm.runtime.calibration import fit_detector
    from edgelstm.runtime.errors import EdgelstmError

    from edgelstm.evaluation.batched_predict import batched_predict

    try:
        made, small = made_of(case, seed, path)
        scaled = made.metadata.scaler.transform(case.test)
        normal = made.representative.normal
        predict = batched_predict(made.model, made.metadata, [*normal, scaled])
        metadata = fit_detector(made.metadata.with_(threshold=None), predict, normal)
        found = {KERAS: judged(case, Detector(metadata, predict))}
        silent = metadata.with_(scoring=silenced(metadata.scoring), threshold=None)
        found[SILENCED] = judged(case, Detector(fit_detector(silent, predict, normal), predict))
        return found | {INT8: judged(case, Detector.from_bundle(small), len(small.to_bytes()))}
    except EdgelstmError as error:
        click.echo(f"{case.name}: {error}", err=True)
        blank = Found(case, np.zeros(len(case.test)), np.zeros(len(case.test), bool), (), np.inf)
        return {KERAS: blank, SILENCED: blank, INT8: blank}


def made_of(case: Case, seed: int, path: Path) -> tuple[Any, Bundle]:
    """Return the trained model and its int8 file; files that share their training rows share both."""
    from edgelstm.deployment.convert import convert_file
    from edgelstm.training.trained import Trained

    key, small = (case.train.tobytes(), seed), path.with_suffix(".int8.tflite")
    if key not in LAST:
        LAST.clear()
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            trained(case, seed, plain=False).save(path)
        if not small.exists():
            convert_file(path, ("int8",), allow_drop=True, apart=False)["int8"].bundle.save(small)
        made = Trained.load(path)
        LAST[key] = made, refitted(load_bundle(small), made.representative)
    return LAST[key]


def refitted(bundle: Bundle, representative: Any) -> Bundle:
    """Return the file with score and threshold fitted anew, as a conversion does."""
    from edgelstm.runtime.calibration import fit_detector

    metadata = bundle.metadata.with_(threshold=None)
    engine = TFLiteEngine(TFLiteModel(bundle.flatbuffer))
    return replace(bundle, metadata=fit_detector(metadata, engine, representative.normal))


def silenced(scoring: Scoring) -> Scoring:
    """Return the score in which only the linear forecast speaks."""
    reads = (scoring.reads[0],) * 2 if scoring.reads else ()
    return replace(scoring, trusted=0, reads=reads)


def lstmad(case: Case, seed: int, _: Path) -> dict[str, Found]:
    """A stacked LSTM forecaster (Malhotra et al. 2015), scored by single errors, its threshold by the quantile rule."""
    from edgelstm.runtime.calibration import fit_detector

    from edgelstm.evaluation.batched_predict import batched_predict

    made = trained(case, seed, plain=True)
    scaler = made.metadata.scaler
    segments = made.representative.normal
    predict = batched_predict(made.model, made.metadata, [*segments, scaler.transform(case.test)])
    metadata = fit_detector(made.metadata.with_(scoring=Scoring("mean"), threshold=None), predict, segments)
    return {LSTMAD: judged(case, Detector(metadata, predict))}


GROUPS: dict[str, Callable[[Case, int, Path], dict[str, Found]]] = {"peers": peers, "ours": ours, "lstmad": lstmad}
