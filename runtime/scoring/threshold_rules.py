"""Threshold rules by name: how large a score of normal operation may be before it is an alarm.

deviations:3.75  so many deviations from what is usual, more where rows were few, and at least the 99 % quantile of the
                     scores of normal operation (the default of `dual` scores)
quantile:0.995   a quantile of the scores of normal operation, times a margin for few scores (the default of others)
alarms:0.1       as many false alarms a day as stated, extrapolated by extreme value theory; per 1000 rows without time
pot:1e-4         peaks over threshold: a score that is exceeded with this chance a row (SPOT, Siffer et al., KDD 2017)
dynamic          follows the latest scores without labels or a distribution (Hundman et al., KDD 2018)
fbeta:1          the best F-beta on rows with labels; needs such rows
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..errors import ConfigError
from .threshold import Threshold, fit_threshold

Doubles = npt.NDArray[np.float64]
DAY = 86_400.0
DEFAULTS = {"deviations": 3.75, "quantile": 0.995, "alarms": 0.1, "pot": 1e-4, "dynamic": 0.0, "fbeta": 1.0}
USUAL = 0.99  # quantile of normal scores that a number of deviations may not undercut
PEAKS = 0.98  # quantile above which scores are peaks, as in SPOT
LEAST_PEAKS = 10  # fewer say nothing about a tail
DYNAMIC_STEPS = np.arange(2.0, 12.5, 0.5)  # deviations tried by the dynamic rule


@dataclass(frozen=True)
class Rule:
    """A rule and its number."""

    name: str
    """One of `DEFAULTS`."""
    number: float
    """Deviations, quantile, alarms a day, chance a row, or beta."""

    def __str__(self) -> str:
        return self.name if self.name == "dynamic" else f"{self.name}:{self.number:g}"


@dataclass(frozen=True)
class Setting:
    """What a rule may need to know beside the scores."""

    inputs: int = 0
    """Values in a window, W times F: what the model could fit noise with."""
    period: float | None = None
    """Seconds between rows."""
    apart: int = 10
    """Rows between two exceedances that count as one alarm."""
    labels: npt.NDArray[np.bool_] | None = None
    """Whether each score's row is anomalous."""


def parse_rule(text: str) -> Rule:
    """A rule from `NAME` or `NAME:NUMBER`.

    Raises:
        ConfigError: If there is no such rule, or its number is out of range.

    >>> str(parse_rule("quantile:0.99")), str(parse_rule("deviations"))
    ('quantile:0.99', 'deviations:3.75')
    """
    name, _, number = text.partition(":")
    if name not in DEFAULTS:
        raise ConfigError(f"A threshold rule is one of {', '.join(DEFAULTS)}; received {text!r}.")
    try:
        value = float(number) if number else DEFAULTS[name]
    except ValueError:
        value = math.nan
    most = 1.0 if name in ("quantile", "pot") else math.inf
    if not (0 < value < most) and name != "dynamic":
        bound = "between 0 and 1" if most == 1.0 else "above 0"
        raise ConfigError(
            f"The number of the rule {name} lies {bound}, as in {name}:{DEFAULTS[name]:g}; received {text!r}."
        )
    return Rule(name, value)


def unlabelled_rule(text: str | None) -> Rule | None:
    """As `parse_rule`, where only rows of normal operation are at hand; None for None.

    Raises:
        ConfigError: If the rule needs labels.
    """
    rule = None if text is None else parse_rule(text)
    if rule is not None and rule.name == "fbeta":
        raise ConfigError(
            "The rule fbeta needs labelled rows. Set it on the converted model: "
            "edgelstm calibrate MODEL LABELLED.csv --threshold-rule fbeta --label-column anomaly."
        )
    return rule


def set_threshold(rule: Rule, scores: npt.ArrayLike, setting: Setting | None = None) -> Threshold:
    """A threshold by a rule.

    Args:
        rule: Which.
        scores: Of normal operation in time order; for `fbeta` of labelled rows.
        setting: What some rules need to know.

    Raises:
        ConfigError: If the rule needs labels and there are none, or only one kind.
    """
    values, setting = np.asarray(scores, np.float64), setting or Setting()
    if rule.name == "quantile":
        return fit_threshold(values, rule.number)
    if rule.name == "deviations":
        value = max(rule.number * few_rows(len(values), setting.inputs), float(np.quantile(values, USUAL)))
    elif rule.name == "pot":
        value = peaks_over_threshold(values, rule.number, apart=1)
    elif rule.name == "alarms":
        chance = rule.number * setting.period / DAY if setting.period else rule.number / 1000
        value = peaks_over_threshold(values, chance, setting.apart)
    elif rule.name == "dynamic":
        value = dynamic_threshold(values)
    else:
        value = best_fbeta(values, setting.labels, rule.number)
    return Threshold(float(value), rule.name, len(values), number=rule.number)


def few_rows(rows: int, inputs: int) -> float:
    """How much larger errors are on new rows than on those that P inputs were fitted on: (N + P) / (N - P).

    Akaike's final prediction error (1969), for a variance; taken whole, since normal operation moves, too. At most 3.

    >>> few_rows(400, 80), few_rows(20_000, 32) < 1.01
    (1.5, True)
    """
    known = min(inputs, rows // 2)
    return (rows + known) / (rows - known)


def peaks_over_threshold(scores: Doubles, chance: float, apart: int = 1) -> float:
    """The score that is exceeded with a given chance a row, by a generalized Pareto tail.

    Args:
        scores: Of normal operation, in time order.
        chance: Exceedances a row, below the share of peaks for an extrapolation.
        apart: Rows within which exceedances are one, of which the highest counts.
    """
    start = float(np.quantile(scores, PEAKS))
    above = np.flatnonzero(scores > start)
    if len(above) < LEAST_PEAKS:
        start = float(np.quantile(scores, max(0.0, 1 - LEAST_PEAKS / len(scores))))
        above = np.flatnonzero(scores > start)
    if not len(above):
        return start
    groups = (
        np.split(above, np.flatnonzero(np.diff(above) > apart) + 1)
        if apart > 1
        else [above[i : i + 1] for i in range(len(above))]
    )
    peaks = np.asarray([scores[group].max() for group in groups]) - start
    shape, scale = fit_pareto(peaks)
    ratio = chance * len(scores) / len(peaks)
    if ratio >= 1:  # more often than there are peaks: no tail is needed
        return float(np.quantile(scores, max(0.0, 1 - min(1.0, chance * len(above) / len(peaks)))))
    return start + (scale * math.log(1 / ratio) if abs(shape) < 1e-9 else scale / shape * (ratio**-shape - 1))


def fit_pareto(peaks: Doubles) -> tuple[float, float]:
    """Shape and scale of a generalized Pareto distribution, by maximum likelihood on one axis (Grimshaw 1993).

    For a given theta = shape / scale the best shape is the mean of log(1 + theta x): the likelihood is searched over theta.
    Shapes are held within -0.5 and 0.5: outside, a few peaks would decide everything.
    """
    mean, most = float(peaks.mean()), float(peaks.max())
    if most <= 0:
        return 0.0, 1e-12
    low = -1 / most * (1 - 1e-6)
    thetas = np.concatenate([np.linspace(low, -1e-6 / mean, 400), np.geomspace(1e-6 / mean, 100 / mean, 400)])
    shapes = np.log1p(thetas[:, None] * peaks).mean(axis=1)
    kept = (np.abs(shapes) <= 0.5) & (shapes * thetas > 0)
    likelihood = np.where(kept, -np.log(np.where(kept, shapes / thetas, 1.0)) - shapes - 1, -np.inf)
    best = int(np.argmax(likelihood))
    if likelihood[best] <= -math.log(mean) - 1 + 1e-12:  # the exponential tail, shape 0, is as likely
        return 0.0, mean
    return float(shapes[best]), float(shapes[best] / thetas[best])


def dynamic_threshold(scores: Doubles) -> float:
    """The threshold whose exceedances, taken away, calm the rest most: non-parametric, of telemanom.

    Of mean + z deviations the one with the largest (drop of the mean + drop of the deviation) / (exceedances +
    runs of them squared), drops as shares (Hundman et al. 2018, arXiv 1802.04431, section 3.2).
    """
    mean, spread = float(scores.mean()), float(scores.std())
    best, found = 0.0, mean + float(DYNAMIC_STEPS[-1]) * spread
    for z in DYNAMIC_STEPS if spread > 0 and mean > 0 else ():
        limit = mean + float(z) * spread
        above = scores > limit
        if not above.any():
            break
        rest = scores[~above]
        runs = int(above[0]) + int(np.count_nonzero(above[1:] & ~above[:-1]))
        drop = (mean - rest.mean()) / mean + (spread - rest.std()) / spread
        gain = drop / (int(above.sum()) + runs**2)
        if gain >= best:
            best, found = gain, limit
    return found


def best_fbeta(scores: Doubles, labels: npt.NDArray[np.bool_] | None, beta: float) -> float:
    """The threshold with the best F-beta over rows, half-way to the next lower score.

    Raises:
        ConfigError: If there are no labels, or of one kind only.
    """
    if labels is None or labels.all() or not labels.any():
        raise ConfigError(
            "The rule fbeta needs labelled rows, normal and anomalous. Name their column with --label-column."
        )
    order = np.argsort(-scores, kind="stable")
    ranked, truth = scores[order], labels[order]
    hits, flagged = np.cumsum(truth), np.arange(1, len(truth) + 1)
    f = (1 + beta**2) * hits / (beta**2 * truth.sum() + flagged)
    last = np.append(ranked[1:] < ranked[:-1], True)  # equal scores are flagged together
    cut = int(np.argmax(np.where(last, f, -1.0)))
    below = ranked[cut + 1] if cut + 1 < len(ranked) else 0.0
    return float((ranked[cut] + below) / 2)
