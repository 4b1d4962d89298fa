"""Connection to an MQTT broker, for sources and sinks (`pip install edgelstm[mqtt]`)."""

from __future__ import annotations

import ssl
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ConfigError
from .addresses import Address, credential, read_secret
from .extras import load_extra

CONNECT_TIMEOUT = 10.0  # seconds
KEEPALIVE = 30  # seconds
FIRST_WAIT, LONGEST_WAIT = 0.5, 30  # seconds between attempts to connect, doubling
BLOCK = 1 << 16  # bytes a read
LONGEST_PACKET = 2 << 20  # bytes of a packet that are kept; what is longer is told by that


@dataclass(frozen=True)
class BrokerOptions:
    """Settings of a connection, beside the broker's address."""

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
    """Client identifier; empty for a random one."""
    qos: int = 1
    """Quality of service, 0 to 2."""

    def __post_init__(self) -> None:
        """Find what is missing before anything is connected.

        Raises:
            ConfigError: If paho-mqtt is missing, a file cannot be read, or the quality of service is none.
        """
        load()
        read_secret(self.password_file)
        if self.ca or self.cert or self.key:
            _tls(self)
        if self.qos not in (0, 1, 2):
            raise ConfigError(f"qos is 0, 1 or 2; received {self.qos}.")


def connect(address: Address, options: BrokerOptions, prepare: Callable[[Any], None], session: str = "") -> Any:
    """Begin to connect, and go on trying for ever in a thread of paho's.

    Args:
        address: The broker's; `mqtts` is TLS.
        options: Credentials and certificates.
        prepare: Function that sets the client's callbacks and last will before it connects.
        session: Name under which the broker keeps this client's messages while it is away; empty for none. Messages
            then count as received only when `client.ack` is called for them.

    Returns:
        A `paho.mqtt.client.Client`; stop it with `disconnect` of this module.

    Raises:
        ConfigError: If paho-mqtt is missing, or a certificate or password file cannot be read.
    """
    mqtt = load()
    client = _bounded(mqtt.Client)(
        mqtt.CallbackAPIVersion.VERSION2,
        client_id=session or options.client_id,
        clean_session=not session,
        manual_ack=bool(session),
        reconnect_on_failure=True,
    )
    client.connect_timeout = CONNECT_TIMEOUT
    client.reconnect_delay_set(FIRST_WAIT, LONGEST_WAIT)
    username, password = address.username or options.username, address.password or read_secret(options.password_file)
    if username:
        client.username_pw_set(username, password or None)
    if address.scheme == "mqtts":
        client.tls_set_context(_tls(options))
    elif options.ca or options.cert or options.key:
        raise ConfigError(f"{address.name} has certificates but no TLS. Write mqtts:// instead of mqtt://")
    prepare(client)
    client.connect_async(address.host, address.port or (8883 if address.scheme == "mqtts" else 1883), KEEPALIVE)
    client.loop_start()
    return client


def _bounded(client: type) -> type:
    """The client's class, which keeps no more of a packet than its beginning: a message may have 256 MB by the protocol.

    paho collects a packet before anybody can refuse it. `_sock_recv` and `_in_packet` are its own; where a later version has others,
    messages are read as before, and the test of this fails.
    """

    class BoundedClient(client):  # type: ignore[misc]
        def _sock_recv(self, bufsize: int) -> bytes:
            packet = self._in_packet["packet"]
            if len(packet) > LONGEST_PACKET:
                del packet[LONGEST_PACKET:]
            return bytes(super()._sock_recv(min(bufsize, BLOCK)))

    return BoundedClient


def load() -> Any:
    """Import the paho client module.

    Raises:
        ConfigError: If it is missing or older than 2.
    """
    return load_extra("mqtt", "paho.mqtt.client")


def _tls(options: BrokerOptions) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=options.ca or None)
        if options.cert:
            context.load_cert_chain(options.cert, credential(Path(options.key)) if options.key else None)
    except OSError as error:  # ssl.SSLError is one
        files = ", ".join(name for name in (options.ca, options.cert, options.key) if name)
        raise ConfigError(f"Cannot use the certificates ({files}): {error.strerror or error}.") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def reason() -> str:
    """Return an attempt's reason to fail; for paho's `on_connect_fail`, which it calls while handling the error."""
    error = sys.exc_info()[1]
    return (getattr(error, "verify_message", "") or getattr(error, "strerror", "") or str(error or "")).lower()


def disconnect(client: Any) -> None:
    """Disconnect a client and end its thread."""
    client.disconnect()
    with suppress(AttributeError):  # paho's thread may end between its check and its join
        client.loop_stop()
