"""Sink that holds the alarm's state in a coil or register of a Modbus device (`pip install edgelstm[modbus]`)."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import ConfigError
from ..io.addresses import Address
from ..io.modbus import ModbusLine, ModbusLostError, ModbusOptions, ModbusRefusalError
from .alarm_state import AlarmDelivery, check_alarm_options
from .delivery import DeliveryError, Stream


@dataclass(frozen=True)
class ModbusSinkOptions(ModbusOptions):
    """Place of the alarm in the device."""

    coil: int | None = None
    """Address of the coil, from 0."""
    register: int | None = None
    """Address of the holding register instead, from 0."""
    on: int = 1
    """The register's value while an alarm is open."""
    off: int = 0
    """Its value otherwise."""
    kinds: tuple[str, ...] = ("anomaly",)
    """Kinds of events that count as an alarm."""
    refresh: float = 10.0
    """Seconds after which the state is written again."""

    def __post_init__(self) -> None:
        """Check the place, too.

        Raises:
            ConfigError: As `ModbusOptions`, or if there is none or two.
        """
        super().__post_init__()
        check_alarm_options(self.kinds, self.refresh)
        place = self.coil if self.register is None else self.register
        if (self.coil is None) == (self.register is None) or place is None or not 0 <= place < 1 << 16:
            raise ConfigError(
                "A Modbus sink writes to one coil or register, from 0 to 65535: add coil=5 or register=5."
            )
        if not (0 <= self.on < 1 << 16 and 0 <= self.off < 1 << 16 and self.on != self.off):
            raise ConfigError(f"on and off are two values from 0 to 65535; received {self.on} and {self.off}.")


class _Place:
    """A coil or register."""

    def __init__(self, address: Address, options: ModbusSinkOptions) -> None:
        self._line, self.name, self._options = ModbusLine(address, options), address.name, options

    def set(self, on: bool) -> None:
        options = self._options
        try:
            if options.coil is not None:
                self._line.write("coil", options.coil, int(on))
            elif options.register is not None:
                self._line.write("holding", options.register, options.on if on else options.off)
        except (ModbusLostError, ModbusRefusalError) as error:
            raise DeliveryError(str(error)) from error

    def close(self) -> None:
        self._line.close()


class ModbusDelivery(AlarmDelivery):
    """Delivery of events into a coil or register.

    Args:
        address: The line, with the device's number.
        options: Coil or register.
        stream: Unused.

    Raises:
        ConfigError: If pymodbus is missing, or the address is none.
    """

    Options = ModbusSinkOptions

    def __init__(self, address: Address, options: ModbusSinkOptions, stream: Stream) -> None:
        super().__init__(_Place(address, options), options.kinds, options.refresh)
