"""Events in plain words: when, which sensor, how much, and what was expected."""

from __future__ import annotations

import math

from ..languages.catalogue import Catalogue
from .channel_names import plain_name
from .events import Event
from .local_time import Clock, is_date
from .readings import Reading

SAID = 3  # channels of a sentence
MOST_DECIMALS = 9


def sentence(event: Event, words: Catalogue, clock: Clock) -> str:
    """Say an event in one sentence.

    Args:
        event: The event; its readings give the values.
        words: Words of the language.
        clock: Writer of its times.

    >>> from edgelstm.runtime.languages.catalogue import ENGLISH
    >>> oil = Reading("oil temperature", "°C", 71.0, 58.0, 3.0, 8.7)
    >>> event = Event("1", "anomaly", "closed", 528, 540, 2.0, ("oil temperature",), readings=(oil,))
    >>> sentence(event, ENGLISH, Clock())
    'sample 528–540: oil temperature 71 °C, expected 58 ± 3'
    """
    return f"{_time(event, words, clock)}: {_content(event, words)}"


def _time(event: Event, words: Catalogue, clock: Clock) -> str:
    start, end = event.start, event.end
    if start is None:
        return words.all_channels
    if is_date(start):
        span = clock.span(start, end, words.day)
    else:
        last = "" if end is None or end == start else f"–{end:.10g}"
        span = words.counted.format(span=f"{start:.10g}{last}")
    return words.since.format(span=span) if end is None else span


def _content(event: Event, words: Catalogue) -> str:
    channels = ", ".join(map(plain_name, event.channels[:SAID])) or words.all_channels
    if event.kind == "anomaly":
        parts = [_reading(reading, words, first=not at) for at, reading in enumerate(event.readings[:SAID])]
        return "; ".join(filter(None, parts)) or words.unusual.format(channels=channels)
    template = words.kinds.get(f"{event.kind}.{event.reason}") or words.kinds.get(event.kind)
    if template is None:
        return f"{event.kind} {event.reason} {channels}"
    return template.format(channels=channels, reason=event.reason)


def _reading(reading: Reading, words: Catalogue, first: bool) -> str:
    """Say one channel: the first with its values, the others by their distance."""
    name, unit = plain_name(reading.channel), f" {reading.unit}" if reading.unit else ""
    expected, within = reading.expected, reading.within
    if expected is None or within is None:
        return ""
    digits = decimals(within)
    number = [_fixed(value, digits, words) for value in (expected, within)]
    if reading.measured is None:
        return words.silent.format(channel=name, expected=number[0], within=number[1])
    if first:
        value = _fixed(reading.measured, digits, words) + unit
        text = words.expected.format(channel=name, value=value, expected=number[0], within=number[1])
    else:
        distance = reading.measured - expected
        by = _fixed(abs(distance), digits, words) + unit
        text = (words.high if distance > 0 else words.low).format(channel=name, by=by)
    return f"{text} ({words.beyond[reading.beyond]})" if reading.beyond else text


def _fixed(value: float, digits: int, words: Catalogue) -> str:
    """A number with so many decimals; 0 has no sign."""
    text = f"{value:.{digits}f}"
    return (text if float(text) else text.lstrip("-")).replace(".", words.decimal)


def decimals(within: float) -> int:
    """Return the decimals of values whose normal range is this wide: its first digit is the last that counts.

    >>> [decimals(width) for width in (300.0, 3.0, 0.4, 0.012)]
    [0, 0, 1, 2]
    """
    return min(max(0, -math.floor(math.log10(within))), MOST_DECIMALS) if within > 0 else 0
