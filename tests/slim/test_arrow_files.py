"""Parquet and Arrow files wherever a CSV file is read, and the error where the extra is missing."""

import datetime as dt

import numpy as np
import pytest
from edgelstm.runtime.errors import ConfigError, SeriesError
from edgelstm.runtime.io import extras
from edgelstm.runtime.sources import Columns, open_file
from edgelstm.runtime.sources.arrow_table import BLOCK
from edgelstm.runtime.sources.record_table import open_path

from edgelstm.data.series import read_series

START = dt.datetime(2024, 5, 1, 12, tzinfo=dt.timezone.utc)
ROWS = BLOCK + 500
TIMES = [START + dt.timedelta(seconds=row) for row in range(ROWS)]
FLOW = np.sin(np.arange(ROWS) / 9).astype(np.float32)


def test_without_the_extra_the_error_names_it(tmp_path, monkeypatch):
    monkeypatch.setattr(extras, "installed_version", lambda _: ())
    (tmp_path / "a.csv").write_bytes(b"PAR1 whatever")

    with pytest.raises(ConfigError, match=r"A Parquet or Arrow file needs pyarrow 17 or newer.*'edgelstm\[parquet\]'"):
        open_path(tmp_path / "a.csv")
    with pytest.raises(ConfigError, match=r"edgelstm\[parquet\]"):
        list(open_file(tmp_path / "a.csv", Columns(("flow",))))


def arrow():
    return pytest.importorskip("pyarrow", reason="the extra [parquet] is not installed")


def table(**more):
    pa = arrow()
    motor = pa.array([None if row == 7 else row % 50 for row in range(ROWS)], pa.int16())
    return pa.table({"at": pa.array(TIMES, pa.timestamp("ns", "UTC")), "flow": FLOW, "motor": motor, **more})


def write(path, content):
    """Write a table in the format that the file's name says."""
    import pyarrow as pa
    import pyarrow.feather
    import pyarrow.parquet

    if path.suffix == ".parquet":
        pa.parquet.write_table(content, path, row_group_size=3000)
    elif path.suffix == ".feather":
        pa.feather.write_feather(content, path, chunksize=3000)
    else:
        with pa.ipc.new_stream(str(path), content.schema) as stream:
            stream.write_table(content)
    return path


@pytest.mark.parametrize("name", ["a.parquet", "a.feather", "a.arrows"])
def test_training_and_device_read_every_format_alike(tmp_path, name):
    path = write(tmp_path / name, table())

    series = read_series([path], repair=False)
    samples = list(open_file(path, Columns(("motor", "flow"))))

    assert series.channels == ("flow", "motor")
    assert series.time.tolist() == [moment.timestamp() for moment in TIMES]
    assert np.array_equal(series.values[:, 0], FLOW.astype(np.float64))  # single precision comes as it is
    assert np.flatnonzero(np.isnan(series.values[:, 1])).tolist() == [7]
    assert np.array_equal([sample.values for sample in samples], series.values[:, ::-1], equal_nan=True)
    assert [sample.time for sample in samples] == series.time.tolist()


def test_columns_of_every_type(tmp_path):
    pa = arrow()
    rows = range(60)
    content = pa.table(
        {
            "local": pa.array([moment.replace(tzinfo=None) for moment in TIMES[:60]], pa.timestamp("ms")),
            "state": pa.array(["run" if row % 9 else "leak" for row in rows]).dictionary_encode(),
            "on": pa.array([row % 2 == 0 for row in rows]),
            "bearing": pa.array([{"temp": 40.0 + row % 7, "ends": {"left": row % 5}} for row in rows]),
            "cycle": pa.array([None if row == 3 else dt.timedelta(milliseconds=1500 + row % 4) for row in rows]),
            "spectrum": pa.array([[1.0, 2.0]] * 60),
            "empty": pa.nulls(60),
        }
    )

    series = read_series([write(tmp_path / "a.parquet", content)], label_column="state", repair=False)

    assert series.channels == ("on", "bearing.temp", "bearing.ends.left", "cycle")
    assert series.values[:2].tolist() == [[1.0, 40.0, 0.0, 1.5], [0.0, 41.0, 1.0, 1.501]]
    assert np.isnan(series.values[3, 3])
    assert series.time[0] == START.timestamp()
    assert series.labels[:2].tolist() == ["leak", "run"]
    assert set(series.repairs.ignored) == {"spectrum", "empty"}


def test_dates_before_1970_and_missing_times(tmp_path):
    pa = arrow()
    times = pa.array([-1, None, 1], pa.timestamp("s"))

    opened = open_path(write(tmp_path / "a.parquet", pa.table({"time": times, "v": [1, 2, 3]})))

    assert [cells[0] for _, cells in opened.rows()] == ["1969-12-31T23:59:59.000000", "", "1970-01-01T00:00:01.000000"]


def test_long_tables_are_pivoted(tmp_path):
    pa = arrow()
    names = [name for _ in range(300) for name in ("temp", "hum")]
    times = pa.array([START + dt.timedelta(minutes=row // 2) for row in range(600)])
    content = pa.table({"time": times, "sensor": names, "value": [float(row % 37) for row in range(600)]})

    assert read_series([write(tmp_path / "a.parquet", content)]).channels == ("temp", "hum")


@pytest.mark.parametrize("name", ["a.parquet", "a.feather", "a.arrows"])
def test_a_damaged_file_is_an_error_of_one_line(tmp_path, name):
    path = write(tmp_path / name, table())
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])

    with pytest.raises(SeriesError, match=r"a\.\w+ cannot be read \(.*\)\. Write the file anew\."):
        read_series([path])


def test_a_file_without_rows_is_refused(tmp_path):
    path = write(tmp_path / "a.parquet", table().slice(0, 0))

    with pytest.raises(SeriesError, match=r"a\.parquet holds no rows"):
        read_series([path])


def test_text_among_numbers_names_the_row(tmp_path):
    pa = arrow()
    content = pa.table({"flow": ["1.5", "2.5", "broken", *["3.5"] * 20]})

    with pytest.raises(SeriesError, match="line 3, column 'flow': 'broken'"):
        read_series([write(tmp_path / "a.parquet", content)])


def test_a_number_that_stands_for_a_missing_value_is_found_in_columns_of_4_bytes(tmp_path):
    flow = FLOW.copy()
    flow[3] = -999.9
    path = write(tmp_path / "a.parquet", table().set_column(1, "flow", arrow().array(flow)))
    series = read_series([path], missing=["-999.9"])
    samples = list(open_file(path, Columns(("flow",), missing=("-999.9",))))

    assert series.values[:, 0].min() >= -1
    assert np.isnan([sample.values[0] for sample in samples]).nonzero()[0].tolist() == [3]
