"""Foreign text on terminals and in logs: nothing steers the terminal, no secret is repeated."""

import json
import logging

import pytest
from edgelstm.runtime.errors import ConfigError
from edgelstm.runtime.io.addresses import parse_address
from edgelstm.runtime.io.terminal import SafeFormatter, masked, printable
from edgelstm.runtime.sinks.jsonl import compact

HOSTILE = "a\x1b]0;owned\x07\x9b2J\r\u202eb\u2028c\x00\ud800"


def test_characters_that_steer_a_terminal_are_escaped():
    shown = printable(HOSTILE)

    assert shown.isprintable()
    assert "\\x1b]0;owned\\x07" in shown
    assert printable("Öl °C\tµm\n") == "Öl °C\tµm\n"


def test_json_lines_escape_them_and_keep_the_value():
    line = compact({"model": HOSTILE})

    assert line.isprintable()
    assert json.loads(line)["model"] == HOSTILE


@pytest.mark.parametrize(
    "text",
    [
        "mqtts://me:sesame@broker:8883/plant",
        "https://me:ses/ame@host/x",
        "http://host/x?access_token=sesame&n=1",
        "http://host/x?a=1&my-api_key=sesame",
        "Authorization: Bearer sesame.sesame",
        "Authorization: Basic sesamesesame==",
    ],
)
def test_secrets_are_masked_in_log_lines(text):
    record = logging.LogRecord("edgelstm", logging.WARNING, "", 0, "cannot reach %s", (text,), None)

    assert "ses" not in SafeFormatter("%(message)s").format(record)
    assert masked(masked(text)) == masked(text)


def test_a_commands_arguments_are_not_part_of_its_name():
    assert parse_address("command:curl -u me:sesame https://host").name == "command:curl …"


@pytest.mark.parametrize("address", ["mqtt://me:sesame@host:port/x", "mqtt://me:sesame@/x", "mqtt://me:sesame@[::1/x"])
def test_an_address_that_is_none_is_refused_without_its_password(address):
    with pytest.raises(ConfigError) as refusal:
        parse_address(address)

    assert "sesame" not in str(refusal.value)
