"""Words of the sentences about events, by language: a language is one entry here, and one of `alarm_page/words.py`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..errors import ConfigError


@dataclass(frozen=True)
class Catalogue:
    """Words and templates of one language."""

    code: str
    """Its code, as of HTML's `lang`."""
    name: str
    """Its name in itself."""
    day: str
    """Format of a day without its year, as of `strftime`; `%-d` is a day without a zero."""
    decimal: str
    """Decimal mark."""
    since: str
    """Template of the time of what goes on, with {span}."""
    counted: str
    """Template of a place in a stream that counts instead of telling the time, with {span}."""
    expected: str
    """Template of a channel with {value} and {expected}, and the distance {within} in which normal values lie."""
    high: str
    """Template of a channel that is {by} above its expectation."""
    low: str
    """Template of a channel that is {by} below its expectation."""
    silent: str
    """Template of a channel without a value, with what is {expected}."""
    beyond: Mapping[str, str]
    """Words for a value `above` or `below` all values of training."""
    unusual: str
    """Template of an anomaly whose channels have no values, with {channels}."""
    kinds: Mapping[str, str]
    """Templates of the other events with {channels}, by KIND.REASON, or KIND where the reason is a text: {reason}."""
    all_channels: str
    """Words for all channels together."""
    ended: str
    """Words at the end of what is over."""


ENGLISH = Catalogue(
    code="en",
    name="English",
    day="%-d %b",
    decimal=".",
    since="since {span}",
    counted="sample {span}",
    expected="{channel} {value}, expected {expected} ± {within}",
    high="{channel} too high by {by}",
    low="{channel} too low by {by}",
    silent="{channel} silent, expected {expected} ± {within}",
    beyond={"above": "above all values of training", "below": "below all values of training"},
    unusual="unusual: {channels}",
    kinds={
        "sensor_fault.missing": "{channels} gives no usable value",
        "sensor_fault.stuck": "{channels} is stuck at one value",
        "sensor_fault.rate": "rows come at another rate than in training",
        "drift.inputs": "the usual range of {channels} has moved",
        "drift.scores": "the model fits less well than it did, most of all {channels}",
        "overflow": "records were lost because a receiver was away for too long: {reason}",
        "forecast.unreliable": "forecasts of {channels} are worse than repeating what was before, or miss their intervals too often",
        "answer.real": "called a real fault",
        "answer.false": "called a false alarm",
        "answer.normal": "called a new kind of normal operation",
        "model.last_good": "the last good model is at work, as the configured file is not usable",
        "model": "model: {reason}",
    },
    all_channels="all channels",
    ended="over",
)
GERMAN = Catalogue(
    code="de",
    name="Deutsch",
    day="%d.%m.",
    decimal=",",
    since="seit {span}",
    counted="Messung {span}",
    expected="{channel} {value}, erwartet {expected} ± {within}",
    high="{channel} um {by} zu hoch",
    low="{channel} um {by} zu niedrig",
    silent="{channel} ohne Wert, erwartet {expected} ± {within}",
    beyond={"above": "über allen Werten des Trainings", "below": "unter allen Werten des Trainings"},
    unusual="ungewöhnlich: {channels}",
    kinds={
        "sensor_fault.missing": "{channels} liefert keinen brauchbaren Wert",
        "sensor_fault.stuck": "{channels} steht auf einem Wert still",
        "sensor_fault.rate": "die Messungen kommen in einem anderen Takt als im Training",
        "drift.inputs": "der übliche Bereich von {channels} hat sich verschoben",
        "drift.scores": "das Modell passt schlechter als zuvor, vor allem bei {channels}",
        "overflow": "Meldungen gingen verloren, weil ein Empfänger zu lange fort war: {reason}",
        "forecast.unreliable": "Vorhersagen von {channels} sind schlechter als das Wiederholen des Vorigen oder verfehlen ihre Intervalle zu oft",
        "answer.real": "als echter Fehler bestätigt",
        "answer.false": "als Fehlalarm gemeldet",
        "answer.normal": "als neuer Normalbetrieb gemeldet",
        "model.last_good": "das letzte gute Modell läuft, weil die eingestellte Datei nicht brauchbar ist",
        "model": "Modell: {reason}",
    },
    all_channels="alle Kanäle",
    ended="vorbei",
)
CATALOGUES = {words.code: words for words in (ENGLISH, GERMAN)}


def find_catalogue(language: str) -> Catalogue:
    """Return the words of a language.

    Raises:
        ConfigError: If there are none.

    >>> find_catalogue("de").name
    'Deutsch'
    """
    if language not in CATALOGUES:
        raise ConfigError(f"A language is one of {', '.join(CATALOGUES)}; received {language[:40]!r}.")
    return CATALOGUES[language]
