"""The scores by name: add one here, and training, conversion, device and metadata know it.

A score is a subclass of `Scorer` with `fit` and `update`, and with `reset`, `to_state` and `restore` if it has a
memory.
"""

from __future__ import annotations

from ..errors import ConfigError
from .ewma import EwmaScorer
from .pointwise import MahalanobisScorer, MaxScorer, MeanScorer
from .scorer import Doubles, Scorer, Scoring
from .witnesses import WitnessScorer

SCORES: dict[str, type[Scorer]] = {
    "witnesses": WitnessScorer,
    "ewma": EwmaScorer,
    "mean": MeanScorer,
    "max": MaxScorer,
    "mahalanobis": MahalanobisScorer,
}
EARLIER_NAMES = {"dual": "ewma"}


def score_class(method: str) -> type[Scorer]:
    """Return the class of a score.

    Raises:
        ConfigError: If there is no score of this name.

    >>> score_class("dual") is score_class("ewma")
    True
    """
    name = EARLIER_NAMES.get(method, method)
    if name not in SCORES:
        raise ConfigError(f"A score is one of {', '.join(SCORES)}; received {method!r}.")
    return SCORES[name]


def style_of(method: str, rows: int = 1, smoothing: float = 1.0) -> Scoring:
    """Return the style of a score, to be fitted.

    Args:
        method: Name of the score; an earlier name becomes the present one.
        rows: Newest rows of an autoencoder's window to average, where the score takes that.
        smoothing: Weight of the newest score in an average, where the score takes that; 1 for none.

    Raises:
        ConfigError: If there is no score of this name.
    """
    return score_class(method).style(EARLIER_NAMES.get(method, method), rows, smoothing)


def scorer_of(scoring: Scoring) -> Scorer:
    """Return the score at work with fitted parameters.

    Raises:
        ConfigError: If there is no score of this name.
    """
    return score_class(scoring.method)(scoring)


def fit_scoring(errors: Doubles, style: Scoring) -> Scoring:
    """Fit a score on errors of normal operation.

    Args:
        errors: Errors in time order, signed (absolute when averaged over rows), shape (N, F), scaled units.
        style: Method, rows and weights.

    Raises:
        ConfigError: If there is no score of this name.
    """
    return score_class(style.method).fit(errors, style)


def check_scoring(scoring: Scoring) -> None:
    """Refuse a score that there is not, and fitted parameters that a score cannot work with.

    Raises:
        ValueError: With the reason.
    """
    name = EARLIER_NAMES.get(scoring.method, scoring.method)
    if name not in SCORES:
        raise ValueError(f"score {scoring.method!r} is none of {', '.join(SCORES)}")
    if not 0 <= scoring.trusted < scoring.witnesses or len(scoring.scale) % scoring.witnesses:
        raise ValueError(f"witness {scoring.trusted} of {scoring.witnesses}")
    if scoring.scale:
        SCORES[name].check(scoring)
