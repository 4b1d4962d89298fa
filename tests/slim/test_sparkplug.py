"""Sparkplug B: payloads of Google's protobuf, and an edge node behind a real broker."""

import math
import time

import pytest
from edgelstm.runtime.errors import ConfigError, SeriesError
from edgelstm.runtime.io.addresses import parse_address
from edgelstm.runtime.sources import Columns, open_source
from edgelstm.runtime.sources.sparkplug_payload import parse_payload
from hypothesis import given, settings
from hypothesis import strategies as st
from mqtt_helpers import NEEDS_MOSQUITTO, Listener, mqtt, subscribed
from sink_helpers import wait_for
from sparkplug_helpers import Payload, double, encode
from test_live_sources import Collector

pytestmark = NEEDS_MOSQUITTO
PUMP = Columns(("Flow", "Motor"))
NAN = pytest.approx(math.nan, nan_ok=True)
NOW = 1_767_323_045.0


class Edge:
    """An edge node that births when it is asked."""

    def __init__(self, broker, births=True):
        self.client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="edge")
        self.client.reconnect_delay_set(0.1, 0.1)
        self.client.on_connect = lambda client, *_: client.subscribe("spBv1.0/G/NCMD/E", 1)
        self.client.on_message = lambda _, __, message: self._asked(message)
        self.births, self.asked, self.seq = births, [], 0
        self.values = {"Flow": 1.0, "Motor": 10.0}
        self.client.connect("127.0.0.1", broker.port)
        self.client.loop_start()

    def _asked(self, message):
        self.asked.append(parse_payload(message.payload).metrics[0])
        if self.births:
            self.birth()

    def send(self, kind, device="", seq=None, **payload):
        self.seq = 0 if kind == "NBIRTH" else (self.seq + 1) % 256 if seq is None else seq
        number = None if kind == "NDEATH" else self.seq
        topic = f"spBv1.0/G/{kind}/E" + (f"/{device}" if device else "")
        return self.client.publish(topic, encode(number, **payload), qos=1)

    def birth(self):
        metrics = [double(value, name, alias) for alias, (name, value) in enumerate(self.values.items())]
        self.send("NBIRTH", moment=NOW, metrics=metrics)

    def data(self, alias, value, moment=NOW, **more):
        self.values[("Flow", "Motor")[alias]] = value
        self.send("NDATA", moment=moment, metrics=[double(value, alias=alias, **more)])

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture
def edge(broker):
    made = Edge(broker)
    yield made
    made.close()


def opened(broker, options="every=0", columns=PUMP):
    address = f"mqtt://127.0.0.1:{broker.port}/?format=sparkplug&group=G&node=E&{options}"
    return open_source(parse_address(address), columns)


def values(reading):
    return [sample.values for sample in reading.samples]


def test_births_aliases_and_times_make_samples_of_all_values_that_hold(broker, edge):
    with Collector(opened(broker)) as reading:
        assert subscribed(reading.source)
        edge.birth()
        edge.data(0, 2.0, NOW + 1)
        edge.data(1, 20.0, NOW + 2)
        edge.send("NDATA", metrics=[double(3.0, alias=0, moment=NOW + 3), double(30.0, alias=1, moment=NOW + 3)])
        assert wait_for(lambda: len(reading.samples) == 4)

    assert values(reading) == [[1.0, 10.0], [2.0, 10.0], [2.0, 20.0], [3.0, 30.0]]
    assert [sample.time for sample in reading.samples] == [NOW, NOW + 1, NOW + 2, NOW + 3]
    assert reading.source.skipped == 0


def test_data_before_a_birth_asks_for_one_and_is_not_guessed_at(broker, edge, caplog):
    with Collector(opened(broker)) as reading:
        assert subscribed(reading.source)
        edge.values = {"Flow": 5.0, "Motor": 50.0}
        edge.send("NDATA", moment=NOW, metrics=[double(5.0, alias=0)])
        assert wait_for(lambda: reading.samples)

    assert values(reading) == [[5.0, 50.0]]
    assert [one.name for one in edge.asked] == ["Node Control/Rebirth"]
    assert reading.source.unborn == 1
    assert caplog.text.count("data before a birth is passed over") == 1


def test_a_gap_in_the_sequence_forgets_the_values_and_asks_for_a_birth(broker):
    edge = Edge(broker, births=False)
    with Collector(opened(broker)) as reading:
        assert subscribed(reading.source)
        edge.birth()
        for number in range(300):  # over the end of the sequence
            edge.data(0, float(number))
        edge.seq += 1
        edge.data(0, 7.0)
        assert wait_for(lambda: len(edge.asked) == 1)
        edge.births = True
        edge.birth()
        assert wait_for(lambda: values(reading)[-1] == [7.0, 10.0])
    edge.close()

    assert values(reading)[:301] == [[1.0, 10.0], *([float(number), 10.0] for number in range(300))]
    assert values(reading)[301] == [7.0, NAN]
    assert reading.source.gaps == 1


def test_deaths_of_node_and_device_make_their_values_missing(broker, edge):
    columns = Columns(("pump/Flow", "fan/Flow"))
    with Collector(opened(broker, "every=0.05", columns)) as reading:
        assert subscribed(reading.source)
        edge.send("NBIRTH", moment=NOW)
        for device, value in (("pump", 1.0), ("fan", 2.0)):
            edge.send("DBIRTH", device, moment=NOW, metrics=[double(value, "Flow")])
        assert wait_for(lambda: [1.0, 2.0] in values(reading))
        edge.send("DDEATH", "fan", moment=NOW)
        assert wait_for(lambda: values(reading)[-1] == [1.0, NAN])
        edge.send("NDEATH")
        assert wait_for(lambda: values(reading)[-1] == [NAN, NAN])


def test_another_devices_messages_count_in_the_sequence_and_give_no_sample(broker, edge):
    with Collector(opened(broker, "every=0&device=pump", Columns(("Flow",)))) as reading:
        assert subscribed(reading.source)
        edge.send("NBIRTH", moment=NOW)
        edge.send("DBIRTH", "pump", moment=NOW, metrics=[double(1.0, "Flow")])
        edge.send("DBIRTH", "fan", moment=NOW, metrics=[double(8.0, "Flow")])
        edge.send("DDATA", "fan", moment=NOW, metrics=[double(9.0, "Flow")])
        edge.send("DDATA", "pump", moment=NOW, metrics=[double(2.0, "Flow")])
        assert wait_for(lambda: [2.0] in values(reading))

    assert values(reading) == [[1.0], [2.0]]
    assert reading.source.gaps == 0


def test_text_is_read_as_a_number_with_its_unit_or_counted(broker, edge):
    def text(value):
        return [{"name": "Flow", "datatype": 12, "string_value": value}]

    with Collector(opened(broker, columns=Columns(("Flow",)))) as reading:
        assert subscribed(reading.source)
        edge.send("NBIRTH", moment=NOW, metrics=text("7.5 bar"))
        edge.send("NDATA", moment=NOW + 1, metrics=text("oops"))
        assert wait_for(lambda: len(reading.samples) == 2)

    assert values(reading) == [[7.5], [NAN]]
    assert reading.source.skipped == 1


def test_historical_values_are_old_rows_and_no_part_of_the_present(broker, edge):
    with Collector(opened(broker)) as rows, Collector(opened(broker, "every=0.05")) as present:
        assert subscribed(rows.source)
        assert subscribed(present.source)
        edge.birth()
        edge.data(0, 9.0, NOW - 60, is_historical=True)
        assert wait_for(lambda: len(rows.samples) == 2)
        assert wait_for(lambda: present.source.historical == 1)
        assert wait_for(lambda: present.samples)

    assert rows.samples[1].time == NOW - 60
    assert all(sample.values[0] in (1.0, NAN) for sample in present.samples)


def test_a_broker_that_is_restarted_leads_to_a_birth_and_the_values_of_now(broker, edge):
    with Collector(opened(broker)) as reading:
        assert subscribed(reading.source)
        edge.birth()
        assert wait_for(lambda: reading.samples)
        broker.stop()
        edge.values["Flow"] = 8.0
        edge.seq += 3  # messages that nobody got
        broker.start()
        assert wait_for(lambda: reading.source._inbox._connection == 2)
        time.sleep(0.2)
        edge.data(1, 80.0)
        assert wait_for(lambda: values(reading)[-1] == [8.0, 80.0], 20)


@pytest.mark.parametrize("options", ["node=", "group=a/b", "format=json", "device=%2B", "every=-1"])
def test_options_that_cannot_be_are_refused(broker, options):
    with pytest.raises(ConfigError):
        opened(broker, options)


@pytest.mark.parametrize(
    ("kind", "field", "wire", "value"),
    [
        (1, "int_value", 255, -1.0), (2, "int_value", 0xFFFF, -1.0), (3, "int_value", 0xFFFFFFFE, -2.0),
        (4, "long_value", 2**64 - 5, -5.0), (7, "int_value", 2**32 - 1, 2.0**32 - 1), (8, "long_value", 2**63, 2.0**63),
        (9, "float_value", 1.5, 1.5), (10, "double_value", -2.5, -2.5), (11, "boolean_value", True, 1.0),
        (12, "string_value", "7.5 bar", "7.5 bar"), (3, "is_null", True, None), (17, "bytes_value", b"x", None),
    ],
)  # fmt: skip
def test_each_type_is_read_as_protobuf_writes_it(kind, field, wire, value):
    payload = parse_payload(encode(7, NOW, [{"name": "a", "datatype": kind, field: wire}]))

    assert payload.metrics[0].value(kind) == value
    assert (payload.seq, payload.moment) == (7, NOW)


FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "name": st.text(max_size=9), "alias": st.integers(0, 2**64 - 1), "timestamp": st.integers(0, 2**64 - 1),
        "datatype": st.integers(0, 2**32 - 1), "is_historical": st.booleans(), "is_null": st.booleans(),
        "is_transient": st.booleans(), "bytes_value": st.binary(max_size=9),
    },
)  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**64 - 1), st.lists(FIELDS, max_size=4), st.binary(max_size=40), st.text(max_size=9))
def test_what_protobuf_writes_is_read_the_same(seq, metrics, body, uuid):
    made = Payload(seq=seq, body=body, uuid=uuid)
    for fields in metrics:
        made.metrics.add(**fields)
    payload = parse_payload(made.SerializeToString())

    assert payload.seq == seq
    assert [(one.name, one.alias or 0, one.kind, one.historical, one.null) for one in payload.metrics] == [
        (one.name, one.alias, one.datatype, one.is_historical, one.is_null) for one in made.metrics
    ]


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200) | st.sampled_from([b"\x12\xff\xff\xff\xff\x7f", b"\x80" * 5000, b"\x12\x00" * 10_001]))
def test_any_bytes_are_a_payload_or_an_error(content):
    try:
        parse_payload(content)
    except SeriesError:
        return


def test_a_listener_sees_the_request_on_the_nodes_command_topic(broker):
    listener = Listener(broker.port, "spBv1.0/G/NCMD/E")
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    with Collector(opened(broker)) as reading:
        assert subscribed(reading.source)
        client.publish("spBv1.0/G/NDATA/E", encode(4, NOW, [double(1.0, alias=0)]), qos=1)
        client.publish("spBv1.0/G/NDATA/E", b"\xff\xff", qos=1)
        assert wait_for(lambda: listener.messages)
        assert wait_for(lambda: reading.source.rows.bad == 1)
    client.disconnect()
    client.loop_stop()
    listener.close()
    asked = Payload.FromString(listener.messages[0].payload)

    assert [(one.name, one.datatype, one.boolean_value) for one in asked.metrics] == [
        ("Node Control/Rebirth", 11, True)
    ]
