"""Look-backs compared on injected faults: models with half, once and twice the look-back that the data suggest.

Over nine corpora a choice by these faults ranked within .003 of the usual look-back, or better; a choice among kinds of models was
worse, as injected faults flatter autoencoders (docs/benchmarks.md, a model for each file). So kinds are not candidates.
Unsupervised model selection by injected anomalies: Goswami et al., ICLR 2023.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from edgelstm.runtime.errors import TrainingError
from edgelstm.runtime.model_file.scaler import Scaler

from ..data.series import Series
from .candidates import LEAST, PLACES, faulty_places
from .injected_faults import ROWS
from .options import Options
from .shared_trace import shared_predictor
from .trial import CALM, Floats, Trial, places_of

if TYPE_CHECKING:
    from .trained import Trained

SHORTEST = 4  # rows of a look-back that is tried
BLANKS = 60  # places without a fault, at most
Train = Callable[..., "Trained"]
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Tried:
    """Alarms of a model with one look-back."""

    rows: int
    """Its look-back."""
    faults: int
    """Number of injected faults."""
    detected: float
    """Share of them that raise an alarm."""
    false: float
    """Share of places without a fault that do."""

    def __str__(self) -> str:
        return f"{self.rows} rows find {self.detected:.0%} ({self.false:.0%} false alarms)"


def train_best(train: Train, series: Series, options: Options, callbacks: Iterable[Any], tell: Tell) -> Trained:
    """Train with half, once and twice the look-back that the data suggest, and take the model that finds most injected faults.

    Args:
        train: Trains a model of one look-back: rows, settings, callbacks, and a function that is told sentences.
        series: Rows of normal operation.
        options: Settings; their look-back is not used.
        callbacks: Keras callbacks, for each training.
        tell: Called with sentences for the user.

    Returns:
        The model with the largest share of faults found, less its share of false alarms; of equals the one of the usual look-back.
        After an interruption no further one is trained, and one whose training was cut short is taken only where it is the first.
    """
    first, *later = itertools.tee(callbacks, 3)  # a callback is made once, when the first training asks for it
    begun = replace(options, lookback=None)
    usual = train(series, begun, first, tell)
    if usual.interrupted:
        tell("Interrupted: look-backs are not compared, the usual one is taken.")
        return usual
    if not _places(usual, 2 * usual.metadata.window):
        tell("The rows are too few to compare look-backs on injected faults: the usual one is taken.")
        return usual
    others = list(_others(train, series, begun, usual.metadata.window, later, tell))
    interrupted = any(
        one.interrupted for one, _ in others
    )  # the command ends with its own exit code then, whichever is taken
    compared: list[tuple[Trained, list[str]]] = [
        (usual, []),
        *((one, notes) for one, notes in others if not one.interrupted),
    ]
    if len(compared) == 1:
        return replace(usual, interrupted=interrupted)
    tried = compare_lookbacks([one for one, _ in compared])
    best = max(range(len(tried)), key=lambda at: (tried[at].detected - tried[at].false, at == 0))
    tell(
        f"Look-backs on {tried[0].faults} injected faults: {'; '.join(map(str, tried))}. Taken: {tried[best].rows} rows."
    )
    taken, notes = compared[best]
    for sentence in notes:
        tell(f"with {tried[best].rows} rows: {sentence}")
    return replace(_with_reason(taken, tried), interrupted=interrupted)


def _others(
    train: Train, series: Series, begun: Options, window: int, callbacks: Sequence[Iterable[Any]], tell: Tell
) -> Iterator[tuple[Trained, list[str]]]:
    """Train with half and twice a look-back; yield models and what is to be said of each. An interrupted one is the last."""
    for rows, calls in zip((max(window // 2, SHORTEST), 2 * window), callbacks, strict=True):
        notes: list[str] = []
        try:
            made = train(series, replace(begun, lookback=rows), calls, notes.append)
        except TrainingError as error:
            tell(f"A look-back of {rows} rows is left out: {error}")
            continue
        yield made, notes
        if made.interrupted:
            tell(f"Interrupted: a look-back of {rows} rows is not compared, nor are later ones.")
            return


def compare_lookbacks(made: Sequence[Trained]) -> list[Tried]:
    """Count alarms of models at the same places of normal rows, with the same faults and without.

    Args:
        made: Models of the same channels; places and sizes of faults are taken from rows and scaler of the first.
    """
    scaler, window = _scaler(made[0]), max(one.metadata.window for one in made)
    places, blanks = _places(made[0], window), _places(made[0], window, BLANKS)
    deviations = np.concatenate(_normal(made[0])).std(axis=0)[: len(made[0].metadata.channels)]
    faulty = [stretch for _, stretch in faulty_places(places, deviations)]
    return [
        Tried(one.metadata.window, len(faulty), *(_alarms(one, scaler, stretches) for stretches in (faulty, blanks)))
        for one in made
    ]


def _normal(made: Trained) -> list[Floats]:
    assert made.representative is not None  # a training always has them
    return made.representative.normal


def _places(made: Trained, window: int, count: int = PLACES) -> list[Floats]:
    """Stretches of normal rows that a window of so many rows fits before; none where they are fewer than a comparison takes."""
    places = places_of(_normal(made), window + CALM + ROWS, count)
    return places if len(places) >= LEAST else []


def _scaler(made: Trained) -> Scaler:
    assert made.metadata.scaler is not None
    return made.metadata.scaler


def _alarms(made: Trained, scaler: Scaler, stretches: Sequence[Floats]) -> float:
    """Share of stretches, scaled by another model's scaler, that raise an alarm."""
    channels = len(made.metadata.channels)
    rows = np.stack(stretches)
    if scaler != _scaler(made):  # it has left other rows out of its training
        rows[..., :channels] = _scaler(made).transform(scaler.inverse(rows[..., :channels]))
    trial = Trial(shared_predictor(made.model), made.metadata)
    return float(np.mean([delay is not None for delay in trial.delays(list(rows))]))


def _with_reason(made: Trained, tried: Sequence[Tried]) -> Trained:
    """The model with the reason of its look-back, and what was tried, in its record of the training."""
    rows = ", ".join(str(one.rows) for one in sorted(tried, key=lambda one: one.rows))
    training = made.metadata.sections["training"]
    lookback = {
        **training["lookback"],
        "rule": f"finds most injected faults of {rows}",
        "tried": list(map(asdict, tried)),
    }
    sections = {**made.metadata.sections, "training": {**training, "lookback": lookback}}
    return replace(made, metadata=made.metadata.with_(sections=sections))
