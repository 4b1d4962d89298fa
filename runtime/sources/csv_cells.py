"""One cell of a row: a number, a missing value, or text; the same rules in training and on the device."""

from __future__ import annotations

import csv
import logging
import math
import re
import struct
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from ..errors import SeriesError
from .signals import Signal

log = logging.getLogger("edgelstm")
MISSING = frozenset({"", "-", "?", "na", "n/a", "#n/a", "<na>", "#na", "nan", "-nan", "null", "none", "nil", "missing"})
"""Ways to write a missing value that pass without a word."""
MISSING_WORDS = frozenset({
    "unavailable", "unknown", "undefined", "invalid", "offline", "no data", "nodata", "no value", "not available",
    "n.a.", "n. a.", "n/v", "n.v.", "k.a.", "k. a.", "k.w.", "keine angabe", "keine daten", "--", "---", "----", "-.-",
    "--.-", ".", "..", "...", "…", "–", "—", "*", "**", "***", "#nv", "#wert!", "#bezug!", "#div/0!", "#value!",
    "#ref!", "#num!", "#zahl!", "#name?", "#null!", "bad", "bad input", "i/o timeout", "no result",
    "error", "err", "fail", "failed", "timeout", "comm fail", "calc failed", "pt created", "scan off", "not connect",
    "over range", "under range", "overflow", "ovld", "ol", "o.l.", "kein wert", "ungültig", "n/d", "n.d.", "nd", "s/d",
    "sin datos", "no disponible", "non disponible", "#inv",
})  # fmt: skip
"""Words of home automation, spreadsheets, loggers and historians for a missing value; each is said once."""
SWITCHES = {
    "true": 1.0, "false": 0.0, "on": 1.0, "off": 0.0, "yes": 1.0, "no": 0.0, "wahr": 1.0, "falsch": 0.0, "ein": 1.0,
    "aus": 0.0, "ja": 1.0, "nein": 0.0,
}  # fmt: skip
LONGEST = 64  # characters of a cell that is searched for a unit or groups of thousands
_UNIT = re.compile(
    r"(?!0[xob])([+\u2212-]?(?:\d[\d.,]*|[.,]\d+)(?:[eE][+-]?\d+)?)"
    r"\s*((?:[^\W\d_]|[%‰°Ω])(?:[^\W\d_]|[%‰°/·^²³⁻¹23*.-]){0,11}(?: [^\W\d_]{1,8})?)$"
)
_GROUPS = re.compile(r"(?<=\d)[ '’\u00a0\u202f](?=\d{3}(\D|$))")  # 1 234,5 and 1'234.5


def split(line: str, separator: str) -> list[str]:
    """The cells of one row; a quoted cell may hold the separator.

    Args:
        line: The row.
        separator: One character; a blank stands for any number of them.

    Raises:
        SeriesError: If a quoted cell makes no sense.
    """
    if '"' not in line:
        return line.split() if separator == " " else line.split(separator)
    try:
        return next(csv.reader(line.splitlines(keepends=True), delimiter=separator, skipinitialspace=True), [])
    except csv.Error as error:
        raise SeriesError(f"not a row of cells ({error})") from error


def number(text: str, decimal_comma: bool = False, thousands: str = "") -> float | None:
    """A cell's number, NaN when it is empty or says so, None when it is text.

    Args:
        text: The cell.
        decimal_comma: Whether a comma may be the decimal mark.
        thousands: What groups thousands, if anything does; a blank or an apostrophe may always.

    >>> number("1.5"), number(" NA "), number("1.234,5", decimal_comma=True, thousands="."), number("high")
    (1.5, nan, 1234.5, None)
    >>> number("ON"), number("unavailable"), number("1 234,5", decimal_comma=True)
    (1.0, nan, 1234.5)
    """
    text = text.strip()
    value = _number(text, decimal_comma, thousands)
    if value is not None:
        return value
    word = text.casefold()
    return math.nan if word in MISSING or word in MISSING_WORDS else SWITCHES.get(word)


def _number(text: str, decimal_comma: bool, thousands: str) -> float | None:
    plain = text.replace(thousands, "") if thousands else text
    plain = plain.replace("\u2212", "-")
    plain = _GROUPS.sub("", plain) if len(plain) <= LONGEST else plain
    for candidate in (plain, plain.replace(",", ".") if decimal_comma else plain):
        try:
            return float(candidate)
        except ValueError:
            continue
    return None


def is_number(cell: str) -> bool:
    """Tell whether a cell reads as a number; words for a missing one do not count."""
    try:
        float(cell)
    except ValueError:
        return False
    return cell.casefold() not in MISSING


def unit_of(text: str) -> tuple[str, str] | None:
    """A number's text and the unit behind it; None for any other cell.

    >>> unit_of("19.26 °C"), unit_of("51.5 %"), unit_of("3 m³/h"), unit_of("high"), unit_of("12")
    (('19.26', '°C'), ('51.5', '%'), ('3', 'm³/h'), None, None)
    """
    match = _UNIT.match(text) if len(text) <= LONGEST else None
    return (match[1], " ".join(match[2].split())) if match else None


class CellReader:
    """Reads the cells of one source as numbers; what is not a plain number is counted, and said once.

    Units are passed over as long as a column has one: a second unit in the same column is text. A word for a missing value
    that is a number, as loggers write -999, stands for that number however a cell writes it.

    Args:
        decimal_comma: Whether a comma may be the decimal mark.
        thousands: What groups thousands; empty where nothing does.
        missing: Further words for a missing value.
        origin: Name of the source, for messages; empty for none.
        signals: What is known of columns, by name: their unit, and their words for on and off.

    >>> cells = CellReader(missing=["defekt"])
    >>> [cells.read(text, "flow") for text in ("1.5", "2 l/min", "defekt", "3 bar")]
    [1.5, 2.0, nan, None]
    >>> cells.notes()
    ['1 cell holds the unit l/min (flow)', "1 cell says 'defekt', which counts as missing"]
    >>> CellReader(missing=["-999"]).read("-999.0", "flow")
    nan
    """

    def __init__(
        self,
        decimal_comma: bool = False,
        thousands: str = "",
        missing: Iterable[str] = (),
        origin: str = "",
        signals: Mapping[str, Signal] | None = None,
    ) -> None:
        self.signals = signals or {}
        self.decimal_comma, self.thousands, self.origin = decimal_comma, thousands, origin
        self.missing = frozenset(word.strip().casefold() for word in missing)
        self.sentinels = _sentinels(self.missing)
        """Numbers that stand for a missing value, each with its word."""
        self.units = {column: signal.unit for column, signal in self.signals.items() if signal.unit}
        """Unit of each column that has one."""
        self.understood: Counter[str] = Counter()
        """Number of cells understood by each rule, by the rule in words."""
        self._words: dict[str, str] = {}
        self._switches = {column: signal.words for column, signal in self.signals.items() if signal.on or signal.off}

    def another(self) -> CellReader:
        """A reader of the same form that has read nothing yet and says nothing."""
        return CellReader(self.decimal_comma, self.thousands, self.missing, signals=self.signals)

    def read(self, text: str, column: str) -> float | None:
        """A cell's number, NaN when it is missing, None when it is text.

        Args:
            text: The cell.
            column: Its column's name.
        """
        text = text.strip()
        word = text.casefold()
        if self._switches and (switch := self._switches.get(column, {}).get(word)) is not None:
            return switch
        if word in self.missing or word in MISSING_WORDS:
            self._count(word, _says_missing(text))
            return math.nan
        value = number(text, self.decimal_comma, self.thousands)
        if value is not None and word in SWITCHES:
            if word not in ("true", "false"):
                self._count(word, f"says {text!r}, which counts as {value:g}")
            return value
        value = self._with_unit(text, column) if value is None else value
        return value if value is None else self.measured(value)

    def measured(self, value: float) -> float:
        """A source's number, NaN where a word for a missing value is this number; that is counted, as a cell's word is.

        Args:
            value: As the source has it.
        """
        word = self.sentinels.get(value)
        if word is None:
            return value
        self._count(word, _says_missing(word))
        return math.nan

    def clear(self, values: Any) -> None:
        """Make NaN of numbers that stand for a missing value, as `measured` does of one.

        Args:
            values: Array of doubles, of any shape; it is changed.
        """
        for value, word in self.sentinels.items():
            places = values == value
            if count := int(places.sum()):
                values[places] = math.nan
                self._count(word, _says_missing(word), count)

    def _with_unit(self, text: str, column: str) -> float | None:
        parts = unit_of(text)
        if parts is None or self.units.get(column, parts[1]) != parts[1]:
            return None
        value = _number(parts[0], self.decimal_comma, self.thousands)
        if value is not None:
            self.units[column] = parts[1]
            self._count("", f"holds the unit {parts[1]} ({column})")
        return value

    def _count(self, word: str, rule: str, count: int = 1) -> None:
        rule = self._words.setdefault(word, rule) if word else rule  # a word is one, in capitals or not
        self.understood[rule] += count
        if self.origin and self.understood[rule] == count:
            log.warning("%s: a cell %s", self.origin, rule)

    def notes(self) -> list[str]:
        """Clauses on the cells that were understood by a rule, with their number."""
        return clauses(self.understood)


def _says_missing(text: str) -> str:
    return f"says {text!r}, which counts as missing"


def _sentinels(words: Iterable[str]) -> dict[float, str]:
    """Words that are numbers, by their number and by what a sensor or a file that keeps 4 bytes makes of it."""
    sentinels: dict[float, str] = {}
    for word in sorted(words):
        value = _number(word, decimal_comma=True, thousands="")
        if value is None or not math.isfinite(value):
            continue
        sentinels.setdefault(value, word)
        with suppress(OverflowError):
            sentinels.setdefault(struct.unpack("f", struct.pack("f", value))[0], word)
    return sentinels


def clauses(understood: Mapping[str, int]) -> list[str]:
    """Clauses on cells that were understood by a rule.

    Args:
        understood: Number of cells by the rule.

    >>> clauses({"says 'k.A.', which counts as missing": 2})
    ["2 cells say 'k.A.', which count as missing"]
    """
    return [
        f"{count} cell{'s' * (count > 1)} {rule if count == 1 else _plural(rule)}" for rule, count in understood.items()
    ]


def _plural(rule: str) -> str:
    """A rule with its verb in the plural."""
    return rule.replace("says", "say", 1).replace("holds", "hold", 1).replace("which counts", "which count", 1)
