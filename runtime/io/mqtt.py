"""A connection to an MQTT broker, for sources and sinks (`pip install edgelstm[mqtt]`)."""

from __future__ import annotations

import ssl
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ConfigError
from .addresses import Spec, credential, read_secret

CONNECT_TIMEOUT = 10.0  # seconds
KEEPALIVE = 30  # seconds
FIRST_WAIT, LONGEST_WAIT = 0.5, 30  # seconds between attempts to connect, doubling


@dataclass(frozen=True)
class Access:
    """How to reach a broker, beside its address."""

    ca: str = ""
    """File with the certificate authority's certificate; empty for the system's own."""
    cert: str = ""
    """File with this device's certificate, where the broker wants one."""
    key: str = ""
    """File with that certificate's private key."""
    username: str = ""
    """User name, unless the address holds it."""
    password_file: str = ""
    """File whose first line is the password."""
    client_id: str = ""
    """Client identifier; empty for one chosen by chance."""
    qos: int = 1
    """Quality of service, 0 to 2."""


def connect(spec: Spec, access: Access, prepare: Callable[[Any], None], clean: bool = True) -> Any:
    """Begin to connect, and go on trying for ever in a thread of paho's.

    Args:
        spec: Address; `mqtts` is TLS.
        access: Credentials and certificates.
        prepare: Sets the client's callbacks and last will before it connects.
        clean: Whether the broker forgets this client's session when it leaves.

    Returns:
        A `paho.mqtt.client.Client`; stop it with `disconnect` and `loop_stop`.

    Raises:
        ConfigError: If paho-mqtt is missing, or a certificate or password file cannot be read.
    """
    mqtt = load()
    client = mqtt.Client(
        mqtt.CallbackAPIVersion.VERSION2,
        client_id=access.client_id,
        clean_session=clean,
        reconnect_on_failure=True,
    )
    client.connect_timeout = CONNECT_TIMEOUT
    client.reconnect_delay_set(FIRST_WAIT, LONGEST_WAIT)
    username, password = spec.username or access.username, spec.password or read_secret(access.password_file)
    if username:
        client.username_pw_set(username, password or None)
    if spec.scheme == "mqtts":
        client.tls_set_context(_tls(access))
    elif access.ca or access.cert or access.key:
        raise ConfigError(f"{spec.name} has certificates but no TLS. Write mqtts:// instead of mqtt://")
    prepare(client)
    client.connect_async(spec.host, spec.port or (8883 if spec.scheme == "mqtts" else 1883), KEEPALIVE)
    client.loop_start()
    return client


def load() -> Any:
    """The paho client module.

    Raises:
        ConfigError: If it is missing or older than 2.
    """
    try:
        import paho.mqtt.client as mqtt

        mqtt.CallbackAPIVersion.VERSION2  # noqa: B018 - version 1 lacks it
    except (ImportError, AttributeError) as error:
        raise ConfigError("MQTT needs paho-mqtt 2 or newer. Install it: pip install 'edgelstm[mqtt]'") from error
    return mqtt


def _tls(access: Access) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=access.ca or None)
        if access.cert:
            context.load_cert_chain(access.cert, credential(Path(access.key)) if access.key else None)
    except OSError as error:  # ssl.SSLError is one
        files = ", ".join(name for name in (access.ca, access.cert, access.key) if name)
        raise ConfigError(f"Cannot use the certificates ({files}): {error.strerror or error}.") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def failure() -> str:
    """Why an attempt to connect failed; for paho's `on_connect_fail`, which it calls while handling the error."""
    error = sys.exc_info()[1]
    return (getattr(error, "verify_message", "") or getattr(error, "strerror", "") or str(error or "")).lower()
