"""Rows without a score: where they are most of a file, the likely reason and the remedy."""

import numpy as np
import numpy.typing as npt

from ..data.series import Series

HALF = 0.5  # share of the rows from which a lack of scores is reported


def unscored_rows(series: Series, scores: npt.NDArray[np.float64], window: int) -> str:
    """Explain why more than half of the rows got no score.

    Args:
        series: The rows as they are in the file.
        scores: Score of each row, NaN where there is none, shape (T,).
        window: Rows that the model needs before its first score.

    Returns:
        A sentence with the likely reason and the remedy; empty where most rows were scored.
    """
    rows, scored = len(scores), int(np.isfinite(scores).sum())
    if scored >= HALF * rows and scored:
        return ""
    return f"{scored:,} of {rows:,} rows were scored: {_reason(series, rows, window)}."


def _reason(series: Series, rows: int, window: int) -> str:
    missing = np.isnan(series.values)
    untimed = int(np.isnan(series.time).sum())
    times = np.where(np.isnan(series.time), -np.inf, series.time)
    repeated = int((times[1:] <= np.maximum.accumulate(times)[:-1]).sum()) - untimed
    worst = int(missing.sum(axis=0).argmax())
    counts = {
        f"{int(missing.any(axis=1).sum()):,} lack a value, most often of {series.channels[worst]}; fill the holes, or "
        "retrain without that channel": int(missing.any(axis=1).sum()),
        f"{repeated:,} have a time that is not after the row before; check --time-column": repeated,
        f"{untimed:,} have no time; check --time-column": untimed,
    }
    reason = max(counts, key=lambda text: counts[text])
    if counts[reason] > 0:
        return reason
    if rows <= window:
        return f"the model needs {window} rows for its first score; give more rows"
    return "the rows are cut by gaps, or their rate is not that of the training; compare both files"
