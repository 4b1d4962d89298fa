"""Real servers of each kind of source on loopback, started as the tests do it, which send numbers that count up."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

from line_rigs import FileRig, IioRig, MqttRig, SerialRig

TREE = Path(__file__).parents[1]
sys.path.insert(0, str(TREE / "tests" / "slim"))


class ModbusRig:
    """A Modbus device whose register counts its reads: each poll is a row, and numbers cannot be sent faster."""

    polled = True

    def __init__(self, folder: Path) -> None:
        from modbus_helpers import Device, words

        self.sent, self.words = {}, words
        self.device = Device(((0, [0, 0]),))
        self.device.on_read = self._count
        (folder / "map.csv").write_text("channel,register,type\nFlow,holding:0,uint32\nMotor,holding:0,uint32\n")
        self.address = f"modbus://127.0.0.1:{self.device.port}/1?map={folder / 'map.csv'}&every=0.001&timeout=0.5"
        self.start, self.stop, self.close = self.device.start, self.device.stop, self.device.stop

    def _count(self, registers: list) -> None:
        number = len(self.sent)
        registers[0:2] = self.words("I", number)
        self.sent[number] = time.perf_counter()

    def send(self, count: int) -> None:
        """Wait: the source asks."""
        time.sleep(0.001)


class SparkplugRig:
    """An edge node behind a mosquitto: it births when it connects and sends with QoS 0, as Sparkplug demands, and drops the rest."""

    def __init__(self, folder: Path) -> None:
        from mqtt_helpers import Broker

        self.sent, self.broker, self.edge = {}, Broker(folder / "broker"), None
        self.address = f"mqtt://127.0.0.1:{self.broker.port}/?format=sparkplug&group=G&node=E&every=0"
        self.stop = self.broker.stop

    def start(self) -> None:
        """Start the broker, and the edge node once."""
        self.broker.start()
        self.edge = self.edge or _edge_node(self.broker)

    def send(self, count: int) -> None:
        """Report the next numbers in both metrics, a message a number."""
        from sparkplug_helpers import double

        for _ in range(count):
            with self.edge.guard:
                number = len(self.sent)
                self.sent[number] = time.perf_counter()
                self.edge.values = {"Flow": float(number), "Motor": float(number)}
                if self.edge.client.is_connected():
                    metrics = [double(float(number), alias=0), double(float(number), alias=1)]
                    self.edge.send("NDATA", moment=time.time(), metrics=metrics)

    def close(self) -> None:
        """End both."""
        self.edge.close()
        self.broker.stop()


def _edge_node(broker: object) -> object:
    """The tests' edge node, with births by the standard."""
    from sparkplug_helpers import encode
    from test_sparkplug import Edge

    class Node(Edge):
        guard = threading.RLock()

        def send(self, kind: str, device: str = "", seq: int | None = None, **payload: object) -> None:
            self.seq = 0 if kind == "NBIRTH" else (self.seq + 1) % 256
            payload["moment"] = time.time()
            self.client.publish(f"spBv1.0/G/{kind}/E", encode(self.seq, **payload), qos=0)

        def birth(self) -> None:
            with self.guard:
                super().birth()

    node = Node(broker)
    subscribe = node.client.on_connect
    node.client.on_connect = lambda *words: (subscribe(*words), node.birth())
    return node


class OpcuaRig:
    """An OPC UA server in a process of its own, which is killed and started anew with the last number that it had."""

    taken = ("Count", "Motor")

    def __init__(self, folder: Path) -> None:
        from mqtt_helpers import free_port

        self.sent, self.port, self.process, self.up = {}, free_port(), None, False
        self.address = f"opc.tcp://127.0.0.1:{self.port}/pump?node=ns=2;s=Pump&every=0&queue=10000"

    def start(self) -> None:
        """Start the server, and wait until it serves."""
        command = [sys.executable, __file__, str(self.port), str(max(self.sent, default=0))]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.process.stdout.readline()
        self.up = True

    def stop(self) -> None:
        """Kill it."""
        self.up = False
        self.process.kill()
        self.process.communicate()

    close = stop

    def send(self, count: int) -> None:
        """Write the next numbers, a change a number; one counts as sent once the server has it."""
        first, count, now = len(self.sent), count if self.up else 0, time.perf_counter()
        self.process.stdin.write("".join(f"{number}\n" for number in range(first, first + count)))
        self.process.stdin.flush()
        for number in range(first, first + count):
            if not self.process.stdout.readline():
                return
            self.sent[number] = now


def serve_opcua(port: int, number: int) -> None:
    """Serve a node, and write what comes on standard input to it.

    Args:
        port: To listen on.
        number: First value of the node.
    """
    from opcua_helpers import Server

    server = Server()
    server.port, server.count = port, number
    server.start()
    print("ready", flush=True)
    for line in sys.stdin:
        server.set("Count", int(line))
        print(flush=True)


class PostgresRig:
    """A PostgreSQL with a table that grows."""

    def __init__(self, folder: Path) -> None:
        from postgres_helpers import PASSWORD, Server, psycopg

        self.sent, self.server, self.lost_connection, self.line = {}, Server(), psycopg.Error, None
        os.environ["PUMP_PASSWORD"] = PASSWORD
        table = "password-env=PUMP_PASSWORD&table=pump&key=id&every=0.01&start=all"
        self.address = f"postgresql://watch@127.0.0.1:{self.server.port}/postgres?{table}"
        self.connect = lambda: psycopg.connect(self.server.conninfo, autocommit=True)

    def start(self) -> None:
        """Start the server, and make the table once."""
        self.server.start()
        self.line = self.connect()
        self.line.execute('CREATE TABLE IF NOT EXISTS pump (id bigserial PRIMARY KEY, "Flow" float8, "Motor" float8)')

    def stop(self) -> None:
        """Stop it at once."""
        self.line.close()
        self.server.stop()

    def send(self, count: int) -> None:
        """Insert the next numbers in one statement; those that are not there when the server stops are tried again."""
        first = len(self.sent)
        try:
            statement = 'INSERT INTO pump ("Flow", "Motor") SELECT n, n FROM generate_series(%s::int, %s::int) n'
            self.line.execute(statement, [first, first + count - 1])
        except self.lost_connection:
            time.sleep(0.01)
            return
        now = time.perf_counter()
        self.sent.update((number, now) for number in range(first, first + count))

    def stored(self) -> list[int]:
        """The numbers in the table: one is there, and tried again, where the answer alone was lost."""
        return [int(number) for (number,) in self.server.do('SELECT "Flow" FROM pump')]

    def close(self) -> None:
        """End it, and delete it."""
        self.line.close()
        self.server.remove()


class InfluxRig:
    """An InfluxDB 1 with a measurement that grows; Debian has no later one."""

    def __init__(self, folder: Path) -> None:
        from influx_helpers import Server

        self.sent, self.server = {}, Server()
        self.address = f"influx://127.0.0.1:{self.server.port}/plant?measurement=pump&every=0.01&start=all"
        self.start, self.stop, self.close = self.server.start, self.server.kill, self.server.remove
        self._waiting: list[str] = []

    def send(self, count: int) -> None:
        """Write the next numbers, a point a number; those that are not there when the server is killed are tried again."""
        first = len(self.sent)
        if not self._waiting:
            now = time.time_ns()
            self._waiting = [f"pump Flow={first + at},Motor={first + at} {now - count + at}" for at in range(count)]
        try:
            self.server.write(*self._waiting)
        except OSError:
            time.sleep(0.01)
            return
        now = time.perf_counter()
        self.sent.update((first + at, now) for at in range(len(self._waiting)))
        self._waiting = []


class HttpRig:
    """An agent that posts as Telegraf does, with a buffer; here it is the watch that is stopped and started."""

    reader_restarts = True

    def __init__(self, folder: Path) -> None:
        from mqtt_helpers import free_port
        from telegraf_helpers import Telegraf

        self.sent, port = {}, free_port()
        self.address = f"listen://127.0.0.1:{port}"
        self.agent, self.zero = Telegraf(port, batch=1000, pause=0.0005), 1_700_000_000

    def start(self) -> None:
        """Do nothing: the watch is the server."""

    stop = start

    def send(self, count: int) -> None:
        """Gather the next numbers, a point a number, a second apart."""
        for _ in range(count):
            number = len(self.sent)
            self.sent[number] = time.perf_counter()
            self.agent.gather(f"pump Flow={number},Motor={number} {self.zero + number}\n")

    def close(self) -> None:
        """Send what is left."""
        self.agent.close()


RIGS = {
    "file": FileRig,
    "iio": IioRig,
    "serial": SerialRig,
    "mqtt": MqttRig,
    "modbus": ModbusRig,
    "sparkplug": SparkplugRig,
    "opcua": OpcuaRig,
    "postgres": PostgresRig,
    "influx": InfluxRig,
    "http": HttpRig,
}

if __name__ == "__main__":
    serve_opcua(*map(int, sys.argv[1:]))
