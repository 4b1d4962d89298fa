"""Line to Modbus devices, for sources and sinks (`pip install edgelstm[modbus]`).

Protocol: Modbus application protocol specification V1.1b3, https://www.modbus.org/specs.php
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from ..errors import ConfigError, EdgelstmError
from .addresses import Address
from .extras import load_extra

TCP, RTU, SERIAL = "modbus", "modbus+rtu", "modbus+serial"
SCHEMES = (TCP, RTU, SERIAL)
BITS = {"coil": "read_coils", "discrete": "read_discrete_inputs"}
WORDS = {"holding": "read_holding_registers", "input": "read_input_registers"}
EXCEPTIONS = {
    1: "illegal function", 2: "illegal data address", 3: "illegal data value", 4: "device failure", 5: "acknowledged only",
    6: "device busy", 8: "memory parity error", 10: "gateway path unavailable", 11: "gateway target does not respond",
}  # fmt: skip
PARITIES = {"none": "N", "even": "E", "odd": "O"}


class ModbusLostError(EdgelstmError):
    """No answer came, or one that is none: the line is opened anew."""


class ModbusRefusalError(EdgelstmError):
    """A device's exception: it has understood the request and refuses it."""

    def __init__(self, code: int) -> None:
        super().__init__(f"exception {code} ({EXCEPTIONS.get(code, 'unknown')})")
        self.code = code


@dataclass(frozen=True)
class ModbusOptions:
    """Settings of a line."""

    unit: int | None = None
    """Number of the device behind the address, 0 to 255; None for the one in the address, or 1."""
    timeout: float = 1.0
    """Seconds in which an answer must come."""
    baud: int = 9600
    """Of a serial line: bits a second."""
    parity: str = "none"
    """Of a serial line: none, even or odd."""
    stop_bits: int = 1
    """Of a serial line: 1 or 2."""

    def __post_init__(self) -> None:
        """Find what cannot be before anything is connected.

        Raises:
            ConfigError: If pymodbus is missing, or a setting is out of its range.
        """
        load_extra("modbus", "pymodbus.client")
        if self.unit is not None and not 0 <= self.unit <= 255:
            raise ConfigError(f"unit is the number of a Modbus device, 0 to 255; received {self.unit}.")
        if not 0 < self.timeout <= 60:
            raise ConfigError(f"timeout is above 0 and at most 60 seconds; received {self.timeout:g}.")
        if self.parity not in PARITIES:
            raise ConfigError(f"parity is {', '.join(PARITIES)}; received {self.parity!r}.")
        if self.stop_bits not in (1, 2):
            raise ConfigError(f"stop-bits is 1 or 2; received {self.stop_bits}.")


class ModbusLine:
    """A line to one or several devices, opened when it is first used and again after each failure.

    Args:
        address: HOST, port and unit, or a serial device.
        options: Unit, timeout, and the serial line's form.

    Raises:
        ConfigError: If the address names no host or device, or two different units.
    """

    def __init__(self, address: Address, options: ModbusOptions) -> None:
        self.name, self.unit = address.name, _unit(address, options)
        self._client = _client(address, options)
        logging.getLogger("pymodbus.logging").setLevel(logging.CRITICAL)  # each failure is said by us, once
        self._failures = (load_extra("modbus", "pymodbus.exceptions").ModbusException, OSError)

    def read(self, kind: str, first: int, count: int, unit: int) -> list[int]:
        """Read bits or registers.

        Args:
            kind: coil, discrete, holding or input.
            first: Address of the first one, from 0.
            count: Number of them.
            unit: Number of the device.

        Returns:
            Integers, 0 to 1 or 0 to 65,535, shape (count,).

        Raises:
            ModbusLostError: If no answer came.
            ModbusRefusalError: If the device refuses.
        """
        answer = self._ask(BITS.get(kind) or WORDS[kind], first, count=count, device_id=unit)
        values = list(answer.bits if kind in BITS else answer.registers)
        if len(values) < count:
            self.close()
            raise ModbusLostError(f"answers with {len(values)} values where {count} were asked for")
        return [int(value) for value in values[:count]]

    def write(self, kind: str, at: int, value: int) -> None:
        """Write one coil or holding register.

        Args:
            kind: coil or holding.
            at: Its address, from 0.
            value: 0 or 1 for a coil, 0 to 65,535 for a register.

        Raises:
            ModbusLostError: If no answer came.
            ModbusRefusalError: If the device refuses.
        """
        if kind == "coil":
            self._ask("write_coil", at, bool(value), device_id=self.unit)
        else:
            self._ask("write_register", at, value, device_id=self.unit)

    def _ask(self, function: str, *values: Any, **named: Any) -> Any:
        try:
            if not self._client.connect():
                raise ModbusLostError("cannot be reached")
            answer = getattr(self._client, function)(*values, **named)
        except self._failures as error:
            self.close()  # a late answer would be taken for the next request's
            raise ModbusLostError(_reason(error)) from error
        except (
            ValueError,
            IndexError,
            TypeError,
            AttributeError,
        ) as error:  # an answer that pymodbus cannot take apart
            self.close()
            raise ModbusLostError(f"the answer cannot be read ({type(error).__name__})") from error
        if answer.isError():
            raise ModbusRefusalError(int(getattr(answer, "exception_code", 0)))
        return answer

    def close(self) -> None:
        """Close the line."""
        self._client.close()


def _reason(error: Exception) -> str:
    text = str(error)
    if "No response" in text:
        return "no answer in time"
    if "closed" in text or "Connection" in text:
        return "the connection was closed"
    return text.removeprefix("Modbus Error: ")


def _unit(address: Address, options: ModbusOptions) -> int:
    written = address.target.strip("/") if address.scheme != SERIAL else ""
    if written and not (written.isdigit() and len(written) < 4 and int(written) <= 255):
        raise ConfigError(f"{address.name}: behind the host stands the number of the device, 0 to 255: modbus://HOST/1")
    units = {int(written)} if written else set()
    units |= {options.unit} if options.unit is not None else set()
    if len(units) > 1:
        raise ConfigError(f"{address.name} names two units, {' and '.join(map(str, sorted(units)))}. Leave one out.")
    return units.pop() if units else 1


def _client(address: Address, options: ModbusOptions) -> Any:
    library = load_extra("modbus", "pymodbus.client")
    framer = load_extra("modbus", "pymodbus.framer").FramerType
    if address.scheme == SERIAL:
        if not address.target:
            raise ConfigError(f"{address.name} names no device. Write modbus+serial:/dev/ttyUSB0")
        load_extra("serial", "serial")
        return library.ModbusSerialClient(
            address.target, framer=framer.RTU, baudrate=options.baud, parity=PARITIES[options.parity],
            stopbits=options.stop_bits, timeout=options.timeout, retries=0,
        )  # fmt: skip
    if not address.host:
        raise ConfigError(f"{address.name} names no host. Write {address.scheme}://HOST/1")
    kind = framer.RTU if address.scheme == RTU else framer.SOCKET
    return library.ModbusTcpClient(
        address.host, port=address.port or 502, framer=kind, timeout=options.timeout, retries=0
    )
