"""Warnings, with the likely reason, about rows that are lost or get no score."""

import numpy as np
import pytest

from edgelstm.data.lost_rows import lost_rows
from edgelstm.data.series import Series, read_series
from edgelstm.evaluation.unscored_rows import unscored_rows


def series(values, time=None):
    """Raw rows of two channels."""
    values = np.asarray(values, float)
    time = np.arange(len(values), dtype=float) if time is None else np.asarray(time, float)
    return Series(values, time, ("flow", "pressure"), 1.0, ((0, len(values)),))


def read(path, rows):
    """A series as training reads it."""
    path.write_text("time,flow,pressure\n" + "".join(f"{time},{first},{second}\n" for time, first, second in rows))
    return read_series([path])


def test_losses_of_several_kinds_that_add_up_to_more_than_half_are_reported(tmp_path):
    """Each alone is below the half that reading refuses."""
    times = [1_700_000_000 + row if row >= 35 else "" for row in range(100)]
    rows = read(tmp_path / "rows.csv", [(time, row, row if row < 70 else "") for row, time in enumerate(times)])

    sentence = lost_rows(rows)
    assert sentence == "65 of 100 rows were not used: 35 have no time; check --time-column."


def test_nothing_is_said_where_most_rows_are_used(tmp_path):
    rows = read(tmp_path / "rows.csv", [(1_700_000_000 + row, row, row if row % 3 else "") for row in range(100)])

    assert lost_rows(rows) == ""


def holes(column, share):
    """A hundred rows, of which a share lacks one channel."""
    values = np.ones((100, 2))
    values[: int(100 * share), column] = np.nan
    return values


@pytest.mark.parametrize(
    ("rows", "scored", "reason"),
    [
        (series(holes(1, 0.8)), 20, "20 of 100 rows were scored: 80 lack a value, most often of pressure"),
        (
            series(np.ones((100, 2)), np.repeat(np.arange(10), 10)),
            10,
            "90 have a time that is not after the row before",
        ),
        (series(np.ones((100, 2)), [np.nan] * 70 + list(range(30))), 30, "70 have no time"),
        (series(np.ones((8, 2))), 0, "the model needs 9 rows for its first score"),
        (series(np.ones((100, 2))), 0, "the rows are cut by gaps, or their rate is not that of the training"),
    ],
)
def test_the_likely_reason_of_missing_scores_is_named(rows, scored, reason):
    scores = np.full(len(rows.values), np.nan)
    scores[:scored] = 1.0

    assert reason in unscored_rows(rows, scores, window=9)


def test_nothing_is_said_where_most_rows_have_a_score():
    scores = np.r_[np.full(8, np.nan), np.ones(92)]

    assert unscored_rows(series(np.ones((100, 2))), scores, window=9) == ""
