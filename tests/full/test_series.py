"""CSV files as they come."""

import gzip
import math

import numpy as np
import pytest
from edgelstm.runtime.errors import SeriesError

from edgelstm.data.label_cells import read_labels
from edgelstm.data.regular_grid import FILL
from edgelstm.data.series import read_series


def write(folder, text, name="a.csv"):
    path = folder / name
    path.write_text(text)
    return path


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_any_separator_is_found(tmp_path, separator):
    path = write(tmp_path, "time;flow;level\n0;1.5;2\n1;1.6;3\n".replace(";", separator))

    series = read_series([path])

    assert series.channels == ("flow", "level")
    assert series.values.tolist() == [[1.5, 2.0], [1.6, 3.0]]
    assert series.period == 1.0


def test_a_file_without_header_and_time_counts_rows(tmp_path):
    series = read_series([write(tmp_path, "1.5,2\n1.6,3\n1.7,4\n")])

    assert series.channels == ("column_1", "column_2")
    assert series.time.tolist() == [0.0, 1.0, 2.0]
    assert series.period is None


def test_unsorted_and_doubled_rows_are_repaired_and_counted(tmp_path):
    path = write(tmp_path, "time,x\n0,0\n2,2\n1,1\n1,9\n3,3\n")

    series = read_series([path])

    assert series.values.ravel().tolist() == [0.0, 1.0, 2.0, 3.0]
    assert (series.repairs.reordered, series.repairs.doubled) == (1, 1)


def test_short_holes_are_filled_and_long_ones_cut(tmp_path):
    rows = [0, 1, 2, 5, 6, 20, 21]
    series = read_series([write(tmp_path, "time,x\n" + "".join(f"{t},{t}\n" for t in rows))])

    assert series.time.tolist() == [0, 1, 2, 3, 4, 5, 6, 20, 21]
    assert series.values.ravel().tolist() == series.time.tolist()
    assert series.segments == ((0, 7), (7, 9))
    assert (series.repairs.inserted, series.repairs.gaps) == (2, 1)


@pytest.mark.parametrize("missing", [1, FILL, FILL + 1])
def test_missing_values_are_bridged_up_to_a_limit(tmp_path, missing):
    cells = ["0.0", *[""] * missing, str(float(missing + 1)), "9.0"]
    series = read_series([write(tmp_path, "time,x,y\n" + "".join(f"{i},{c},1\n" for i, c in enumerate(cells)))])

    if missing <= FILL:
        assert series.values[: missing + 2, 0].tolist() == list(range(missing + 2))
        assert series.repairs.filled == missing
    else:
        assert series.repairs.dropped == missing
        assert len(series.segments) == 2


def test_labels_and_text_columns_are_never_inputs(tmp_path):
    path = write(tmp_path, "time,x,anomaly,place\n0,1,0,hall\n1,2,1,hall\n")

    series = read_series([path], label_column="anomaly")

    assert series.channels == ("x",)
    assert read_labels(series.labels).tolist() == [False, True]
    assert "place" in series.repairs.ignored


def test_text_in_a_number_column_names_file_row_and_column(tmp_path):
    path = write(tmp_path, "time,x\n0,1\n1,broken\n2,3\n")

    with pytest.raises(SeriesError, match=r"a\.csv, line 3, column 'x': 'broken'"):
        read_series([path])


def test_several_files_become_segments(tmp_path):
    first, second = write(tmp_path, "x\n1\n2\n"), write(tmp_path, "x\n3\n4\n", "b.csv")

    assert read_series([first, second]).segments == ((0, 2), (2, 4))


def test_gzip_is_read(tmp_path):
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(b"x,y\n1,2\n3,4\n"))

    assert np.array_equal(read_series([path]).values, [[1, 2], [3, 4]])


@pytest.mark.parametrize(
    ("content", "word"), [("", "empty"), ("time,x\n", "no rows"), ("name\nanna\nbert\n", "no column of numbers")]
)
def test_files_without_data_say_so(tmp_path, content, word):
    with pytest.raises(SeriesError, match=word):
        read_series([write(tmp_path, content)])


@pytest.mark.parametrize("order", ["one value a row", "one pump a row"])
def test_a_column_with_a_labels_name_is_no_channel_of_a_long_table(tmp_path, order):
    """Neither of one with a value a row, nor of one with a row for each of several assets."""
    rows = [(60 * row, round(math.sin(row / 9), 2), row % 7, int(row % 40 == 3)) for row in range(400)]
    lines = ["time,flow,motor,Anomaly,fault,pump"]
    lines += [f"{time},{flow},{motor},{label},,{pump}" for time, flow, motor, label in rows for pump in "AB"]
    names = ("A.flow", "A.motor", "B.flow", "B.motor")
    if order == "one value a row":
        lines, names = ["time,key,value,Anomaly,fault"], ("flow", "motor")
        lines += [
            f"{row[0]},{name},{value},{row[3]}," for row in rows for name, value in zip(names, row[1:3], strict=True)
        ]
    path = write(tmp_path, "\n".join(lines))
    series, labelled = read_series([path]), read_series([path], label_column="Anomaly")

    assert series.channels == labelled.channels == names
    assert any("not used as inputs: Anomaly, fault" in sentence for sentence in series.repairs.sentences())
    assert labelled.labels is not None
    assert labelled.labels.any()


def test_a_column_called_label_may_name_the_channels_of_a_long_table(tmp_path):
    rows = [f"{60 * row},{label},{10 * label + row % 7}" for row in range(400) for label in (1, 2)]

    assert read_series([write(tmp_path, "\n".join(["time,label,value", *rows]))]).channels == ("1", "2")
