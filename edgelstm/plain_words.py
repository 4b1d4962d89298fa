"""A detector's quality and limits in plain words, from the metadata of its file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .runtime.calibration import promise_doubt
from .runtime.model_file.detection_limits import SECTION
from .runtime.model_file.metadata import Metadata

MOST_NAMED = 4  # channels in a sentence; a table has them all


def sentences(metadata: Metadata) -> list[str]:
    """Sentences about faults that a detector would find, and how often it would be wrong.

    Args:
        metadata: The model's, with scoring and threshold.
    """
    limits = metadata.sections.get(SECTION)
    faults = list(_found(limits, metadata)) if limits else []
    return [*faults, *_false_alarms(metadata)]


def _found(limits: Mapping[str, Any], metadata: Metadata) -> Iterator[str]:
    units = {channel.name: channel.unit for channel in metadata.channels}
    within = duration(limits["rows"], metadata.period)
    channels = limits["channels"]
    constant = {channel.name for channel in metadata.channels if channel.train_low == channel.train_high}
    named = [(limit["channel"], limit["offset"]) for limit in channels if limit["offset"] is not None]
    named.sort(key=lambda one: one[0] in constant)  # what stood still in training says least
    if named:
        parts = [f"{amount(size, units.get(name, ''))} in {name}" for name, size in named[:MOST_NAMED]]
        others = len(named) - MOST_NAMED
        more = f" ({others} more channel{'s' * (others > 1)})" if others > 0 else ""
        yield f"Would find an offset of {listed(parts, 'or')}{more} within {within}, in {limits['share']:.0%} of cases."
    still = [limit["stuck"] for limit in channels if limit["stuck"] is not None]
    if still:
        which = "any sensor" if len(still) == len(channels) else f"{len(still)} of {len(channels)} sensors"
        yield f"Would find {which} that stands still, after {duration(max(still), metadata.period)} at most."
    blind = [limit["channel"] for limit in channels if limit["offset"] is None and limit["stuck"] is None]
    if blind:
        yield f"Would find no such fault of {listed(blind[:MOST_NAMED], 'or')} within {within}."


def _false_alarms(metadata: Metadata) -> Iterator[str]:
    threshold = metadata.threshold
    if threshold is None:
        return
    if threshold.method == "alarms" and threshold.number:
        aim = rate(threshold.number) if metadata.period else f"about {threshold.number:g} false alarms in 1000 rows"
        yield f"The threshold aims at {aim}."
        if doubt := promise_doubt(metadata):
            yield doubt
    elif threshold.method == "limits" and threshold.number:
        yield (
            f"The threshold is {_times(threshold.number)}the limit of normal operation; `edgelstm evaluate` on newer rows says "
            "how many false alarms that means."
        )
    elif threshold.method == "quantile" and threshold.quantile:
        yield f"The threshold lies above {threshold.quantile:.2%} of the scores of normal operation."


def _times(number: float) -> str:
    return "" if number == 1 else f"{number:g} times "


def rate(a_day: float) -> str:
    """A rate of false alarms in words.

    >>> rate(0.1), rate(1.0), rate(3.0)
    ('about one false alarm in 10 days', 'about one false alarm a day', 'about 3 false alarms a day')
    """
    if a_day < 1:
        return f"about one false alarm in {1 / a_day:.3g} days"
    return "about one false alarm a day" if a_day == 1 else f"about {a_day:g} false alarms a day"


def duration(rows: float, period: float | None) -> str:
    """A number of rows as a time; rows where there is no time.

    Args:
        rows: Rows.
        period: Seconds between rows; None without time.

    >>> duration(20, 1.0), duration(60, 600.0), duration(1, None)
    ('20 s', '10 h', '1 row')
    """
    if not period:
        return f"{rows:g} row{'' if rows == 1 else 's'}"
    seconds = rows * period
    for size, unit in ((86_400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 3 * size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"


def amount(size: float, unit: str) -> str:
    """A size with its unit.

    Args:
        size: Number, in the unit.
        unit: Empty where it is unknown.

    >>> amount(0.4, "bar"), amount(12000.0, "")
    ('0.4 bar', '12000')
    """
    number = f"{size:.6g}"
    return f"{number} {unit}" if unit else number


def listed(parts: list[str], word: str) -> str:
    """Parts joined for a sentence.

    Args:
        parts: One or more.
        word: Between the last two.

    >>> listed(["a", "b", "c"], "or")
    'a, b or c'
    """
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} {word} {parts[-1]}"
