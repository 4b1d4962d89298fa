"""Rows a second, time from the wire to the detector's answer, and restarts under load, of each field bus and database.

    python benchmarks/sources.py [modbus sparkplug opcua postgres] [--rows 500] [--restarts 20]

The other end is a real server on loopback, started as the tests do it. Values count up, so that a lost, doubled or
invented one shows. Times of a loaded machine are that machine's.
"""

import argparse
import itertools
import json
import os
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

TREE = Path(__file__).parents[1]
sys.path.insert(0, str(TREE / "tests" / "slim"))
from edgelstm.runtime import Detector, load_bundle  # noqa: E402
from edgelstm.runtime.io.addresses import parse_address  # noqa: E402
from edgelstm.runtime.sources import Columns, open_source  # noqa: E402

MODEL = TREE / "tests" / "slim" / "models" / "cast.int8.tflite"


class ModbusRig:
    """A Modbus device whose register counts its reads: each poll is a row."""

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

    def send(self) -> None:
        """Do nothing: the source asks."""
        time.sleep(0.001)


class SparkplugRig:
    """An edge node behind a mosquitto."""

    def __init__(self, folder: Path) -> None:
        from mqtt_helpers import Broker
        from test_sparkplug import Edge

        self.sent, self.broker, self.edge_of, self.edge = {}, Broker(folder / "broker"), Edge, None
        self.address = f"mqtt://127.0.0.1:{self.broker.port}/?format=sparkplug&group=G&node=E&every=0"
        self.stop = self.broker.stop

    def start(self) -> None:
        """Start the broker, and the edge node once."""
        self.broker.start()
        self.edge = self.edge or self.edge_of(self.broker)

    def send(self) -> None:
        """Report the next number in both metrics."""
        from sparkplug_helpers import double

        number = len(self.sent)
        self.sent[number] = time.perf_counter()
        self.edge.values = {"Flow": float(number), "Motor": float(number)}
        metrics = [double(float(number), alias=0), double(float(number), alias=1)]
        self.edge.send("NDATA", moment=time.time(), metrics=metrics)
        time.sleep(0.001)

    def close(self) -> None:
        """End both."""
        self.edge.close()
        self.broker.stop()


class OpcuaRig:
    """An OPC UA server; a restart closes its connections and its port."""

    def __init__(self, folder: Path) -> None:
        from opcua_helpers import Server

        self.sent, self.server, self.up = {}, Server(), False
        columns = "node=ns=2;s=Pump&every=0&queue=10000"
        self.address = f"opc.tcp://127.0.0.1:{self.server.port}/pump?{columns}"
        self.taken = ("Count", "Count")

    def start(self) -> None:
        """Start the server, or let it listen again."""
        if self.up:
            self.server.do(self.server.server.bserver.start())
        else:
            self.server.start()
        self.up = True

    def stop(self) -> None:
        """Close what is open."""
        self.server.hang_up()

    def send(self) -> None:
        """Write the next number."""
        number = len(self.sent)
        self.sent[number] = time.perf_counter()
        self.server.set("Count", number)

    def close(self) -> None:
        """End it."""
        self.server.stop()


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

    def send(self) -> None:
        """Insert the next number; one that is not there when the server stops is tried again."""
        number = float(len(self.sent))
        try:
            self.line.execute('INSERT INTO pump ("Flow", "Motor") VALUES (%s, %s)', [number, number])
            self.sent[int(number)] = time.perf_counter()
        except self.lost_connection:
            time.sleep(0.01)

    def stored(self) -> list[int]:
        """The numbers in the table: one is there, and tried again, where the answer alone was lost."""
        return [int(number) for (number,) in self.server.do('SELECT "Flow" FROM pump')]

    def close(self) -> None:
        """End it, and delete it."""
        self.line.close()
        self.server.remove()


RIGS = {"modbus": ModbusRig, "sparkplug": SparkplugRig, "opcua": OpcuaRig, "postgres": PostgresRig}


def measure(name: str, rows: int, restarts: int, folder: Path) -> dict:
    """Measure one source.

    Args:
        name: One of `RIGS`.
        rows: Rows for rate and latency.
        restarts: Stops and starts of the server under load.
        folder: For files.
    """
    rig = RIGS[name](folder)
    rig.start()
    columns = Columns(("Flow", "Motor"), getattr(rig, "taken", ()))
    source, detector = open_source(parse_address(rig.address), columns), Detector.from_bundle(load_bundle(MODEL))
    seen: list = []

    def read() -> None:
        for sample in source:
            detector.update(sample.values, sample.time, sample.arrival)
            seen.append((sample.values[0], time.perf_counter()))

    reader, ending, paused = threading.Thread(target=read), threading.Event(), threading.Event()

    def load() -> None:
        while not ending.is_set():
            if paused.is_set():
                time.sleep(0.002)
                continue
            with suppress(Exception):  # the server is stopped in the middle of it
                rig.send()

    sender = threading.Thread(target=load)
    reader.start()
    sender.start()
    until(lambda: seen)
    begin = time.perf_counter()
    count = len(seen) + rows
    until(lambda: len(seen) >= count)
    rate = rows / (time.perf_counter() - begin)
    latencies = [at - rig.sent[int(value)] for value, at in seen[-rows:] if value == value and int(value) in rig.sent]
    for _ in range(restarts):
        before = len(seen)
        rig.stop()
        rig.start()
        until(lambda before=before: len(seen) > before + 20)
    paused.set()
    drain(seen)
    ending.set()
    sender.join()
    source.close()
    reader.join()
    sent = rig.stored() if isinstance(rig, PostgresRig) else list(rig.sent)
    rig.close()
    values = [int(value) for value, _ in seen if value == value]
    return {
        "source": name, "rows_per_second": round(rate), "median_ms": round(1000 * statistics.median(latencies), 1),
        "p99_ms": round(1000 * sorted(latencies)[int(0.99 * len(latencies))], 1), "restarts": restarts,
        "sent": len(sent), "received": len(values), "lost": len(set(sent) - set(values)),
        "invented": len(set(values) - set(sent)), "repeated": sum((Counter(values) - Counter(sent)).values()),
        "backwards": sum(b < a for a, b in itertools.pairwise(values)),
    }  # fmt: skip


def drain(seen: list, quiet: float = 5.0) -> None:
    """Wait until no more rows come.

    Args:
        seen: The rows so far.
        quiet: Seconds without one.
    """
    count, since = len(seen), time.monotonic()
    while time.monotonic() - since < quiet:
        time.sleep(0.05)
        if len(seen) != count:
            count, since = len(seen), time.monotonic()


def until(condition: object, seconds: float = 60.0) -> None:
    """Wait for a condition; raise when it does not come."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise SystemExit("no rows come")
        time.sleep(0.002)


def main() -> None:
    """Print one JSON line a source."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sources", nargs="*", default=list(RIGS), help=", ".join(RIGS))
    parser.add_argument("--rows", type=int, default=500)
    parser.add_argument("--restarts", type=int, default=20)
    options = parser.parse_args()
    for name in options.sources:
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(measure(name, options.rows, options.restarts, Path(folder))), flush=True)


if __name__ == "__main__":
    main()
