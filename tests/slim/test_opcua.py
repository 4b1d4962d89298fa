"""OPC UA sources and sinks against asyncua's own server, with right and wrong certificates."""

import math
import socket
import threading
import time
from datetime import datetime, timedelta, timezone

import pytest
from edgelstm.runtime.errors import ConfigError, ShapeError
from edgelstm.runtime.io.addresses import parse_address
from edgelstm.runtime.model_file.metadata import Channel, Metadata
from edgelstm.runtime.sources import Columns, open_source
from edgelstm.runtime.sources.resampling import Resampling
from edgelstm.runtime.sources.value_rows import ValueRows
from opcua_helpers import PASSWORD, Server, certificate, ua
from sink_helpers import event, forwarder, open_sink, wait_for
from test_live_sources import Collector

# asyncua leaves the socket of a connection that broke to the garbage collector
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
PUMP = Columns(("Flow", "Motor"))
NAN = pytest.approx(math.nan, nan_ok=True)
BAD, UNCERTAIN = ua.StatusCodes.BadSensorFailure, ua.StatusCodes.UncertainSensorNotAccurate


@pytest.fixture(scope="module")
def running():
    made = Server().start()
    yield made
    made.stop()


@pytest.fixture
def server(running):
    running.reset()
    return running


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certificates")
    made = {name: certificate(folder, name) for name in ("server", "client", "stranger")}
    return made | {"expired": certificate(folder, "expired", days=-1)}


def address(server, options="every=0", user=""):
    return f"opc.tcp://{user}127.0.0.1:{server.port}/pump?node=ns=2;s=Pump&{options}"


def opened(server, options="every=0", columns=PUMP, user=""):
    return open_source(parse_address(address(server, options, user)), columns)


def values(reading):
    return [sample.values for sample in reading.samples]


def test_a_table_of_channels_gives_nodes_other_names_units_and_words(server):
    model = Metadata("generic", 8, channels=(Channel("current"), Channel("inflow")))
    table = {
        "inflow": {"path": "Flow", "factor": 60},
        "current": {"path": "ns=2;s=Motor", "factor": 0.1, "offset": 0.5},
    }
    with Collector(opened(server, columns=Columns.of(model, channels=table))) as reading:
        assert wait_for(lambda: [1.5, 60.0] in values(reading))


def test_changes_are_samples_of_all_values_with_the_time_at_their_source(server):
    moment = datetime.now(timezone.utc).replace(tzinfo=None) - timedelta(seconds=5)
    with Collector(opened(server)) as reading:
        assert wait_for(lambda: [1.0, 10.0] in values(reading))
        reading.samples.clear()
        for step in range(3):
            at = moment + timedelta(seconds=step)
            server.set("Flow", 2.0 + step, moment=at)
            server.set("Motor", 20.0 + step, moment=at)
        server.set("Flow", 9.0, moment=moment + timedelta(seconds=4))
        assert wait_for(lambda: values(reading)[-1:] == [[9.0, 22.0]])

    assert [9.0, 22.0] in values(reading)
    assert reading.samples[-1].time == pytest.approx(moment.replace(tzinfo=timezone.utc).timestamp() + 4, abs=1e-3)
    flows = [sample.values[0] for sample in reading.samples]
    assert flows == sorted(flows)


def test_a_value_of_bad_quality_is_missing_until_a_good_one_comes(server, caplog):
    with Collector(opened(server)) as reading:
        assert wait_for(lambda: [1.0, 10.0] in values(reading))
        server.set("Motor", 11.0, UNCERTAIN)
        server.set("Flow", 2.0, BAD)
        assert wait_for(lambda: values(reading)[-1] == [NAN, 11.0])
        server.set("Flow", 3.0, BAD)
        server.set("Flow", 4.0)
        assert wait_for(lambda: values(reading)[-1] == [4.0, 11.0])

    assert reading.source.skipped in (1, 2)  # some servers report a change of value only while the quality is good
    assert sum("bad quality (BadSensorFailure)" in one.message for one in caplog.records) == 1


def test_the_latest_values_come_at_an_interval_though_nothing_changes(server):
    with Collector(opened(server, "every=0.05")) as reading:
        assert wait_for(lambda: values(reading).count([1.0, 10.0]) > 5)


def test_a_models_grid_gets_what_changed_alone():
    rows = ValueRows(Columns(("a", "b"), resampling=Resampling(1.0, 3.0)), 5.0)
    rows.put(0, 1.0, 100.0)
    rows.put(1, 2.0, 100.0)

    assert rows.put(0, 3.0, 101.0).values == [1.0, 2.0]
    assert rows.flush().values == [3.0, NAN]
    assert rows.flush() is None
    assert rows.due() is None


def test_channels_are_found_by_path_and_by_id(server):
    columns = Columns(("flow", "motor"), ("Pump/Flow", "ns=2;s=Motor"))
    source = open_source(parse_address(f"opc.tcp://127.0.0.1:{server.port}/pump?every=0"), columns)
    with Collector(source) as reading:
        assert wait_for(lambda: [1.0, 10.0] in values(reading))


def test_a_channel_that_the_server_lacks_ends_the_reading_with_the_names_that_are_there(server):
    with pytest.raises(ShapeError, match=r"has no Level .*Alarm, Count, Flow, Motor"):
        next(iter(opened(server, columns=Columns(("Flow", "Level")))))


def test_a_restarted_server_is_subscribed_to_again_and_values_are_missing_meanwhile(server, caplog):
    with Collector(opened(server)) as reading:
        for number in range(2):
            assert wait_for(lambda: [1.0, 10.0] in values(reading), 20)
            server.set("Flow", 5.0 + number)
            assert wait_for(lambda: values(reading)[-1] == [5.0 + number, 10.0])  # noqa: B023
            reading.samples.clear()
            server.hang_up()
            server.listen_again()
        assert wait_for(lambda: [1.0, 10.0] in values(reading), 20)

    assert all(sample.values[0] in (1.0, NAN) for sample in reading.samples)
    assert len([one for one in caplog.records if "works again" in one.message]) == 2


def test_every_value_of_a_quick_series_comes_once_and_in_order(server):
    count = Columns(("Count",))
    with Collector(opened(server, "every=0&queue=1000", count)) as reading:
        assert wait_for(lambda: reading.samples)
        for number in range(1, 300):
            server.set("Count", number)
        assert wait_for(lambda: values(reading)[-1] == [299.0])

    assert values(reading) == [[float(number)] for number in range(300)]
    assert reading.source.skipped == 0


@pytest.fixture(scope="module")
def secured(certificates):
    made = Server(certificates["server"], [certificates[name][0] for name in ("client", "expired")]).start()
    yield made
    made.stop()


def security(certificates, own="client", theirs="server", mode="sign-and-encrypt", policy="basic256sha256"):
    (cert, key), (server_cert, _) = certificates[own], certificates[theirs]
    return f"every=0&policy={policy}&mode={mode}&cert={cert}&key={key}&server-cert={server_cert}"


@pytest.mark.parametrize(
    ("policy", "mode"),
    [("basic256sha256", "sign"), ("basic256sha256", "sign-and-encrypt"), ("aes128sha256rsaoaep", "sign-and-encrypt"),
     ("aes256sha256rsapss", "sign-and-encrypt"), ("aes256sha256rsapss", "sign")],
)  # fmt: skip
def test_the_right_certificates_and_password_open_a_session(secured, certificates, policy, mode, monkeypatch):
    monkeypatch.setenv("PUMP_PASSWORD", PASSWORD)
    options = security(certificates, mode=mode, policy=policy) + "&password-env=PUMP_PASSWORD"
    with Collector(opened(secured, options, user="watch@")) as reading:
        assert wait_for(lambda: [1.0, 10.0] in values(reading))


@pytest.mark.parametrize(
    "options",
    [{"own": "stranger"}, {"own": "expired"}, {"theirs": "stranger"}, None],
    ids=["a-client-nobody-trusts", "an-expired-client", "another-server", "no-security"],
)
def test_a_wrong_certificate_or_none_gives_no_sample_and_is_said_once(secured, certificates, options, caplog):
    text = "every=0" if options is None else security(certificates, **options)
    with Collector(opened(secured, text + "&timeout=1", user="watch:geheim%2F1%3F@")) as reading:
        assert wait_for(lambda: reading.source._attempts.failures >= 2, 20)

    assert reading.samples == []
    messages = [one.message for one in caplog.records if one.name == "edgelstm"]
    assert len(messages) == len(set(messages)) <= 2


def test_a_wrong_password_gives_no_sample_and_is_shown_nowhere(secured, certificates, caplog):
    source = opened(secured, security(certificates), user="watch:guess@")
    with Collector(source) as reading:
        assert wait_for(lambda: source._attempts.failures, 20)

    assert reading.samples == []
    assert "guess" not in caplog.text + source.name + repr(source.address)


@pytest.mark.parametrize(
    "options",
    [
        "policy=rot13",
        "policy=basic256sha256",
        "cert=x.pem",
        "node=Pump",
        "every=-1",
        "password-env=NOT_SET",
        "timeout=0",
    ],
)
def test_options_that_cannot_be_are_refused_before_anything_is_connected(options):
    with pytest.raises(ConfigError):
        open_source(parse_address(f"opc.tcp://plc/?{options}"), PUMP)


@pytest.mark.parametrize("answer", [b"", b"\0" * 64, b"ERRF" + b"\xff" * 12, b"ACKF\xff\xff\xff\x7f" + b"x" * 1000])
def test_an_end_that_speaks_no_opc_ua_is_said_once(answer, caplog):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        stop = threading.Event()

        def serve():
            listener.settimeout(0.1)
            while not stop.is_set():
                try:
                    line, _ = listener.accept()
                except TimeoutError:
                    continue
                with line:
                    line.settimeout(0.2)
                    try:
                        line.recv(1000)
                        line.sendall(answer)
                        stop.wait(0.5)
                    except OSError:
                        pass

        thread = threading.Thread(target=serve)
        thread.start()
        source = open_source(
            parse_address(f"opc.tcp://127.0.0.1:{listener.getsockname()[1]}/?every=0&timeout=0.2"), PUMP
        )
        with Collector(source) as reading:
            assert wait_for(lambda: source._attempts.failures >= 2)
            begin = time.monotonic()
        assert time.monotonic() - begin < 5
        stop.set()
        thread.join()

    assert reading.samples == []
    messages = [one.message for one in caplog.records if one.name == "edgelstm"]
    assert len(messages) == len(set(messages)) <= 3


def test_a_node_follows_the_alarm_and_is_written_again_after_the_server_was_restarted(server, tmp_path, quick):
    url = f"opc.tcp://127.0.0.1:{server.port}/pump?node=ns=2;s=Alarm&refresh=0.2&timeout=2"
    sink = forwarder(tmp_path / "spool", open_sink(url))
    sink.event(event(1))
    assert wait_for(lambda: server.get("Alarm") is True)
    server.hang_up()
    server.listen_again()
    assert wait_for(lambda: server.get("Alarm") is True, 20)
    sink.event(event(1, "closed"))
    assert wait_for(lambda: server.get("Alarm") is False)
    sink.close()


@pytest.mark.parametrize("options", ["", "node=Alarm", "node=ns=2;s=Alarm&kinds=alarm"])
def test_a_node_for_the_alarm_that_cannot_be_is_refused(options):
    with pytest.raises(ConfigError):
        open_sink(f"opc.tcp://plc/?{options}")
