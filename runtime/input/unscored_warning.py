"""Coverage of a stream: a warning where most rows were not scored, with the likely reason and the remedy."""

from __future__ import annotations

from collections.abc import Mapping

from ..model_file.metadata import Metadata
from .policies import warmup

SCORED = ("ok", "held", "merged")  # statuses of rows that have a score, but in rare cases
REASONS = {
    "unreadable": "could not be read; check the format and the columns (--columns)",
    "missing": "have no usable value; check the columns (--columns), and name words for a missing value with --missing",
    "duplicate": "have the time of the row before; check the clock of the source and --time-column: the date and the time of day may be two columns",
    "late": "are older than the row before; check --time-column and the order of the rows",
    "early": "follow the row before in less than half of the model's period{period}; resample them, or retrain",
    "time": "have no time; check --time-column",
    "warmup": "were taken for warm-up: the model needs {window} rows in a row, at its period{period}",
    "covariates": "lack covariates of the rows to come; send them as rows with empty targets",
    "untrusted": "lack too many readings; check the sensors and the columns (--columns)",
}


def coverage_warning(
    metadata: Metadata, scored: int, statuses: Mapping[str, int], unreadable: int = 0, verb: str = "scored"
) -> str:
    """Explain why more than half of the rows got no score.

    Args:
        metadata: The model's.
        scored: Number of rows with a score.
        statuses: Number of rows by the status of their result.
        unreadable: Number of lines that gave no row.
        verb: Word for what the model does with a row.

    Returns:
        A sentence with the likely reason and the remedy; empty where most rows were scored.

    >>> metadata = Metadata("forecaster", window=24, period=60.0)
    >>> coverage_warning(metadata, 900, {"ok": 900, "warmup": 24})
    ''
    >>> print(coverage_warning(metadata, 76, {"ok": 76, "warmup": 24, "duplicate": 900}))
    76 of 1,000 rows were scored: 900 have the time of the row before; check the clock of the source and --time-column: the date and the time of day may be two columns.
    """
    rows = sum(statuses.values()) - statuses.get("ahead", 0) + unreadable
    if not rows or (scored and 2 * scored >= rows):
        return ""
    counts = {status: statuses.get(status, 0) for status in REASONS} | {"unreadable": unreadable}
    counts["untrusted"] = max(0, sum(statuses.get(status, 0) for status in SCORED) - scored)
    worst = max(counts, key=lambda status: counts[status])
    period = f" of {metadata.period:g} s" if metadata.period else ""
    reason = REASONS[worst].format(period=period, window=warmup(metadata))
    return f"{scored:,} of {rows:,} rows were {verb}: {counts[worst]:,} {reason}."
