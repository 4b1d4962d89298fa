"""Sink that holds the alarm's state in a node of an OPC UA server (`pip install edgelstm[opcua]`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..errors import ConfigError
from ..io.addresses import Address
from ..io.extras import load_extra
from ..io.opcua import Background, OpcOptions, connect, disconnect, reason
from .alarm_state import AlarmDelivery, check_alarm_options
from .delivery import DeliveryError, Stream


@dataclass(frozen=True)
class OpcSinkOptions(OpcOptions):
    """Place of the alarm in the server."""

    node: str = ""
    """Id of the node, such as ns=2;s=Alarm: a boolean or a number."""
    kinds: tuple[str, ...] = ("anomaly",)
    """Kinds of events that count as an alarm."""
    refresh: float = 10.0
    """Seconds after which the state is written again."""

    def __post_init__(self) -> None:
        """Check the place, too.

        Raises:
            ConfigError: As `OpcOptions`, or if the node is none.
        """
        super().__post_init__()
        check_alarm_options(self.kinds, self.refresh)
        ua = load_extra("opcua", "asyncua").ua
        try:
            ua.NodeId.from_string(self.node)
        except (ua.UaError, ValueError) as error:
            raise ConfigError(
                f"An OPC UA sink writes to a node: add node=ns=2;s=Alarm; received {self.node!r}."
            ) from error


class _Node:
    """A node, with a session that is opened when it is first written and again after each failure."""

    def __init__(self, address: Address, options: OpcSinkOptions) -> None:
        if not address.host:
            raise ConfigError(f"{address.name} names no host. Write opc.tcp://HOST:4840/…?node=ns=2;s=Alarm")
        self.name, self._address, self._options = address.name, address, options
        self._background = Background(f"to {address.name}")
        self._client: Any = None

    def set(self, on: bool) -> None:
        work = self._background.start(self._write(on))
        try:
            work.result(6 * self._options.timeout)
        except Exception as error:  # whatever the library raises
            work.cancel()
            raise DeliveryError(reason(error)) from error

    async def _write(self, on: bool) -> None:
        ua = load_extra("opcua", "asyncua").ua
        try:
            if self._client is None:
                self._client = await connect(self._address, self._options)
            node = self._client.get_node(self._options.node)
            kind = await node.read_data_type_as_variant_type()
            value = ua.Variant(on if kind == ua.VariantType.Boolean else int(on), kind)
            await node.write_attribute(ua.AttributeIds.Value, ua.DataValue(value))
        except BaseException:
            client, self._client = self._client, None
            if client is not None:
                await disconnect(client)
            raise

    def close(self) -> None:
        if self._client is not None:
            self._background.start(disconnect(self._client)).result(10)
        self._background.close()


class OpcDelivery(AlarmDelivery):
    """Delivery of events into a node.

    Args:
        address: The server's.
        options: Login, security, node.
        stream: Unused.

    Raises:
        ConfigError: If asyncua is missing, or the address names no host.
    """

    Options = OpcSinkOptions

    def __init__(self, address: Address, options: OpcSinkOptions, stream: Stream) -> None:
        super().__init__(_Node(address, options), options.kinds, options.refresh)
