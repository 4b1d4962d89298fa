"""Start as an add-on of Home Assistant: its options become a configuration, and the rights of root end before a model is read.

The Supervisor writes the user's options to /data/options.json, readable for root alone, and tells add-ons the broker that
it manages. Models lie in the add-on's own folder, /config, which users reach over their file share.
"""

from __future__ import annotations

import json
import os
import pwd
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import ConfigError, EdgelstmError
from ..io.atomic_files import write_atomic
from ..model_file.bounded_json import load_json

DATA = Path("/data")
PASSWORD = "broker-password"  # its file, in the same folder
MODELS = "/config"
USER = "edgelstm"
PORT = 8377  # of the image's health check, and of `ingress_port` in the add-on's config.yaml
INGRESS = "172.30.32.2"  # the Supervisor, which alone passes on whom Home Assistant has let in
SUPERVISOR = "http://supervisor/services/mqtt"
DISCOVERY = "homeassistant"


def configuration(options: Mapping[str, Any], broker: Mapping[str, Any] | None, data: Path = DATA) -> dict[str, Any]:
    """Return the record of a configuration file, as `config.make_config` takes it.

    Args:
        options: The user's options, of the form that the add-on's schema has.
        broker: Host, port, ssl and username of Home Assistant's broker; None without one.
        data: Folder of state, event logs and the broker's password.

    Raises:
        ConfigError: If a stream has not one of topic and source, or a topic and there is no broker.

    >>> options = {"streams": [{"model": "pump.tflite", "topic": "plant/pump/#"}]}
    >>> configuration(options, {"host": "core-mosquitto", "port": 1883})["stream"][0]["source"]
    {'url': 'mqtt://core-mosquitto:1883/plant/pump/#'}
    """
    settings = {key: value for key, value in options.items() if key != "streams"}
    streams = [_stream(stream, broker, data) for stream in options.get("streams", [])]
    served = {"listen": f"0.0.0.0:{PORT}", "trusted-proxy": INGRESS, "state-dir": str(data)}
    return {**settings, **served, "stream": streams}


def _stream(options: Mapping[str, Any], broker: Mapping[str, Any] | None, data: Path) -> dict[str, Any]:
    """Return one stream's table: what it reads, its alarms for Home Assistant, and its files."""
    stream = dict(options)
    topic, source = stream.pop("topic", ""), stream.pop("source", "")
    name = stream.get("name") or Path(stream["model"]).name.partition(".")[0]
    if bool(topic) == bool(source):
        raise ConfigError(
            f"Stream {name}: give one of topic (on Home Assistant's broker) and source (any other address)."
        )
    if topic and not broker:
        raise ConfigError(
            f"Stream {name}: there is no MQTT service. Install the Mosquitto broker add-on, or give a source."
        )
    stream["model"] = os.path.join(MODELS, stream["model"])  # an absolute path stays
    stream["source"] = _at_broker(broker, topic, data) if broker and topic else source
    if broker:
        stream["to"] = [{**_at_broker(broker, f"edgelstm/{name}", data), "discovery": DISCOVERY}]
    stream["state"], stream["event-log"] = str(data / f"{name}.state"), str(data / f"{name}.events.jsonl")
    return stream


def _at_broker(broker: Mapping[str, Any], topic: str, data: Path) -> dict[str, Any]:
    """Return a topic's address as a table."""
    scheme = "mqtts" if broker.get("ssl") else "mqtt"
    address = {"url": f"{scheme}://{broker['host']}:{broker['port']}/{topic}"}
    if broker.get("username"):
        address |= {"username": broker["username"], "password-file": str(data / PASSWORD)}
    return address


def toml(record: Mapping[str, Any]) -> str:
    """Return a configuration as TOML: values of the top level, then tables of its lists of streams.

    >>> print(toml({"language": "de", "stream": [{"threshold": 1.5, "source": {"url": "mqtt://h/t"}}]}), end="")
    language = "de"
    <BLANKLINE>
    [[stream]]
    threshold = 1.5
    source = { url = "mqtt://h/t" }
    """
    top = [f"{key} = {_value(value)}\n" for key, value in record.items() if key != "stream"]
    tables = [
        "\n[[stream]]\n" + "".join(f"{key} = {_value(value)}\n" for key, value in table.items())
        for table in record["stream"]
    ]
    return "".join([*top, *tables])


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_value(part)}" for key, part in value.items()) + " }"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_value(part) for part in value) + "]"
    # TOML's strings, numbers and truth values are JSON's, but for the character DEL
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def find_broker(token: str) -> Mapping[str, Any] | None:
    """Ask the Supervisor for Home Assistant's broker; None where there is none.

    Args:
        token: The add-on's token, `SUPERVISOR_TOKEN`.

    Raises:
        ConfigError: If the Supervisor does not answer.
    """
    request = urllib.request.Request(SUPERVISOR, headers={"Authorization": f"Bearer {token}"})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return dict(load_json(answer.read(1 << 16))["data"])
    except urllib.error.HTTPError as error:
        error.close()
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"The Supervisor does not say where the MQTT broker is: {error}.") from error


def prepare(data: Path, token: str, owner: int) -> Path:
    """Write the configuration and the broker's password for the service's user, and return the configuration's path.

    Args:
        data: The add-on's folder, with options.json.
        token: The add-on's token.
        owner: Number of the user and the group.

    Raises:
        ConfigError: If the options do not make a configuration.
    """
    options = load_json((data / "options.json").read_bytes())
    broker = find_broker(token)
    secret, config = data / PASSWORD, data / "edgelstm.toml"
    write_atomic(secret, f"{(broker or {}).get('password', '')}\n".encode(), mode=0o600)
    write_atomic(config, toml(configuration(options, broker, data)).encode(), mode=0o600)
    for path in (data, secret, config):
        os.chown(path, owner, owner, follow_symlinks=False)
    return config


def main() -> None:
    """Prepare as root, then go on as the service's own user."""
    try:
        user = pwd.getpwnam(USER)
        config = prepare(DATA, os.environ.pop("SUPERVISOR_TOKEN", ""), user.pw_uid)
    except (EdgelstmError, OSError, KeyError, ValueError) as error:
        sys.exit(f"Error: {error}")
    os.initgroups(USER, user.pw_gid)  # with dialout, for serial devices
    os.setgid(user.pw_gid)
    os.setuid(user.pw_uid)
    os.execv("/usr/bin/edgelstm", ["edgelstm", "run", "--config", str(config)])


if __name__ == "__main__":
    main()
