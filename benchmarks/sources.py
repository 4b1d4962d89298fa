"""Field buses and databases: rows a second, time from the wire to the detector's answer, and restarts under load.

    python benchmarks/sources.py rates [file iio serial mqtt modbus sparkplug opcua postgres influx http] [--rows 2000]
    python benchmarks/sources.py restarts [SOURCE…] [--restarts 20]

One JSON line a source. The other end is a real server on loopback; values count up, so that a lost, doubled or invented one
shows. `rates` sends rows one by one, 50 a second, for the latency, and as fast as it can for the rate. `restarts` sends
without a pause while the server is stopped and started. Of the numbers that are lacking between two that came, those sent
before a stop in between were in flight, those sent after it were sent while the server or the source was away; where no
stop lies in between they are lost otherwise. Times of a loaded machine are that machine's: `cpu_us` is what the process
took, server and sender included.
"""

import argparse
import itertools
import json
import statistics
import tempfile
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

from edgelstm.runtime import Detector, load_bundle
from edgelstm.runtime.io.addresses import parse_address
from edgelstm.runtime.sources import Columns, open_source
from source_rigs import RIGS, TREE

MODEL = TREE / "tests" / "slim" / "models" / "cast.int8.tflite"
HELD = 1.2  # seconds between two restarts at least: a connection that holds for less makes the source wait for longer


class Watch:
    """A source that is read and scored in a thread."""

    def __init__(self, rig: object) -> None:
        self.rig, self.seen = rig, []
        self.detector = Detector.from_bundle(load_bundle(MODEL))
        self.open()

    def open(self) -> None:
        """Begin to read."""
        columns = Columns(("Flow", "Motor"), getattr(self.rig, "taken", ()))
        self.source = open_source(parse_address(self.rig.address), columns, getattr(self.rig, "follow", False))
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self) -> None:
        for sample in self.source:
            self.detector.update(sample.values, sample.time, sample.arrival)
            self.seen.append((sample.values[0], time.perf_counter()))

    def close(self) -> None:
        """Stop reading."""
        self.source.close()
        self.thread.join()

    def restart(self) -> None:
        """Stop and start the server, whichever end it is."""
        if getattr(self.rig, "reader_restarts", False):
            self.close()
            self.open()
        self.rig.stop()
        self.rig.start()


class Load:
    """A sender without a pause, in a thread, that can be held up."""

    def __init__(self, rig: object) -> None:
        self.rig, self.paused, self.ending = rig, threading.Event(), threading.Event()
        self.thread = threading.Thread(target=self._send, daemon=True)
        self.thread.start()

    def _send(self) -> None:
        while not self.ending.is_set():
            if not self.paused.is_set():
                with suppress(Exception):  # the server is stopped in the middle of it
                    self.rig.send(1)
            time.sleep(0.001)

    def close(self) -> None:
        """End."""
        self.ending.set()
        self.thread.join()


def rates(name: str, rows: int, folder: Path) -> dict:
    """Rate and latency of one source.

    Args:
        name: One of `RIGS`.
        rows: Rows sent as fast as it goes.
        folder: For files.
    """
    rig = RIGS[name](folder)
    rig.start()
    watch = Watch(rig)
    begun(rig, watch)
    time.sleep(1.0)
    first = len(watch.seen)
    for _ in range(200):
        rig.send(1)
        time.sleep(0.02)
    drain(watch.seen, 1.0)
    new = {value: at for value, at in reversed(watch.seen[first:]) if value == value}  # a polled one may be seen again
    late = [at - rig.sent[int(value)] for value, at in new.items() if int(value) in rig.sent]
    first, begin, work = len(watch.seen), time.perf_counter(), time.process_time()
    if not getattr(rig, "polled", False):
        rig.send(rows)
    until(lambda: len(watch.seen) >= first + rows, 300)
    seconds, work = watch.seen[first + rows - 1][1] - begin, time.process_time() - work
    rig.close()
    watch.close()
    late.sort()
    return {
        "source": name, "rows_per_second": round(rows / seconds), "cpu_us": round(1e6 * work / rows),
        "median_ms": round(1000 * statistics.median(late), 1), "p99_ms": round(1000 * late[int(0.99 * len(late))], 1),
    }  # fmt: skip


def restarts(name: str, count: int, folder: Path) -> dict:
    """Rows of one source whose server is stopped and started under load.

    Args:
        name: One of `RIGS`.
        count: Stops and starts.
        folder: For files.
    """
    rig = RIGS[name](folder)
    rig.start()
    watch = Watch(rig)
    begun(rig, watch)
    load = Load(rig)
    stops = []
    for _ in range(count):
        time.sleep(HELD)
        asked = time.perf_counter()
        watch.restart()
        again = time.perf_counter()
        stops.append((asked, again))
        until(lambda again=again: sum(rig.sent.get(int(v), 0.0) > again for v, _ in watch.seen[-50:] if v == v) > 20)
    load.paused.set()
    if getattr(rig, "polled", False):
        watch.close()
    else:
        drain(watch.seen, 5.0)
    load.close()
    sent = rig.stored() if hasattr(rig, "stored") else list(rig.sent)
    times = dict(rig.sent)
    rig.close()
    watch.close()
    values = [int(value) for value, _ in watch.seen if value == value]
    sent = [number for number in sent if number >= min(values)]  # before it was connected nothing could come
    return {
        "source": name, "restarts": count, "sent": len(sent), "received": len(values),
        **losses(sent, values, times, stops), "invented": len(set(values) - set(sent)),
        "repeated": sum((Counter(values) - Counter(sent)).values()),
        "out_of_order": sum(b < a for a, b in itertools.pairwise(values)), "skipped": watch.source.skipped,
    }  # fmt: skip


def losses(sent: list[int], values: list[int], times: dict[int, float], stops: list[tuple[float, float]]) -> dict:
    """Lost numbers by cause: each run of them lies between two numbers that came.

    Args:
        sent: Numbers that were sent.
        values: Numbers that came.
        times: Time of the sending by number, seconds.
        stops: Times between which the server was stopped and started.
    """
    came, flying, away, otherwise, oldest = set(values), 0, 0, [], 0.0
    for lacking, run in itertools.groupby(sorted(sent), lambda number: number not in came):
        lost = list(run)
        if not lacking:
            continue
        begin, end = times.get(lost[0] - 1, 0.0), times.get(lost[-1] + 1, float("inf"))
        between = [asked for asked, again in stops if begin <= again and asked <= end]
        if not between:
            otherwise += lost
            continue
        early = [number for number in lost if times[number] < between[0]]
        flying, away = flying + len(early), away + len(lost) - len(early)
        oldest = max([oldest, *(between[0] - times[number] for number in early)])
    return {
        "lost_while_away": away, "lost_in_flight": flying, "oldest_in_flight_s": round(oldest, 2),
        "lost_otherwise": len(otherwise),
    }  # fmt: skip


def begun(rig: object, watch: Watch) -> None:
    """Send until the source reads."""
    until(lambda: rig.send(1) or time.sleep(0.01) or watch.seen)


def drain(seen: list, quiet: float) -> None:
    """Wait until no more rows come.

    Args:
        seen: The rows so far.
        quiet: Seconds without one; ten times as long in all.
    """
    count, since, end = len(seen), time.monotonic(), time.monotonic() + 10 * quiet
    while time.monotonic() - since < quiet and time.monotonic() < end:
        time.sleep(0.05)
        if len(seen) != count:
            count, since = len(seen), time.monotonic()


def until(condition: object, seconds: float = 90.0) -> None:
    """Wait for a condition; raise when it does not come."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise SystemExit("no rows come")
        time.sleep(0.002)


def main() -> None:
    """Print one JSON line a source."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["rates", "restarts"])
    parser.add_argument("sources", nargs="*", default=list(RIGS), help=", ".join(RIGS))
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--restarts", type=int, default=20)
    options = parser.parse_args()
    for name in options.sources:
        if options.what == "restarts" and not getattr(RIGS[name], "restartable", True):
            continue  # there is no server at the other end
        with tempfile.TemporaryDirectory() as folder:
            if options.what == "rates":
                result = rates(name, options.rows, Path(folder))
            else:
                result = restarts(name, options.restarts, Path(folder))
            print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
