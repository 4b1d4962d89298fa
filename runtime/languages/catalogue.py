"""Words of a language: sentences about events, and the pages; a language is one JSON file beside this module."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ..errors import ConfigError

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Catalogue:
    """Words and templates of one language."""

    code: str
    """Its code, as of HTML's `lang`: the name of its file."""
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
    page: Mapping[str, str]
    """Words of the live page and of the page of alarms, by place."""

    def of_pages(self) -> dict[str, Any]:
        """Return what the scripts of the pages take."""
        return {"language": self.code, "decimal": self.decimal, "words": self.page}


def languages() -> tuple[str, ...]:
    """Return the codes of the languages that there are.

    >>> languages()
    ('de', 'en')
    """
    return tuple(sorted(file.stem for file in FOLDER.glob("*.json")))


@cache
def find_catalogue(language: str) -> Catalogue:
    """Return the words of a language.

    Raises:
        ConfigError: If there are none.

    >>> find_catalogue("de").name
    'Deutsch'
    """
    if language not in languages():
        raise ConfigError(f"A language is one of {', '.join(languages())}; received {language[:40]!r}.")
    return Catalogue(language, **json.loads((FOLDER / f"{language}.json").read_text(encoding="utf-8")))


ENGLISH = find_catalogue("en")
