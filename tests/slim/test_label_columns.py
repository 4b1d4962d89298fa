"""Label columns are known by their names, and suspected by their cells."""

import numpy as np
import pytest
from edgelstm.runtime.errors import SeriesError

from edgelstm.data.label_cells import read_labels
from edgelstm.data.label_columns import advice, find_label_column, likely_label_columns, require_label_column


def table(path, **columns):
    """A CSV file of some columns."""
    rows = zip(*columns.values(), strict=True)
    path.write_text(",".join(columns) + "\n" + "".join(",".join(map(str, row)) + "\n" for row in rows))
    return path


ROWS = 60
FLOW = [f"{value:.3f}" for value in np.sin(np.arange(ROWS))]
FLAGS = [int(20 <= row < 25) for row in range(ROWS)]


@pytest.mark.parametrize(
    ("cells", "is_label"),
    [
        (FLAGS, True),
        ([f"{flag:.5f}" for flag in FLAGS], True),
        ([-1 if flag else 1 for flag in FLAGS], True),
        (["True" if flag else "False" for flag in FLAGS], True),
        (["leak" if flag else "" for flag in FLAGS], True),
        (["leak" if flag else "running" for flag in FLAGS], True),
        (["pump"] * ROWS, False),
        ([row % 4 for row in range(ROWS)], False),
        (FLOW, False),
        ([f"note {row}" for row in range(ROWS)], False),
    ],
)
def test_two_flags_or_a_few_words_look_like_labels(cells, is_label, tmp_path):
    path = table(tmp_path / "rows.csv", flow=FLOW, other=cells)

    assert likely_label_columns(path, ["flow"]) == (["other"] if is_label else [])


def test_a_channel_is_no_label_whatever_it_holds(tmp_path):
    path = table(tmp_path / "rows.csv", flow=FLOW, valve=FLAGS)

    assert likely_label_columns(path, ["flow", "valve"]) == []
    assert advice(path, ["flow", "valve"]) == ""


def test_a_usual_name_is_taken_in_any_case(tmp_path):
    assert find_label_column(table(tmp_path / "rows.csv", flow=FLOW, Anomaly=FLAGS)) == "Anomaly"


def test_a_column_that_is_missing_is_an_error_with_those_there_are(tmp_path):
    path = table(tmp_path / "rows.csv", flow=FLOW, defect=FLAGS)

    with pytest.raises(SeriesError, match=r"has no column 'fault'; it has flow, defect"):
        require_label_column(path, "fault")
    with pytest.raises(SeriesError, match="defect looks like labels"):
        require_label_column(path, None, ["flow"])


def test_any_zero_is_normal():
    assert read_labels(np.array(["0.00000", "-0", "0", "1e0", "OK"])).tolist() == [False, False, False, True, False]
