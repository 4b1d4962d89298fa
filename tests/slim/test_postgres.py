"""PostgreSQL as a source and a sink, against a real server."""

import itertools
import json
import math
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress

import pytest
from edgelstm.runtime.errors import ConfigError, SeriesError, ShapeError
from edgelstm.runtime.io.addresses import parse_address
from edgelstm.runtime.sources import Columns, open_source
from edgelstm.runtime.sources.resampling import Resampling
from postgres_helpers import FLOW, NEEDS_POSTGRES, PASSWORD, Server, address, insert, opened, psycopg
from sink_helpers import event, forwarder, open_sink, score_records, wait_for
from test_live_sources import Collector

pytestmark = NEEDS_POSTGRES
NAN = pytest.approx(math.nan, nan_ok=True)


@pytest.fixture(scope="module")
def running():
    made = Server().start()
    yield made
    made.remove()


@pytest.fixture
def server(running, monkeypatch):
    monkeypatch.setenv("PUMP_PASSWORD", PASSWORD)
    if running.process is None:
        running.start()
    running.do("DROP TABLE IF EXISTS pump, edgelstm_event, edgelstm_score")
    running.do(
        "CREATE TABLE pump (id bigserial PRIMARY KEY, at timestamptz DEFAULT clock_timestamp(), flow real, motor integer)"
    )
    return running


def test_new_rows_are_samples_in_the_order_of_the_key_with_their_time(server):
    insert(server, [98, 99])
    with Collector(opened(server)) as reading:
        assert wait_for(lambda: reading.source.position is not None)
        insert(server, [1, 2, None, 4])

        assert reading.until(4) == [1, 2, NAN, 4]
    assert abs(reading.samples[0].time - time.time()) < 30


def test_rows_that_were_there_are_read_in_batches_where_the_start_is_all(server):
    server.do("INSERT INTO pump (flow, motor) SELECT g, 0 FROM generate_series(0, 4999) g")
    with Collector(opened(server, "table=public.pump&key=id&every=60&start=all")) as reading:
        assert reading.until(5000) == list(range(5000))


def test_rows_with_one_key_are_all_read_though_a_batch_ends_among_them(server):
    server.do("INSERT INTO pump (at, flow, motor) SELECT '2026-01-01'::timestamptz + g / 700 * interval '1 s', g, 0"
              " FROM generate_series(0, 2999) g")  # fmt: skip
    with Collector(opened(server, "table=pump&key=at&every=60&start=all")) as reading:
        assert reading.until(3000) == list(range(3000))


def test_every_kind_of_cell_is_a_number_a_time_or_missing(server):
    server.do(
        "DROP TABLE pump; CREATE TABLE pump (at timestamp, flow numeric, motor boolean, level text, temp double precision)"
    )
    server.do("INSERT INTO pump VALUES ('2026-01-02 03:04:05.678', 1.25, true, '7.5 bar', 'NaN'),"
              " ('2026-01-02 03:04:06', NULL, false, 'n/a', 1e300), ('2026-01-02 03:04:07', 1, true, 'broken', 2),"
              " ('infinity', 9, true, '9', 9), (NULL, 8, true, '8', 8)")  # fmt: skip
    columns = Columns(("flow", "motor", "level", "temp"))
    with Collector(opened(server, "table=pump&key=at&every=0.05&start=all", columns)) as reading:
        assert wait_for(lambda: reading.source.skipped)
        server.do("INSERT INTO pump VALUES ('2026-01-02 03:04:08', 3, false, '1', 4)")
        reading.until(3)

    assert [sample.values for sample in reading.samples] == [
        [1.25, 1.0, 7.5, NAN], [NAN, 0.0, NAN, 1e300], [3.0, 0.0, 1.0, 4.0]
    ]  # fmt: skip
    assert reading.samples[0].time == pytest.approx(1767323045.678)
    assert reading.source.skipped == 1


def test_a_row_from_the_future_hides_no_other(server):
    with Collector(opened(server, "table=pump&key=at&every=0.05")) as reading:
        assert wait_for(lambda: reading.source.position is not None)
        server.do("INSERT INTO pump (at, flow, motor) VALUES (now() + interval '1 year', 9, 0)")
        insert(server, [1, 2])

        assert reading.until(2) == [1, 2]


def test_a_long_table_is_pivoted_and_put_on_the_models_grid(server):
    server.do("DROP TABLE pump; CREATE TABLE pump (id serial, at timestamptz, sensor text, value real)")
    server.do("INSERT INTO pump (at, sensor, value) SELECT '2026-01-01'::timestamptz + g * interval '1 s', s, g"
              " FROM generate_series(1, 20) g, (VALUES ('flow'), ('motor')) AS v(s)")  # fmt: skip
    columns = Columns(("flow", "motor"), resampling=Resampling(10.0, 30.0, ("sensor",), ("value",)))
    with Collector(opened(server, "table=pump&key=id&every=0.05&start=all", columns)) as reading:
        assert wait_for(lambda: reading.samples)

        assert reading.samples[0].values == [5.5, 5.5]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ("table=none&key=id", SeriesError, "no such table"),
        ("table=pump&key=none", SeriesError, "has no column none"),
        ("table=pump&key=id&time=none", SeriesError, "has no column none"),
        ("table=pump;drop table pump&key=id", SeriesError, "invalid name syntax"),
    ],
)
def test_a_table_that_does_not_fit_ends_the_reading_with_the_reason(server, options, error, message):
    with pytest.raises(error, match=message):
        next(iter(opened(server, options)))


def test_a_table_without_a_channel_is_refused(server):
    with pytest.raises(ShapeError, match="has no level"):
        next(iter(opened(server, columns=Columns(("flow", "level")))))


@pytest.mark.parametrize(
    "options",
    [
        "table=pump",
        "key=id",
        "table=pump&key=id&start=old",
        "table=pump&key=id&sslmode=on",
        "table=pump&key=id&every=0",
    ],
)
def test_options_that_cannot_be_are_refused_before_anything_is_connected(server, options):
    with pytest.raises(ConfigError):
        opened(server, options)


def test_a_wrong_password_is_said_once_and_shown_nowhere(server, monkeypatch, caplog):
    monkeypatch.setenv("PUMP_PASSWORD", "guess-me-not")
    with Collector(opened(server)) as reading:
        assert wait_for(lambda: reading.source._attempts.failures >= 2)
        assert len(caplog.records) == 1
        assert "password authentication failed" in caplog.text
        assert "guess-me-not" not in caplog.text + reading.source.name


def test_a_server_that_never_answers_costs_no_more_than_the_timeout(server):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        source = open_source(
            parse_address(f"postgresql://watch@127.0.0.1:{silent.getsockname()[1]}/x?table=a&key=b&timeout=1"), FLOW
        )
        with Collector(source):
            assert wait_for(lambda: source._attempts.failures, 8)


def test_a_query_that_hangs_is_cut_and_the_reading_goes_on(server):
    with Collector(opened(server, "table=pump&key=id&every=0.05&timeout=0.3")) as reading:
        insert(server, [1])
        assert wait_for(lambda: reading.source.position is not None)
        blocker = threading.Thread(target=server.do, args=("LOCK TABLE pump; SELECT pg_sleep(1)",))
        blocker.start()
        assert wait_for(lambda: reading.source._attempts.failures)
        blocker.join()
        insert(server, [2])
        assert wait_for(lambda: reading.samples)


def test_a_server_that_is_restarted_under_load_loses_and_doubles_nothing(server):
    written, stop = [], threading.Event()

    def write():
        for number in itertools.count():
            if stop.wait(0.005):
                return
            with suppress(psycopg.Error):
                insert(server, [number])
                written.append(number)

    with Collector(opened(server)) as reading:
        assert wait_for(lambda: reading.source.position is not None)
        writer = threading.Thread(target=write)
        writer.start()
        for _ in range(2):
            before = len(written)
            assert wait_for(lambda: len(written) > before + 10)  # noqa: B023
            server.stop()
            server.start()
        before = len(written)
        assert wait_for(lambda: len(written) > before + 10)
        stop.set()
        writer.join()
        stored = [row[0] for row in server.do("SELECT flow FROM pump ORDER BY id")]

        assert set(written) <= set(stored)  # an insert may be there though its answer was lost
        assert reading.until(len(stored)) == stored


def test_a_killed_watch_goes_on_after_the_last_row_that_its_state_knows(server, tmp_path, models):
    server.do("DROP TABLE pump; CREATE TABLE pump (id serial, t double precision, level_cm real, flow_lpm real)")
    rows = [line.split(",") for line in (models / "stream.csv").read_text().split()[1:251]]
    source = address(server, "table=pump&key=id&time=t&every=0.05&start=all")
    files = [f"--{name}={tmp_path / name}" for name in ("state", "event-log", "state-dir")]
    command = [sys.executable, "-m", "edgelstm", "run", models / "cast.int8.tflite", source, *files]

    def insert_rows(first, last):
        server.do("INSERT INTO pump (t, level_cm, flow_lpm) VALUES (%s, %s, %s)", rows[first:last])

    def watch():
        more = ["--scores-to", f"file:{tmp_path / 'scores'}", "--snapshot-every", "0.1"]
        return subprocess.Popen([*command, *more], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/")

    def scored():
        path = tmp_path / "scores"
        records = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        return [record for record in records if record["type"] == "score"]

    insert_rows(0, 100)
    process = watch()
    assert wait_for(lambda: len(scored()) == 100, 60)
    process.kill()
    process.wait()
    insert_rows(100, 150)
    process = watch()
    insert_rows(150, 250)
    assert wait_for(lambda: len({one["time"] for one in scored()}) == 250, 60)
    process.terminate()
    process.wait(30)
    results = {(one["time"], one["score"]) for one in scored()}

    assert [one["row"] for one in scored()][:100] == list(range(100))
    assert len(results) == 250  # what was scored again gave the same


def test_a_position_among_rows_of_one_key_is_gone_on_from(server):
    server.do("INSERT INTO pump (at, flow, motor) SELECT '2026-01-01', g, 0 FROM generate_series(0, 9) g")
    options = "table=pump&key=at&every=0.05&start=all"
    positions, values = [], []
    source = opened(server, options)
    for sample in source:
        positions.append(json.loads(json.dumps(source.position)))
        values.append(sample.values[0])
        if len(values) == 10:
            source.close()
    again = opened(server, options)
    again.resume(positions[3])
    with Collector(again) as reading:
        assert reading.until(6) == values[4:]
    assert positions[3] == [None, 4]
    assert positions[9] == ["2026-01-01 00:00:00+00", 0]


def test_events_and_scores_are_rows_and_a_repeated_record_changes_nothing(server, tmp_path):
    sink = open_sink(address(server, ""))
    records = [{"seq": 0, "type": "event", "model": "pump", **event(1).record()}, *score_records(3, 1)]
    records[1] |= {"time": "2026-01-02T03:04:05Z", "contribution": {"fl\0ow": 1.0}, "label": "\ud800"}
    closed = {"seq": 9, "type": "event", "model": "pump", **event(1, "closed").record(), "end": 1767323045.0}
    for batch in (records, records, [closed], records):
        assert sink.deliver(batch) == len(batch)
    sink.close()

    assert server.do('SELECT id, state, extract(epoch from "end")::float8, channels FROM edgelstm_event') == [
        ("e1", "closed", 1767323045.0, ["flow"])
    ]
    assert server.do("SELECT seq, extract(epoch from time)::float8 FROM edgelstm_score ORDER BY seq") == [
        (1, 1767323045.0), (2, 2.0), (3, 3.0)
    ]  # fmt: skip


def test_records_wait_while_the_server_is_away(server, tmp_path, quick):
    sink = forwarder(tmp_path / "spool", open_sink(address(server, "")))
    sink.event(event(1))
    assert wait_for(lambda: sink.delivered == 1)
    server.stop()
    sink.event(event(2))
    assert wait_for(lambda: sink.failures)
    server.start()
    assert wait_for(lambda: sink.delivered == 2)
    sink.close()

    assert server.do("SELECT id FROM edgelstm_event ORDER BY id") == [("e1",), ("e2",)]


def test_a_user_without_the_right_to_make_tables_uses_those_that_are_there(server):
    maker = open_sink(address(server, ""))
    maker.deliver(score_records(1))
    maker.close()
    server.do("DROP ROLE IF EXISTS writer; CREATE ROLE writer LOGIN PASSWORD 'x'; REVOKE CREATE ON SCHEMA public FROM PUBLIC;"
              "GRANT SELECT, INSERT, UPDATE ON edgelstm_event, edgelstm_score TO writer")  # fmt: skip
    sink = open_sink(f"postgresql://writer:x@127.0.0.1:{server.port}/postgres")

    assert sink.deliver(score_records(2)) == 2
    sink.close()
    server.do("DROP TABLE edgelstm_event, edgelstm_score; DROP ROLE writer")
