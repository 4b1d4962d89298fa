"""Tables as loggers, home automation, historians and spreadsheets of several countries export them."""

import json
import logging
import math

import pytest
from edgelstm.runtime.errors import ConfigError, EdgelstmError, SeriesError, ShapeError
from edgelstm.runtime.io.addresses import parse_address
from edgelstm.runtime.sources import Columns, IterableSource, TextSource, open_source, parse_file, parse_lines, registry
from edgelstm.runtime.sources.csv_cells import MISSING_WORDS, CellReader
from edgelstm.runtime.sources.live import LiveRows

NAN = pytest.approx(math.nan, nan_ok=True)
A, AB = Columns(("a",)), Columns(("a", "b"))
NOON = 1705147200.0  # 2024-01-13 12:00 UTC


def table(text, columns=A):
    return list(parse_file(text.splitlines(), columns, "pump.csv"))


def live(text, columns=A):
    return list(LiveRows(columns, "line", clock=None).samples(text.splitlines()))


CLOCKS = [
    ("Datum;Uhrzeit;a", "13.01.2024;12:00;1,5", "13.01.2024;12:01;1,6"),
    ("Datum;Zeit;a", "13.01.24;12:00:00;1,5", "13.01.24;12:01:00;1,6"),
    ("Date;Heure;a", "13/01/2024;12h00;1,5", "13/01/2024;12h01;1,6"),
    ("Fecha;Hora;a", "13/01/2024;12:00 p. m.;1,5", "13/01/2024;12:01 p. m.;1,6"),
    ("Giorno;Ora;a", "13-01-2024;12:00:00;1,5", "13-01-2024;12:01:00;1,6"),
    ("päivä;kello;a", "13.1.2024;12:00;1,5", "13.1.2024;12:01;1,6"),
    ("x;a;y", "2024-01-13;1,5;12:00", "2024-01-13;1,6;12:01"),
    ("clock,day,a", "12:00 PM,2024/01/13,1.5", "12:01 PM,2024/01/13,1.6"),
]


@pytest.mark.parametrize("lines", CLOCKS)
def test_a_date_and_a_clock_are_told_by_their_cells_whatever_they_are_called(lines):
    for read in (table, live):
        samples = read("\n".join(lines))

        assert [sample.time for sample in samples] == [NOON, NOON + 60]
        assert [sample.values for sample in samples] == [[1.5], [1.6]]


def test_the_hours_of_a_day_beside_its_date_are_its_clock():
    rows = [f"{day},{hour},{day[-1]}" for day in ("2024-01-13", "2024-01-14") for hour in range(24)]
    samples = table("\n".join(["day,hr,a", *rows]))

    assert [sample.time - NOON + 43200 for sample in samples] == [3600.0 * row for row in range(48)]


NUMERIC = ["epoch", "unix_ms", "Time (s)", "ts", "_time", "Zeitstempel", "when"]


@pytest.mark.parametrize("name", NUMERIC)
@pytest.mark.parametrize("unit", [1, 1000, 10**6, 10**9])
def test_a_column_that_counts_from_1970_is_the_time_whatever_it_is_called(name, unit):
    rows = [f"{1705147200 * unit + row * 60 * unit},{row}" for row in range(5)]
    for read in (table, live):
        assert [sample.time for sample in read("\n".join([f"{name},a", *rows]))] == [
            NOON + 60 * row for row in range(5)
        ]


def test_a_moment_is_taken_before_a_number_and_what_varies_before_what_does_not():
    rows = [f"{row},2024-01-01T00:00:00Z,2024-01-13T12:0{row}:00Z,1" for row in range(3)]

    assert [sample.time for sample in table("\n".join(["index,_start,_time,a", *rows]))] == [
        NOON,
        NOON + 60,
        NOON + 120,
    ]


def test_a_temperature_is_no_clock():
    samples = table("date,a,b\n2024-01-13,19.45,12.30\n2024-01-14,19.50,12.31\n")

    assert [sample.time for sample in samples] == [NOON - 43200, NOON + 43200]


def test_a_clock_without_a_date_is_refused_by_name():
    with pytest.raises(SeriesError, match=r"line 2: column Time: '12:00' is not a time without a date"):
        table("Time,a\n12:00,1\n12:01,2")


def test_names_at_the_end_without_cells_are_empty_columns_until_one_has_a_cell():
    text = (
        "time,a,b,remark,who\n" + "".join(f"{2000 - row},{row},{-row}\n" for row in range(300)) + "1700,300,-300,x,me"
    )
    samples = table(text, AB)

    assert [sample.values for sample in samples] == [[float(row), float(-row)] for row in range(300, -1, -1)]


@pytest.mark.parametrize("text", ["time,a,b\n0,1,2,3\n1,1,2,3", "Logger\na,b\n0,1,2,\n1,1,2,\n2,1,2,"])
def test_names_too_few_for_the_rows_are_an_error(text):
    line, names = (1, 3) if text.startswith("time") else (2, 2)
    with pytest.raises(
        SeriesError, match=rf"pump.csv, line {line} has {names} names, the rows {names + 1} cells\. Give"
    ):
        table(text, AB)


def test_a_title_over_rows_without_names_is_none():
    assert [sample.values for sample in table("Pump 4,Hall B\n0,1,2,3,4\n1,1,2,3,4", Columns(tuple("abcd")))] == (
        [[1.0, 2.0, 3.0, 4.0]] * 2
    )


@pytest.mark.parametrize("word", ["unavailable", "unknown", "---", "#NV", "k.A.", "n/a", "Keine Daten", "#DIV/0!"])
def test_a_word_for_missing_counts_for_its_cell_alone(word):
    text = f"time,a,b\n0,1,2\n1,{word},3\n2,2,4"
    record = f'{{"time": 0, "a": "{word}", "b": 3}}'
    for samples in (table(text, AB), live(text, AB)):
        assert [sample.values for sample in samples] == [[1.0, 2.0], [NAN, 3.0], [2.0, 4.0]]
    assert next(parse_lines([record], AB, "x")).values == [NAN, 3.0]


@pytest.mark.parametrize(
    ("cell", "value"),
    [("ON", 1.0), ("off", 0.0), ("true", 1.0), ("Ein", 1.0), ("aus", 0.0), ("19.26 °C", 19.26), ("51.5%", 51.5),
     ("1013.0 hPa", 1013.0), ("3 m³/h", 3.0), ("-2.5e1 l/min", -25.0), ("1'234.5", 1234.5)],
)  # fmt: skip
def test_switches_and_units_are_read_and_the_other_channels_stay(cell, value):
    text = f"time,a,b\n0,{cell},3\n1,{cell},4"
    for samples in (table(text, AB), live(text, AB)):
        assert [sample.values for sample in samples] == [[value, 3.0], [value, 4.0]]
    record = f'{{"time": 0, "a": "{cell}", "b": 3}}'
    assert next(parse_lines([record], AB, "x")).values == [value, 3.0]


def test_a_second_unit_in_a_column_is_no_number():
    with pytest.raises(SeriesError, match=r"line 3: column a: '70 °F' is not a number"):
        table("time,a\n0,21 °C\n1,70 °F")


def test_what_was_understood_is_counted_and_said_once(caplog):
    with caplog.at_level(logging.WARNING):
        table("time,a,b\n" + "".join(f"{row},unavailable,{row} %\n" for row in range(45)), AB)

    assert [record.getMessage() for record in caplog.records] == [
        "pump.csv: 45 cells say 'unavailable', which count as missing",
        "pump.csv: 45 cells hold the unit % (b)",
    ]


def test_a_live_source_says_the_first_cell_alone(caplog):
    with caplog.at_level(logging.WARNING):
        live("time,a\n0,1\n" + "1,unavailable\n" * 5)

    assert [record.getMessage() for record in caplog.records] == [
        "line: a cell says 'unavailable', which counts as missing"
    ]


def test_further_words_are_missing_on_request():
    rows = "time,a\n0,1\n1,defekt\n"
    with pytest.raises(SeriesError, match="line 3: column a: 'defekt'"):
        table(rows)

    assert [sample.values for sample in table(rows, Columns(("a",), missing=("Defekt",)))] == [[1.0], [NAN]]


def test_every_word_is_written_as_it_is_compared():
    assert {word for word in MISSING_WORDS if word != word.casefold().strip()} == set()
    assert all(math.isnan(CellReader().read(word, "a")) for word in MISSING_WORDS)


@pytest.mark.parametrize("cells", [("1.234,5", "999,25"), ("1 234,5", "999,25"), ("1.234,5 hPa", "999,25 hPa")])
def test_grouped_thousands_beside_dates_with_points_are_read(cells):
    samples = table(f"Datum;a\n13.01.2024 12:00;{cells[0]}\n13.01.2024 12:01;{cells[1]}\n")

    assert [(sample.time, sample.values) for sample in samples] == [(NOON, [1234.5]), (NOON + 60, [999.25])]


def test_annotated_csv_is_read_below_its_comments_and_their_repetition():
    header = ["#group,false,false,true,false", "#datatype,string,long,dateTime:RFC3339,double", "#default,_result,,,",
              ",result,table,_time,a"]  # fmt: skip
    blocks = [[f",,{table},2024-01-13T12:0{table}:00Z,{table}.5"] for table in range(2)]
    samples = table("\n".join([*header, *blocks[0], "", *header, *blocks[1]]))

    assert [(sample.time, sample.values) for sample in samples] == [(NOON, [0.5]), (NOON + 60, [1.5])]


LINES = [
    "bme280,host=pi a=19.5,b=51i,on=t 1705147200000000000",
    'bme280,host=pi\\ 2 a=19.6,b=52u,note="a b, c=d" 1705147260000000000',
]
RECORDS = [
    '{"Time": "2024-01-13T12:00:00", "BME280": {"a": 19.5, "b": [51, 7]}, "TempUnit": "C"}',
    '{"Time": "2024-01-13T12:01:00", "BME280": {"a": "19.6 °C", "b": [52, 7]}, "TempUnit": "C"}',
]


@pytest.mark.parametrize("names", [("a", "b"), ("bme280.a", "bme280.b")])
def test_line_protocol_is_read_as_a_file_and_live(names):
    for read in (table, live):
        samples = read("\n".join(LINES), Columns(("flow", "motor"), names))

        assert [sample.time for sample in samples] == [NOON, NOON + 60]
        assert [sample.values for sample in samples] == [[19.5, 51.0], [19.6, 52.0]]


def test_a_value_inside_objects_and_lists_is_addressed_by_its_path():
    for read in (table, live):
        samples = read("\n".join(RECORDS), Columns(("flow", "motor"), ("BME280.a", "BME280.b.0")))

        assert [(sample.time, sample.values) for sample in samples] == [(NOON, [19.5, 51.0]), (NOON + 60, [19.6, 52.0])]


@pytest.mark.parametrize("indent", [None, 2])
def test_a_json_array_of_records_is_read_as_a_file(indent):
    records = [{"when": f"2024-01-13T12:0{row}:00Z", "a": row} for row in range(5)]

    assert [(sample.time, sample.values) for sample in table(json.dumps(records, indent=indent))] == [
        (NOON + 60 * row, [float(row)]) for row in range(5)
    ]
    with pytest.raises(SeriesError, match=r"pump\.csv is a damaged JSON array"):
        table('[\n{"a": 1},\n{"a": 2},')


def test_the_paths_that_there_are_are_listed_when_a_channel_is_not():
    with pytest.raises(ShapeError, match=r"its columns: Time, BME280\.a, BME280\.b\.0, BME280\.b\.1, TempUnit"):
        table("\n".join(RECORDS))


def test_a_date_that_never_changes_in_records_is_no_time():
    records = "\n".join(f'{{"started": "2024-01-01T00:00:00Z", "free": {1.7e9 - row}, "a": {row}}}' for row in range(9))

    assert [sample.time for sample in live(records)][4:] == [None] * 5


def test_a_number_far_from_a_known_name_is_no_time_of_a_live_stream():
    assert [sample.time for sample in live("a,free\n1,1700000000\n2,1690000000")] == [None, None]


def test_a_file_with_its_newest_row_first_is_read_in_the_order_of_time(caplog):
    rows = [f"2024-01-13 12:{minute:02},{minute}" for minute in reversed(range(20))]

    assert [sample.values for sample in table("\n".join(["time,a", *rows]))] == [[float(at)] for at in range(20)]
    assert "newest first" in caplog.text


def test_four_header_lines_of_a_logger_are_passed_over():
    head = ['"TOA5","CR1000","17"', '"TIMESTAMP","RECORD","a"', '"TS","RN","Volts"', '"","","Avg"']
    rows = [f'"2024-01-13 12:0{row}:00",{row},{row}.5' for row in range(5)]

    assert [sample.values for sample in table("\n".join([*head, *rows]))] == [[row + 0.5] for row in range(5)]


@pytest.mark.parametrize("cell", ["\u22122,5", "-2,5 °C", "\u22122,5 °C"])
def test_a_minus_sign_of_print_is_one(cell):
    assert table(f"time;a\n0;1,5\n1;{cell}")[1].values == [-2.5]


@pytest.mark.parametrize("content", ["", "\n\n", "time,a\n", "Logger 5\n\ntime,a\n"])
def test_a_file_without_rows_is_an_error(tmp_path, content):
    (tmp_path / "pump.csv").write_text(content)
    with pytest.raises(EdgelstmError, match=r"no rows|has no a"):
        list(TextSource(tmp_path / "pump.csv", A))


def test_a_source_is_added_in_one_place(monkeypatch):
    """An entry makes its addresses work, and an unknown one is refused with the forms that there are."""

    def open_counter(request):
        rows = range(int(request.address.target))
        return IterableSource([(float(row), [row]) for row in rows], request.address.name)

    kind = registry.SourceKind(("counter",), "counter:ROWS", open_counter)
    monkeypatch.setattr(registry, "SOURCES", [*registry.SOURCES, kind])

    source = open_source(parse_address("counter:3"), A)

    assert (source.name, source.replayable) == ("counter:3", False)
    assert [sample.values for sample in source] == [[0.0], [1.0], [2.0]]
    with pytest.raises(ConfigError, match=r"one of the forms FILE, -, mqtt.*, iio:DEVICE.*, counter:ROWS"):
        open_source(parse_address("opcua:plant"), A)


def test_words_after_the_last_row_are_no_row_and_are_told(caplog):
    lines = ["time;a", *(f"2024-01-13 12:{row:02};1,{row}" for row in range(9))]
    with caplog.at_level(logging.WARNING, "edgelstm"):
        samples = table("\n".join([*lines, "", "End of export", "(9 rows affected)"]))

    assert [sample.values for sample in samples] == [[1 + row / 10] for row in range(9)]
    assert "the line after the last row was passed over: 'End of export' and 1 more" in caplog.text
    with pytest.raises(SeriesError, match="line 6"):  # between rows they are a mistake
        table("\n".join([*lines[:5], "End of export", *lines[5:]]))
