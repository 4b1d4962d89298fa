"""InfluxDB as a source: InfluxQL of a real server, Flux and SQL replayed in the forms that InfluxData publishes."""

import io
import json
import math
import threading
import time

import pytest
from command_helpers import MODELS
from edgelstm.runtime.errors import ShapeError
from edgelstm.runtime.io import reconnect
from edgelstm.runtime.service.assembly import assemble
from edgelstm.runtime.service.config import make_config
from edgelstm.runtime.sources import Columns, influx_questions
from edgelstm.runtime.sources.resampling import Resampling
from influx_helpers import NEEDS_INFLUXDB, START, Reading, Replay, Server, address, points
from sink_helpers import wait_for

NAN = pytest.approx(math.nan, nan_ok=True)
LANGUAGES = [pytest.param("influxql", marks=NEEDS_INFLUXDB), "flux", "sql"]


@pytest.fixture(scope="module")
def running():
    made = {}

    def server_of(language):
        if language not in made:
            made[language] = Server().start() if language == "influxql" else Replay(language)
        return made[language]

    yield server_of
    for server in made.values():
        server.remove()


@pytest.fixture(params=LANGUAGES)
def server(request, running):
    """A database for each language in turn."""
    made = running(request.param)
    made.forget()
    return made


@pytest.fixture
def flux(running):
    """A replayed InfluxDB 2, of which answers can be set."""
    made = running("flux")
    made.forget()
    return made


def test_points_are_samples_in_the_order_of_time_page_by_page(server, monkeypatch):
    monkeypatch.setattr(influx_questions, "BATCH", 7)
    server.write(*points(40))
    with Reading(address(server)) as reading:
        assert reading.until(40) == [[at, 10 * at] for at in range(40)]
        server.write(*points(5, 40))
        assert reading.until(45)[40:] == [[at, 10 * at] for at in range(40, 45)]

    assert [sample.time for sample in reading.samples[:3]] == [1_700_000_000.0 + at for at in range(3)]
    assert reading.samples[1].label == "2023-11-14T22:13:21.000Z"
    assert reading.source.skipped == 0


def test_without_a_state_it_begins_with_what_comes_after_the_newest_point(server):
    server.write(*points(10))
    with Reading(address(server, start="new")) as reading:
        assert wait_for(lambda: reading.source.position == START + 9_000_000_000)
        server.write(*points(3, 10))

        assert reading.until(3) == [[at, 10 * at] for at in (10, 11, 12)]


def test_a_resumed_reading_goes_on_after_the_last_point_and_repeats_none(server, monkeypatch):
    monkeypatch.setattr(influx_questions, "BATCH", 7)
    server.write(*points(30, step=1))  # a nanosecond apart: more than a double can tell
    with Reading(address(server)) as reading:
        reading.until(30)
    half = START + 13

    with Reading(address(server), position=json.loads(json.dumps(half))) as later:
        assert later.until(16) == [[at, 10 * at] for at in range(14, 30)]
        time.sleep(0.1)
    assert len(later.samples) == 16
    assert reading.source.position == later.source.position == START + 29


def test_points_of_one_time_make_one_row_however_pages_are_cut(server, monkeypatch):
    """Two plugins write a channel each, with tags of their own."""
    monkeypatch.setattr(influx_questions, "BATCH", 3)
    lines = [
        line for at in range(20) for line in (
            f"pump,host=a flow={at} {START + at * 10**9}", f"pump,bus=m motor={-at} {START + at * 10**9}",
            f"pump,other=x level=1 {START + at * 10**9}", f"air,host=a flow=99 {START + at * 10**9 + 5}",
        )
    ]  # fmt: skip
    server.write(*lines)
    with Reading(address(server)) as reading:
        assert reading.until(20) == [[at, -at] for at in range(20)]


def test_a_second_machine_is_passed_over_and_said_or_chosen_by_its_tags(server, caplog):
    server.write(*points(5), *points(5, tags=",host=b", first=100))
    with Reading(address(server)) as reading:
        assert reading.until(5) == [[at, 10 * at] for at in range(5)]
        assert wait_for(lambda: reading.source.skipped == 5)
    with Reading(address(server, tags="host=b")) as other:
        assert other.until(5) == [[at, 10 * at] for at in range(100, 105)]

    assert caplog.text.count("host=b are passed over") == 1


def test_missing_fields_texts_and_switches(server):
    server.write(f"pump,host=a flow=1 {START}", f"pump,host=a motor=5,flow=2 {START + 1000}")
    server.write(f'pump,host=a text="3 bar" {START + 2000}')
    with Reading(address(server), Columns(("flow", "motor", "text"))) as reading:
        assert reading.until(3) == [[1, NAN, NAN], [2, 5, NAN], [NAN, NAN, 3]]


def test_the_newest_row_waits_for_a_channel_that_shows_later(flux, monkeypatch):
    """A server shows the fields of one point one after the other; the row is not taken in part."""
    flux.write(*points(3), f"pump,host=a flow=3 {START + 3 * 10**9}", f"pump,host=a flow=4 {START + 4 * 10**9}")
    with Reading(address(flux, wait=0.5)) as reading:
        assert reading.until(3) == [[at, 10 * at] for at in range(3)]
        flux.write(f"pump,host=a motor=30 {START + 3 * 10**9}")
        assert reading.until(4)[3:] == [[3, 30]]
        begun = time.monotonic()
        assert reading.until(5)[4:] == [[4, NAN]]

    assert time.monotonic() - begun < 5


@NEEDS_INFLUXDB
def test_rows_read_while_they_are_written_are_whole(running):
    server = running("influxql")
    server.forget()
    server.write(*points(1))
    with Reading(address(server, every=0.001)) as reading:
        for at in range(1, 1500):
            server.write(*points(1, at))

        assert reading.until(1500) == [[at, 10 * at] for at in range(1500)]


def test_a_model_of_a_long_table_reads_its_keys(server):
    """As trained on an export of InfluxDB, where the columns _field and host name the channels."""
    server.write(*points(200), *points(200, tags=",host=b"))
    grid = Resampling(1.0, 3.0, ("host", "_field"), ("_value",))
    columns = Columns(("a.flow", "b.motor"), resampling=grid)
    with Reading(address(server), columns) as reading:
        rows = reading.until(190)

    assert rows[10:180] == [[at, 10 * at] for at in range(rows[10][0].__int__(), rows[10][0].__int__() + 170)]


def test_it_waits_for_a_measurement_that_is_not_there_yet(server, caplog):
    with Reading(address(server, start="new")) as reading:
        assert wait_for(lambda: "no such points yet" in caplog.text)
        server.write(*points(2))
        assert reading.until(2) == [[0, 0], [1, 10]]

    assert caplog.text.count("no such points yet") == 1


def test_points_of_the_last_seconds_wait_for_slower_writers(server):
    if server.language == "flux":
        with Reading(address(server, settle=5)) as reading:
            assert wait_for(lambda: server.asked)
        assert "stop: -5000ms" in server.asked[0][2]["query"]
        return
    if server.language == "sql":
        server.write(*points(1))
        with Reading(address(server, settle=5)) as reading:
            reading.until(1)
        assert "time <= now() - INTERVAL '5000 milliseconds'" in server.asked[-1][2]["q"]
        return
    now = time.time_ns()
    server.write(f"pump flow=1,motor=1 {now - 9_000_000_000}", f"pump flow=2,motor=2 {now}")
    with Reading(address(server, settle=3)) as reading:
        assert reading.until(1) == [[1, 1]]
        assert reading.until(2) == [[1, 1], [2, 2]]
        assert 2.5 < time.time() - now / 1e9 < 8


def test_a_measurement_without_a_channel_is_refused_by_name(server):
    server.write(f"pump flow=1,level=2 {START}")
    with Reading(address(server)) as reading:
        reading.until(1)

    assert isinstance(reading.error, ShapeError)
    assert "has no motor (its columns: flow, level)" in str(reading.error)


@NEEDS_INFLUXDB
def test_odd_names_are_quoted(running):
    server = running("influxql")
    server.forget()
    server.write(f"pu\\ \"m'p,ho\\ \"st=a'b fl\\ \"o\\w=1,mot'or=2 {START}")
    given = address(server, measurement="pu \"m'p", tags=["ho \"st=a'b"])
    with Reading(given, Columns(('fl "o\\w', "mot'or"))) as reading:
        assert reading.until(1) == [[1, 2]]


@NEEDS_INFLUXDB
def test_a_server_that_is_killed_and_started_loses_nothing_and_repeats_nothing(running, monkeypatch):
    monkeypatch.setattr(reconnect, "LONGEST_WAIT", 0.2)
    server = running("influxql")
    server.forget()
    with Reading(address(server)) as reading:
        for turn in range(3):
            server.write(*points(50, 50 * turn, step=1000))
            reading.until(50 * turn + 25)
            server.kill()
            time.sleep(0.1)
            server.start()
        values = reading.until(150)

    assert values == [[at, 10 * at] for at in range(150)]


@NEEDS_INFLUXDB
def test_a_watch_with_a_state_goes_on_where_it_was(running, tmp_path):
    server = running("influxql")
    server.forget()
    rows = np_rows()
    server.write(*rows[:300])
    counts = []
    for more in (rows[300:], []):
        if more:
            counts.append(watched(server, tmp_path, 300))
            server.write(*more)
        counts.append(watched(server, tmp_path, 300 if more else 0))

    assert counts == [300, 300, 0]


def np_rows():
    lines = (MODELS / "stream.csv").read_text().splitlines()[1:601]
    cells = [line.split(",") for line in lines]
    return [
        f"pump level_cm={level},flow_lpm={flow} {START + row * 10**9}" for row, (_, level, flow) in enumerate(cells)
    ]


def watched(server, folder, wanted):
    """Samples of one run of a watch that keeps its state."""
    (runner,) = assemble(make_config({
        "model": str(MODELS / "cast.int8.tflite"), "source": address(server), "state": str(folder / "pump.state"),
        "state-dir": str(folder), "snapshot-every": 0.1,
    }), io.StringIO())  # fmt: skip
    thread = threading.Thread(target=runner.run)
    thread.start()
    wait_for(lambda: runner.status.samples >= wanted, 20)
    time.sleep(0.3)
    runner.source.close()
    thread.join(10)
    assert not thread.is_alive()
    return runner.status.samples
