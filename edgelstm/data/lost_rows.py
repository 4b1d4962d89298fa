"""Rows that a series lost while it was read: where they are most of a file, something is misread."""

from .series import Series

HALF = 0.5  # share of the rows from which a loss is reported


def lost_rows(series: Series) -> str:
    """Explain the loss of more than half of the rows.

    Args:
        series: As it was read; rows that a label excludes are no loss.

    Returns:
        A sentence with the likely reason and the remedy; empty where most rows are used.
    """
    repairs = series.repairs
    used = sum(stop - start for start, stop in series.segments) - repairs.inserted
    rows = len(series.values) - repairs.inserted + repairs.doubled + repairs.untimed
    lost = rows - used - repairs.labelled
    if lost <= HALF * rows:
        return ""
    reasons = {
        f"{repairs.doubled:,} have a time that was there already; check --time-column": repairs.doubled,
        f"{repairs.untimed:,} have no time; check --time-column": repairs.untimed,
        f"{repairs.dropped:,} lack values; leave columns full of holes out with --columns": repairs.dropped,
    }
    reason = max(reasons, key=lambda text: reasons[text])
    return f"{lost:,} of {rows:,} rows were not used: {reason}."
