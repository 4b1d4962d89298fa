"""Maps and addresses of Modbus sources: those that cannot be are refused before anything is connected."""

import pytest
from edgelstm.runtime.errors import ConfigError, ShapeError

pytest.importorskip("pymodbus", reason="the extra [modbus] is not installed")
from modbus_helpers import MAP, opened


@pytest.mark.parametrize(
    ("text", "options", "error", "message"),
    [
        (MAP, "every=0", ConfigError, "requires an interval"),
        (MAP, "every=1&unit=2", ConfigError, "two units, 1 and 2"),
        (MAP.replace("motor", "level"), "every=1", ShapeError, "has no motor"),
        (MAP + "flow,holding:9\n", "every=1", ConfigError, "two registers for the channel flow"),
        ("channel,register,unit\nflow,holding:0,bar\n", "every=1", ConfigError, "number of the device"),
        ("channel,register,type\nflow,coil:0,int16\n", "every=1", ConfigError, "a coil has no type"),
        ("channel,register\nflow,7\n", "every=1", ConfigError, "KIND:ADDRESS"),
        ("channel,register\nflow,holding:65536\n", "every=1", ConfigError, "65535"),
        ("channel,register,kind\nflow,holding:0,x\n", "every=1", ConfigError, "unknown key 'kind'"),
        ("", "every=1", ConfigError, "holds no registers"),
        ("channel,register,type\nflow,holding:0,int17\n", "every=1", ConfigError, "the type is .* or bit0 to bit15"),
        ("channel,register,word-order\nflow,holding:0,up\n", "every=1", ConfigError, "big or little"),
        ("channel,register,unit\nflow,holding:0,256\n", "every=1", ConfigError, "0 to 255; received 256"),
        ("channel,register\nflow,holding:0,int16\n", "every=1", ConfigError, "more cells than the header"),
        ("#" * 2_000_000, "every=1", ConfigError, "is longer than"),
        (MAP, "every=1&unit=300", ConfigError, "0 to 255; received 300"),
        (MAP, "every=1&timeout=0", ConfigError, "timeout is above 0"),
        (MAP, "every=1&parity=mark", ConfigError, "parity is none, even, odd"),
        (MAP, "every=1&stop-bits=3", ConfigError, "stop-bits is 1 or 2"),
        (MAP, "every=1&colour=red", ConfigError, "unknown key 'colour'"),
    ],
)
def test_maps_and_options_that_cannot_be_are_refused_before_anything_is_connected(
    text, options, error, message, write_map
):
    with pytest.raises(error, match=message):
        opened(f"modbus://127.0.0.1:1/1?map={write_map(text)}&{options}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[register", "is no TOML"),
        ('channel = "flow"\n', r"one \[\[register\]\] table a channel"),
        ("register = [1]\n", r"one \[\[register\]\] table a channel"),
    ],
)
def test_a_map_in_toml_that_holds_no_tables_is_refused(text, message, write_map):
    with pytest.raises(ConfigError, match=message):
        opened(f"modbus://127.0.0.1:1/1?map={write_map(text, 'pump.toml')}&every=1")


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("modbus://plc/1?every=1", "needs its registers"),
        ("modbus://plc/one?every=1&map=MAP", "the number of the device, 0 to 255"),
        ("modbus:///1?every=1&map=MAP", "names no host"),
        ("modbus+serial:?every=1&map=MAP", "names no device"),
        ("modbus://plc/1?every=1&map=none.csv", "Cannot read the map none.csv"),
    ],
)
def test_addresses_without_a_device_or_a_map_are_refused(address, message, write_map):
    with pytest.raises(ConfigError, match=message):
        opened(address.replace("MAP", str(write_map())))


def test_a_map_may_stand_in_the_configuration():
    tables = [
        {"channel": "flow", "register": "holding:0", "type": "float32"},
        {"channel": "motor", "register": "coil:1"},
    ]
    source = opened({"url": "modbus://plc/3", "every": 1, "registers": tables})

    assert [(one.unit, one.kind, one.first, one.length) for one in source.requests] == [
        (3, "coil", 1, 1),
        (3, "holding", 0, 2),
    ]
