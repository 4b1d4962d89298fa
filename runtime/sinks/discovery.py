"""Home Assistant's device discovery: the entities that a stream's topics feed."""

from __future__ import annotations

import re
from typing import Any

from ..version import __version__
from .delivery import Stream
from .topics import Topics


def discovery(prefix: str, topics: Topics, stream: Stream) -> tuple[str, dict[str, Any]]:
    """Return topic and payload of Home Assistant's device discovery.

    Schema: https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload (2024.11 and later).

    Args:
        prefix: Beginning of Home Assistant's discovery topics.
        topics: Topics that the sink publishes to.
        stream: The stream whose records are published.
    """
    identity = "edgelstm_" + re.sub(r"[^a-zA-Z0-9_-]", "_", topics.base)
    components = _of_forecaster(identity, topics, stream) if stream.targets else _of_detector(identity, topics, stream)
    payload = {
        "device": {
            "identifiers": [identity],
            "name": stream.model,
            "manufacturer": "edgelstm",
            "sw_version": __version__,
        },
        "origin": {"name": "edgelstm", "sw_version": __version__},
        "components": components,
        "availability_topic": topics.status,
        "qos": 1,
    }
    return f"{prefix}/device/{identity}/config", payload


def _of_detector(identity: str, topics: Topics, stream: Stream) -> dict[str, Any]:
    """The alarm and, where scores are sent, the score."""
    components: dict[str, Any] = {"anomaly": _problem(identity, topics, "anomaly", "Anomaly", topics.anomaly)}
    if stream.scores:
        components["score"] = {
            "platform": "sensor",
            "name": "Anomaly score",
            "unique_id": f"{identity}_score",
            "state_class": "measurement",
            "state_topic": f"{topics.base}/score",
            "value_template": "{{ value_json.score }}",
            "suggested_display_precision": 2,
        }
    return components


def _of_forecaster(identity: str, topics: Topics, stream: Stream) -> dict[str, Any]:
    """The next value of each target, with the whole forecast as attributes; and whether it is unreliable."""
    components: dict[str, Any] = {
        "unreliable": _problem(identity, topics, "unreliable", "Forecast unreliable", topics.unreliable)
    }
    for place, target in enumerate(stream.targets):
        key, path = f"forecast_{place + 1}", f"value_json.targets[{_quoted(target)}]"
        components[key] = {
            "platform": "sensor",
            "name": f"Forecast of {target}",
            "unique_id": f"{identity}_{key}",
            "state_class": "measurement",
            "state_topic": f"{topics.base}/forecast",
            "value_template": "{{ " + path + ".forecast[0] }}",
            "json_attributes_topic": f"{topics.base}/forecast",
            "json_attributes_template": (
                "{{ dict("
                + path
                + ", times=value_json.times, interval_percent=value_json.interval_percent) | tojson }}"
            ),
            "suggested_display_precision": 2,
            **({"unit_of_measurement": stream.units[place]} if stream.units[place] else {}),
        }
    return components


def _problem(identity: str, topics: Topics, key: str, name: str, topic: str) -> dict[str, Any]:
    return {
        "platform": "binary_sensor",
        "name": name,
        "unique_id": f"{identity}_{key}",
        "device_class": "problem",
        "state_topic": topic,
        "json_attributes_topic": f"{topics.base}/event",
    }


def _quoted(text: str) -> str:
    """A text as a template writes it."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
