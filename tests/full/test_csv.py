"""The many ways in which exports are written."""

import math
from contextlib import suppress

import numpy as np
import pytest
from edgelstm.runtime.errors import EdgelstmError, SeriesError
from edgelstm.runtime.model_file.metadata import Channel, Metadata
from edgelstm.runtime.sources import Columns, TextSource
from edgelstm.runtime.sources.csv_table import CsvTable
from edgelstm.runtime.sources.line_reader import read_lines
from forms import CONTENTS, MOMENTS, TIMES, VALUES, as_bytes
from hypothesis import given, settings
from hypothesis import strategies as st

from edgelstm.data.series import read_for_model, read_series, without_labelled


def read(folder, content, **options):
    path = folder / "a.csv"
    path.write_bytes(as_bytes(content))
    return read_series([path], **options)


@pytest.mark.parametrize("content", CONTENTS)
def test_however_it_is_written_the_numbers_are_the_same(tmp_path, content):
    series = read(tmp_path, content)

    assert series.channels == ("a", "b")
    assert series.values.tolist() == VALUES
    assert series.time.tolist() == [0.0, 1.0]


@pytest.mark.parametrize("content", CONTENTS)
def test_the_device_reads_every_form_that_training_reads(tmp_path, content):
    series = read(tmp_path, content)
    samples = list(TextSource(tmp_path / "a.csv", Columns(series.channels)))

    assert [sample.values for sample in samples] == series.values.tolist()
    assert [sample.time for sample in samples] == series.time.tolist()


def test_quoted_names_keep_separators_and_umlauts_survive_an_old_encoding(tmp_path):
    assert read(tmp_path, '"time","a, raw"\n0,1\n1,2\n').channels == ("a, raw",)
    assert read(tmp_path, "time;Öl °C\n0;1\n1;2\n".encode("latin-1")).channels == ("Öl °C",)


@pytest.mark.parametrize("cells", TIMES)
def test_times_are_read_in_every_usual_form_mixed_ones_too(tmp_path, cells):
    series = read(tmp_path, f"time,a\n{cells[0]},1\n{cells[1]},2\n")

    assert series.time.tolist() == MOMENTS


def test_a_date_and_a_time_of_day_in_two_columns_are_one_time(tmp_path):
    series = read(
        tmp_path, "Date;Time;power\n16/12/2006;17:24:00;4,216\n16/12/2006;17:25:00;?\n16/12/2006;17:26:00;5\n"
    )

    assert series.channels == ("power",)
    assert series.period == 60.0
    assert series.repairs.filled == 1


def test_american_dates_are_recognized_by_a_day_above_twelve_and_said(tmp_path):
    series = read(tmp_path, "time,a\n1/12/2024,1\n1/13/2024,2\n1/14/2024,3\n")

    assert series.period == 86_400
    assert any("month/day/year" in sentence for sentence in series.repairs.sentences())


@pytest.mark.parametrize("word", ["", "NaN", "null", "NA", "-", "?", "n/a", "inf", "None", "missing"])
def test_words_for_a_missing_value_are_missing_values(tmp_path, word):
    series = read(tmp_path, f"time,a\n0,1\n1,{word}\n2,3\n")

    assert series.values.ravel().tolist() == [1.0, 2.0, 3.0]
    assert series.repairs.filled == 1


def test_rows_without_a_time_are_left_out_and_counted(tmp_path):
    series = read(tmp_path, "time,a\n0,1\n,9\n1,2\n")

    assert series.values.ravel().tolist() == [1.0, 2.0]
    assert series.repairs.untimed == 1


def test_a_row_counter_is_no_channel(tmp_path):
    rows = "".join(f"{i},{i % 7}\n" for i in range(60))

    assert read(tmp_path, ",a\n" + rows).channels == ("a",)


def test_a_row_with_too_many_cells_is_named(tmp_path):
    with pytest.raises(SeriesError, match="line 6: 4 cells under 3 columns"):
        read(tmp_path, "# logger\n# 17\ntime,a,b\n0,1,2\n1,1,2\n2,3,4,5\n3,1,2\n")


@pytest.mark.parametrize(("columns", "said"), [(["a"], "several columns called a"), (["b", "b"], "b is named twice")])
def test_a_column_that_is_not_one_is_refused_by_its_name(tmp_path, columns, said):
    with pytest.raises(SeriesError, match=said):
        read(tmp_path, "a,b,a\n1,2,3\n2,3,4\n", columns=columns)


def test_a_file_that_is_no_text_is_refused(tmp_path):
    with pytest.raises(SeriesError, match="no text file"):
        read(tmp_path, bytes(range(256)))


def test_text_far_down_the_file_is_named_with_its_row(tmp_path):
    rows = ["1.5"] * 150_000
    rows[140_000] = "broken"

    with pytest.raises(SeriesError, match="line 140002, column 'a': 'broken'"):
        read(tmp_path, "a,b\n" + "".join(f"{cell},1\n" for cell in rows))


def test_files_that_follow_each_other_in_time_are_one_series_whatever_their_order(tmp_path):
    paths = [tmp_path / name for name in ("later.csv", "sooner.csv")]
    paths[0].write_text("time,a\n3,3\n4,4\n")
    paths[1].write_text("time,a\n0,0\n1,1\n2,2\n")

    series = read_series(paths)

    assert series.values.ravel().tolist() == [0, 1, 2, 3, 4]
    assert series.segments == ((0, 5),)


def test_files_of_different_rates_are_refused(tmp_path):
    paths = [tmp_path / name for name in ("second.csv", "minute.csv")]
    paths[0].write_text("time,a\n0,0\n1,1\n2,2\n")
    paths[1].write_text("time,a\n60,0\n120,1\n180,2\n")

    with pytest.raises(SeriesError, match=r"minute\.csv has a row every 60 s, second\.csv every 1 s"):
        read_series(paths)


def test_rows_labelled_as_anomalous_are_cut_out_and_counted(tmp_path):
    series = read(tmp_path, "a,state\n1,0\n2,0\n9,1\n9,1\n3,0\n", label_column="state")
    series = without_labelled(series)

    assert series.channels == ("a",)
    assert [part.ravel().tolist() for part in series.parts()] == [[1.0, 2.0], [3.0]]
    assert series.repairs.labelled == 2


def test_a_label_column_is_never_a_channel(tmp_path):
    with pytest.raises(SeriesError, match="label column"):
        read(tmp_path, "a,state\n1,0\n2,0\n", columns=["a", "state"], label_column="state")


def test_a_hundred_thousand_rows_are_repaired_in_seconds(tmp_path):
    random = np.random.default_rng(0)
    kept = np.sort(random.choice(200_000, 150_000, replace=False))
    series = read(tmp_path, "time,a\n" + "".join(f"{t},{t}\n" for t in kept.tolist()))

    assert np.array_equal(series.values.ravel(), series.time)
    assert series.repairs.inserted > 0


def test_the_format_is_said_as_data(tmp_path):
    (tmp_path / "a.csv").write_text("Zeit;Druck\n0;1,5\n1;1.234,5\n")
    found = CsvTable(read_lines(tmp_path / "a.csv"), "a.csv").dialect

    assert (found.separator, found.decimal, found.thousands, found.skip) == (";", ",", ".", 1)


def test_training_reads_records_as_the_device_does(tmp_path):
    lines = [f'{{"when": {1705147200000 + 60000 * row}, "BME": {{"a": {row}.5, "on": true}}}}' for row in range(5)]
    protocol = [f"bme,host=pi a={row}.5,on=t {1705147200 + 60 * row}000000000" for row in range(5)]
    for content, names in ((lines, ("BME.a", "BME.on")), (protocol, ("a", "on"))):
        series = read(tmp_path, "\n".join(content))
        samples = list(TextSource(tmp_path / "a.csv", Columns(series.channels)))

        assert series.channels == names
        assert [sample.values for sample in samples] == series.values.tolist() == [[row + 0.5, 1.0] for row in range(5)]
        assert (
            [sample.time for sample in samples] == series.time.tolist() == [1705147200.0 + 60 * row for row in range(5)]
        )


def test_words_for_missing_values_go_with_the_model_to_the_device(tmp_path):
    rows = "time,a\n" + "".join(f"{row},{'Defekt' if row == 3 else row}\n" for row in range(9))
    with pytest.raises(SeriesError, match=r"line 5, column 'a': 'Defekt' is not a number.*--missing"):
        read(tmp_path, rows)
    series = read(tmp_path, rows, missing=["defekt"])
    metadata = Metadata("generic", 4, channels=(Channel("a"),), sections=series.sections)

    assert series.values.ravel().tolist() == list(range(9))
    assert Columns.of(metadata).missing == ("defekt",)
    assert read_for_model(metadata, tmp_path / "a.csv").repairs.filled == 1
    assert math.isnan(list(TextSource(tmp_path / "a.csv", Columns.of(metadata)))[3].values[0])


@pytest.mark.parametrize("cell", ["-999", "-999.0", " -999 ", "-999 °C"])
def test_numbers_that_stand_for_a_missing_value_go_with_the_model_to_the_device(tmp_path, cell):
    rows = "time,a\n" + "".join(f"{row},{cell if row == 3 else row}\n" for row in range(9))
    series = read(tmp_path, rows, missing=["-999"])
    metadata = Metadata("generic", 4, channels=(Channel("a"),), sections=series.sections)

    assert series.values.ravel().tolist() == list(range(9))
    assert any("which counts as missing" in sentence for sentence in series.repairs.sentences())
    assert read_for_model(metadata, tmp_path / "a.csv").repairs.filled == 1
    assert math.isnan(list(TextSource(tmp_path / "a.csv", Columns.of(metadata)))[3].values[0])


def test_a_column_of_words_some_of_which_are_switches_is_no_channel(tmp_path):
    words = ["ON", "OFF", "OFF", "STANDBY"]
    series = read(tmp_path, "time,a,mode\n" + "".join(f"{row},{row},{words[row % 4]}\n" for row in range(40)))

    assert series.channels == ("a",)
    assert series.repairs.sentences() == ["columns not used as inputs: mode"]


cells = st.sampled_from(["1", "2.5", "1,5", "ON", "unavailable", "", "high", "19 °C", "2024-01-13", "13.01.2024", "12:00", "x",
                         "1700000000000", "1e999", "#", "-9999", "1e308", "inf"])  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.sampled_from(["time", "a", "b", "Datum", "key", ""]), min_size=1, max_size=4),
    st.lists(st.lists(cells, min_size=1, max_size=4), max_size=60),
)
def test_any_table_is_a_series_or_a_clear_error(tmp_path_factory, header, rows):
    path = tmp_path_factory.mktemp("fuzz") / "a.csv"
    path.write_text("\n".join(",".join(row) for row in [header, *rows]))
    with suppress(EdgelstmError):
        series = read_series([path])

        assert series.values.shape == (len(series.time), len(series.channels))
        assert np.isfinite(series.time).all()
