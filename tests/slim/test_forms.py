"""A file that a model was trained on can be scored, however it is written."""

import math
import subprocess
import sys

import pytest
from edgelstm.runtime.errors import EdgelstmError, SeriesError
from edgelstm.runtime.sources import Columns, TextSource, parse_file
from edgelstm.runtime.sources.live import LiveRows
from forms import CONTENTS, MOMENTS, TIMES, VALUES, as_bytes
from hypothesis import given, settings
from hypothesis import strategies as st

BOTH = Columns(("a", "b"))


def read(folder, content, columns=BOTH):
    path = folder / "a.csv"
    path.write_bytes(as_bytes(content))
    return list(TextSource(path, columns))


@pytest.mark.parametrize("content", CONTENTS)
def test_however_a_file_is_written_the_samples_are_the_same(tmp_path, content):
    samples = read(tmp_path, content)

    assert [sample.values for sample in samples] == VALUES
    assert [sample.time for sample in samples] == [0.0, 1.0]


@pytest.mark.parametrize("cells", TIMES)
def test_times_are_read_in_every_usual_form(tmp_path, cells):
    samples = read(tmp_path, f"time,a\n{cells[0]},1\n{cells[1]},2\n", Columns(("a",)))

    assert [sample.time for sample in samples] == MOMENTS


def test_a_date_and_a_time_of_day_in_two_columns_are_one_time(tmp_path):
    rows = "Date;Time;power\n16/12/2006;17:24:00;4,216\n16/12/2006;17:25:00;?\n"
    first, second = read(tmp_path, rows, Columns(("power",)))

    assert (first.time, first.label, first.values) == (1166289840.0, "16/12/2006 17:24:00", [4.216])
    assert second.time == first.time + 60
    assert math.isnan(second.values[0])


def test_a_date_far_down_the_file_tells_that_all_are_american(tmp_path):
    days = [f"{month}/{day}/2024,{day}" for month in range(1, 12) for day in range(1, 13) for _ in range(9)]
    samples = read(tmp_path, "time,a\n" + "\n".join([*days, "11/13/2024,13"]), Columns(("a",)))

    assert samples[9].time - samples[0].time == 86_400
    assert samples[-1].time - samples[-2].time == 86_400


@pytest.mark.parametrize(("dates", "step"), [(("1/2/2024", "1/3/2024"), 1), (("1/2/2024", "2/2/2024"), 1)])
def test_in_a_file_of_few_days_the_number_that_goes_up_is_the_day(tmp_path, dates, step):
    rows = [f"{date} {hour}:00,{hour}" for date in dates for hour in range(10, 24)]
    samples = read(tmp_path, "\n".join(["time,a", *rows]) + "\n", Columns(("a",)))

    assert samples[14].time - samples[0].time == step * 86_400


def test_a_live_stream_turns_to_american_dates_with_the_first_that_is_no_other():
    rows = LiveRows(Columns(("a",)), "x", clock=None)
    samples = [rows.line(line) for line in ("time,a", "1/13/2024,1", "2/1/2024,2")]

    assert samples[2].time - samples[1].time == 19 * 86_400


def test_names_of_an_old_encoding_and_with_line_ends_are_found(tmp_path):
    assert read(tmp_path, "time;Öl °C\n0;1\n1;2\n".encode("latin-1"), Columns(("Öl °C",)))[1].values == [2.0]
    assert read(tmp_path, 'time,"flow\n[l/min]"\n0,1\n1,2\n', Columns(("flow\n[l/min]",)))[1].values == [2.0]


def test_numbers_may_be_names(tmp_path):
    assert read(tmp_path, "time,101,102\n0,1,2\n", Columns(("102",)))[0].values == [2.0]


def test_a_bad_cell_is_named_with_its_line_below_a_preamble(tmp_path):
    with pytest.raises(SeriesError, match=r"a\.csv, line 5: column a: 'high' is not a number"):
        read(tmp_path, "Logger 5\n\ntime,a,b\n0,1,2\n1,high,2\n2,1,2\n")


def test_a_pipe_is_not_held_up_by_reading_ahead():
    """Its first sample is there before the second line has been written."""
    code = (
        "from edgelstm.runtime.sources import Columns, TextSource\n"
        "print(next(iter(TextSource('-', Columns(('a',))))).values, flush=True)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as reader:
        reader.stdin.write("time,a\n0,1\n")
        reader.stdin.flush()

        assert reader.stdout.readline() == "[1.0]\n"
        reader.stdin.close()


def test_a_file_at_standard_input_is_read_as_a_file(tmp_path):
    code = (
        "from edgelstm.runtime.sources import Columns, open_source\n"
        "from edgelstm.runtime.io.addresses import parse_address\n"
        "print([sample.values for sample in open_source(parse_address('-'), Columns(('a', 'b')))])"
    )
    (tmp_path / "a.csv").write_text('Logger 5\ntime,a,b\n0,1.5,"1,234.5"\n1,1.6,2\n')
    with (tmp_path / "a.csv").open() as file:
        done = subprocess.run([sys.executable, "-c", code], stdin=file, capture_output=True, text=True)

    assert done.stdout.strip() == str(VALUES), done.stderr


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text(max_size=60), max_size=12))
def test_any_file_gives_samples_or_a_clear_error(lines):
    try:
        found = list(parse_file(lines, BOTH, "x"))
    except EdgelstmError:
        return

    assert all(len(sample.values) == 2 for sample in found)
