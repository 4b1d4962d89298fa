"""Modbus servers of pymodbus, started and stopped by the tests on loopback or a pair of pseudo-terminals."""

import asyncio
import os
import pty
import select
import struct
import threading
import tty

import pytest
from edgelstm.runtime.io.addresses import parse_address
from edgelstm.runtime.sources import Columns, open_source

pytest.importorskip("pymodbus", reason="the extra [modbus] is not installed")
from mqtt_helpers import free_port
from pymodbus.framer import FramerType
from pymodbus.server import ModbusSerialServer, ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

FLOW = Columns(("flow", "motor"))
MAP = "channel,register,type,factor,offset\nflow,holding:0,float32,,\nmotor,holding:2,int16,0.1,-5\n"


def opened(address, columns=FLOW):
    return open_source(parse_address(address), columns)


def words(form, *values):
    """Values as registers, high word first."""
    packed = struct.pack(f">{form * len(values)}", *values)
    return list(struct.unpack(f">{len(packed) // 2}H", packed))


def tcp(device, port):
    return ModbusTcpServer(device, address=("127.0.0.1", port))


def rtu_over_tcp(device, port):
    return ModbusTcpServer(device, address=("127.0.0.1", port), framer=FramerType.RTU)


class Device:
    """A device with coils, discrete inputs, holding and input registers; every request is noted.

    Args:
        holding: First address and registers of each block; what lies between is refused.
        make: Server from the device and the port.
        port: TCP port or serial device; None for a free port.
    """

    def __init__(self, holding=((0, [0] * 200),), make=tcp, port=None, bits=(0,) * 16, inputs=(0,) * 16):
        self.make, self.requests, self.refuse, self.on_read = make, [], None, None
        self.port = port or free_port()
        switches = SimData(0, values=list(map(bool, bits)), datatype=DataType.BITS)
        blocks = [SimData(first, values=values, datatype=DataType.REGISTERS) for first, values in holding]
        self.blocks = ([switches], [switches], blocks, [SimData(0, values=list(inputs), datatype=DataType.REGISTERS)])
        self.loop = self.server = self.thread = None

    async def _action(self, function, start, address, count, registers, values):
        self.requests.append((function, address, count))
        if self.on_read is not None and values is None:
            self.on_read(registers)
        return self.refuse

    def start(self):
        ready = threading.Event()
        self.thread = threading.Thread(target=lambda: asyncio.run(self._serve(ready)), daemon=True)
        self.thread.start()
        assert ready.wait(10)
        return self

    async def _serve(self, ready):
        self.loop = asyncio.get_running_loop()
        self.server = self.make(SimDevice(id=1, simdata=self.blocks, action=self._action), self.port)
        await self.server.serve_forever(background=True)
        ready.set()
        await self.server.serving
        await asyncio.sleep(0)

    def stop(self):
        if self.thread is not None and self.thread.is_alive():
            asyncio.run_coroutine_threadsafe(self.server.shutdown(), self.loop).result(10)
            self.thread.join(10)

    def coil(self, address):
        """State of a coil now."""
        return self.server.context.devices[1].block["c"][2][address // 16] >> address % 16 & 1

    def register(self, address):
        """Value of a holding register now."""
        return self.server.context.devices[1].block["h"][2][address]


class SerialPair:
    """Two ends of a serial line: what goes into one comes out of the other."""

    def __init__(self):
        self.masters, self.slaves = zip(*(pty.openpty() for _ in range(2)), strict=True)
        for slave in self.slaves:
            tty.setraw(slave)
        self.ends = [os.ttyname(slave) for slave in self.slaves]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._pump, daemon=True)
        self._thread.start()

    def _pump(self):
        first, second = self.masters
        while not self._stop.is_set():
            for master in select.select(self.masters, [], [], 0.05)[0]:
                os.write(second if master == first else first, os.read(master, 4096))

    def close(self):
        self._stop.set()
        self._thread.join(5)
        for descriptor in (*self.masters, *self.slaves):
            os.close(descriptor)


def serial(device, port):
    return ModbusSerialServer(device, port=port, framer=FramerType.RTU, baudrate=9600)
