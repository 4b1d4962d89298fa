"""One cell of a row: a number, a missing value, or text."""

from __future__ import annotations

import csv
import math

from ..errors import SeriesError

MISSING = frozenset({"", "-", "?", "na", "n/a", "#n/a", "<na>", "#na", "nan", "-nan", "null", "none", "nil", "missing"})


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
        thousands: What groups thousands, if anything does.

    >>> number("1.5"), number(" NA "), number("1.234,5", decimal_comma=True, thousands="."), number("high")
    (1.5, nan, 1234.5, None)
    """
    text = text.strip()
    plain = text.replace(thousands, "") if thousands else text
    for candidate in (plain, plain.replace(",", ".") if decimal_comma else plain):
        try:
            return float(candidate)
        except ValueError:
            continue
    word = text.casefold()
    return math.nan if word in MISSING else {"true": 1.0, "false": 0.0}.get(word)


def is_number(cell: str) -> bool:
    """Whether a cell reads as a number; words for a missing one do not count."""
    try:
        float(cell)
    except ValueError:
        return False
    return cell.casefold() not in MISSING
