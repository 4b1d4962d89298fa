"""Threshold rules: how large a score of normal operation may be before it is an alarm.

`RULES` lists them: add one there, and every command and file knows it.

limits:1         so many times the limit of normal operation, and at least the 99 % quantile of the scores of normal
                     operation; the score's judges have to agree (the default of the score witnesses)
deviations:3.75  so many deviations from the baseline, more where rows were few, and at least the 99 % quantile of the
                     scores of normal operation (the default of the score ewma)
quantile:0.995   a quantile of the scores of normal operation, times a margin for few scores (the default of others)
alarms:0.1       as many false alarms a day as stated, extrapolated by extreme value theory; per 1000 rows without time
pot:1e-4         peaks over threshold: a score that is exceeded with this chance a row (SPOT, Siffer et al., KDD 2017)
dynamic          follows the latest scores without labels or a distribution (Hundman et al., KDD 2018)
fbeta:1          the best F-beta on rows with labels; needs such rows
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..errors import ConfigError
from .pareto_tail import fit_tail
from .threshold import Rule, Setting, Threshold, few_rows

Doubles = npt.NDArray[np.float64]
Setter = Callable[[Doubles, float, Setting], float]
"""A function from scores (N,) in time order, the rule's number and the setting to the threshold."""
DAY = 86_400.0
HIGH = 0.99  # quantile of normal scores that a number of deviations may not undercut
PEAKS = 0.98  # quantile above which scores are peaks, as in SPOT
LEAST_PEAKS = 10  # fewer say nothing about a tail
DYNAMIC_STEPS = np.arange(2.0, 12.5, 0.5)  # deviations tried by the dynamic rule


def quantile_threshold(scores: Doubles, quantile: float, setting: Setting | None = None) -> float:
    """Return a quantile of the scores of normal operation, times a safety margin.

    Few scores tell little about the quantile, and a short stretch little about normal operation: so the margin is
    1 + 8 / sqrt(N), at most 2. Chosen on SKAB (N about 400, 1.4) and NAB's machine temperature (N about 2000, 1.2).

    Args:
        scores: Of normal operation, N of them.
        quantile: Between 0 and 1.
        setting: Not needed.

    >>> quantile_threshold(np.ones(400), 0.995)
    1.4
    """
    margin = min(2.0, 1 + 8 / math.sqrt(len(scores)))
    return float(np.quantile(scores, quantile) * margin)


def deviations_threshold(scores: Doubles, deviations: float, setting: Setting) -> float:
    """Return a number of deviations, larger for few rows, and the 99 % quantile of the scores at least.

    Args:
        scores: Of normal operation, in deviations from the baseline, N of them.
        deviations: The number.
        setting: Gives the model's inputs.
    """
    return max(deviations * few_rows(len(scores), setting.inputs), float(np.quantile(scores, HIGH)))


def limits_threshold(scores: Doubles, limits: float, setting: Setting | None = None) -> float:
    """Return a number of limits of normal operation, and the 99 % quantile of the scores at least.

    Args:
        scores: Of normal operation, in limits, N of them.
        limits: The number.
        setting: Not needed: the limits know of few rows.
    """
    return max(limits, float(np.quantile(scores, HIGH)))


def alarms_threshold(scores: Doubles, alarms: float, setting: Setting) -> float:
    """Return the threshold with so many false alarms a day, or in 1000 rows without time.

    Args:
        scores: Of normal operation, in time order.
        alarms: The number.
        setting: Gives the period, the rows within which exceedances are one alarm, and how many it takes.
    """
    chance = alarms * setting.period / DAY if setting.period else alarms / 1000
    return peaks_over_threshold(scores, chance, setting.apart, setting.minimum)


def peaks_over_threshold(scores: Doubles, chance: float, apart: int = 1, minimum: int = 1) -> float:
    """Return the score that is exceeded with a given chance a row, by a generalized Pareto tail.

    Args:
        scores: Of normal operation, in time order.
        chance: Exceedances a row, below the share of peaks for an extrapolation.
        apart: Rows within which exceedances are one.
        minimum: Exceedances that one takes: of those within `apart` rows the score that so many reach counts.
    """
    start = float(np.quantile(scores, PEAKS))
    above = np.flatnonzero(scores > start)
    if len(above) < LEAST_PEAKS:
        start = float(np.quantile(scores, max(0.0, 1 - LEAST_PEAKS / len(scores))))
        above = np.flatnonzero(scores > start)
    if not len(above):
        return start
    ends = np.flatnonzero(np.diff(above) > apart) + 1 if apart > 1 else np.arange(1, len(above))
    groups = [np.sort(scores[group])[-minimum:] for group in np.split(above, ends) if len(group) >= minimum]
    if not groups:
        return start
    peaks = np.asarray([group[0] for group in groups]) - start
    ratio = chance * len(scores) / len(peaks)
    if ratio >= 1:  # more often than there are peaks: no tail is needed
        return float(np.quantile(scores, max(0.0, 1 - min(1.0, chance * len(above) / len(peaks)))))
    return start + fit_tail(peaks).excess(ratio)


def dynamic_threshold(scores: Doubles) -> float:
    """Return the threshold whose exceedances, taken away, calm the rest most: non-parametric, of telemanom.

    Of mean + z deviations the one with the largest (drop of the mean + drop of the deviation) / (exceedances +
    runs of them squared), drops as shares (Hundman et al. 2018, arXiv 1802.04431, section 3.2).
    """
    mean, spread = float(scores.mean()), float(scores.std())
    best, threshold = 0.0, mean + float(DYNAMIC_STEPS[-1]) * spread
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
            best, threshold = gain, limit
    return threshold


def best_fbeta(scores: Doubles, labels: npt.NDArray[np.bool_] | None, beta: float) -> float:
    """Return the threshold with the best F-beta over rows, half-way to the next lower score.

    Args:
        scores: Of labelled rows, shape (N,).
        labels: Whether each row is anomalous, shape (N,).
        beta: Weight of recall against precision.

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


@dataclass(frozen=True)
class ThresholdRule:
    """A rule as the registry lists it."""

    set: Setter
    """Function that computes the threshold."""
    default: float
    """Number that is taken when none is stated; 0 for a rule without one."""
    most: float = math.inf
    """Number that it must be below; it must be above 0, too."""
    labelled: bool = False
    """True if it needs labelled rows."""


RULES: dict[str, ThresholdRule] = {
    "limits": ThresholdRule(limits_threshold, 1.0),
    "deviations": ThresholdRule(deviations_threshold, 3.75),
    "quantile": ThresholdRule(quantile_threshold, 0.995, most=1.0),
    "alarms": ThresholdRule(alarms_threshold, 0.1),
    "pot": ThresholdRule(lambda scores, chance, _: peaks_over_threshold(scores, chance), 1e-4, most=1.0),
    "dynamic": ThresholdRule(lambda scores, _, __: dynamic_threshold(scores), 0.0),
    "fbeta": ThresholdRule(lambda scores, beta, setting: best_fbeta(scores, setting.labels, beta), 1.0, labelled=True),
}


def parse_rule(text: str) -> Rule:
    """Read a rule from `NAME` or `NAME:NUMBER`.

    Raises:
        ConfigError: If there is no such rule, or its number is out of range.

    >>> str(parse_rule("quantile:0.99")), str(parse_rule("deviations"))
    ('quantile:0.99', 'deviations:3.75')
    """
    name, _, number = text.partition(":")
    rule = RULES.get(name)
    if rule is None:
        raise ConfigError(f"A threshold rule is one of {', '.join(RULES)}; received {text!r}.")
    try:
        value = float(number) if number else rule.default
    except ValueError:
        value = math.nan
    if rule.default and not 0 < value < rule.most:
        bound = f"between 0 and {rule.most:g}" if math.isfinite(rule.most) else "above 0"
        raise ConfigError(
            f"The number of the rule {name} lies {bound}, as in {name}:{rule.default:g}; received {text!r}."
        )
    return Rule(name, value if rule.default else 0.0)


def unlabelled_rule(text: str | None) -> Rule | None:
    """As `parse_rule`, where only rows of normal operation are at hand; None for None.

    Raises:
        ConfigError: If the rule needs labels.
    """
    rule = None if text is None else parse_rule(text)
    if rule is not None and RULES[rule.name].labelled:
        raise ConfigError(
            f"The rule {rule.name} needs labelled rows. Set it on the converted model: "
            f"edgelstm calibrate MODEL LABELLED.csv --threshold-rule {rule.name} --label-column anomaly."
        )
    return rule


def set_threshold(rule: Rule, scores: npt.ArrayLike, setting: Setting | None = None) -> Threshold:
    """Compute a threshold by a rule.

    Args:
        rule: The rule and its number.
        scores: Of normal operation in time order; for a rule with labels, of labelled rows.
        setting: Properties of the model that the rule may need.

    Raises:
        ConfigError: If there is no such rule, or it needs labels and there are none, or only one kind.
    """
    if rule.name not in RULES:
        raise ConfigError(f"A threshold rule is one of {', '.join(RULES)}; received {rule.name!r}.")
    values = np.asarray(scores, np.float64)
    value = float(RULES[rule.name].set(values, rule.number, setting or Setting()))
    if rule.name == "quantile":  # files of metadata version 1 keep its number in a field of its own
        return Threshold(value, rule.name, len(values), quantile=rule.number)
    return Threshold(value, rule.name, len(values), number=rule.number)
