"""Watches with updates, in processes of their own."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress

from edgelstm.runtime.updates.store import ModelStore
from update_forms import HASTE, MODELS


def lines(number=0):
    """Rows of the stream, the normal ones over and over, with times that go on from a number."""
    rows = [line.partition(",")[2] for line in (MODELS / "stream.csv").read_text().splitlines()[1:145]]  # six cycles
    while True:
        yield f"{number},{rows[number % len(rows)]}\n"
        number += 1


class Watch:
    """`edgelstm run --config` on a pipe, with samples as fast as asked for."""

    def __init__(self, plant, url, broker=None, port=0, **updates):
        self.folder = plant.folder
        table = {"url": url, "root": str(plant.root_json), "group": "canary", "every": "1s", **updates}
        text = ", ".join(f"{key} = {json.dumps(value)}" for key, value in table.items())
        config = self.folder / "pump.toml"
        to = f'to = ["mqtt://127.0.0.1:{broker.port}/plant/pump"]\n' if broker else ""
        listen = f'listen = "127.0.0.1:{port}"\n' if port else ""
        config.write_text(
            f'name = "pump"\nsource = "-"\nscores = true\nstate-dir = "{self.folder}/state"\nrequire-signed = true\n'
            f"{to}{listen}updates = {{ {text} }}\n"
        )
        with (self.folder / "scores").open("wb") as output, (self.folder / "errors").open("wb") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-c", HASTE, "run", "--config", str(config)],
                stdin=subprocess.PIPE, stdout=output, stderr=errors, start_new_session=True,
            )  # fmt: skip
        self.lines, self.sent = lines(), 0
        self.process.stdin.write(b"time,level_cm,flow_lpm\n")

    @property
    def store(self):
        return ModelStore(self.folder / "state" / "updates" / "pump")

    def feed_until(self, condition, seconds=60.0):
        """Give a sample every few milliseconds until something is so."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for _ in range(5):
                self.process.stdin.write(next(self.lines).encode())
                self.sent += 1
            self.process.stdin.flush()
            if condition():
                return True
            time.sleep(0.02)
        return False

    def end(self):
        """End the source, and return the scores."""
        self.process.stdin.close()
        assert self.process.wait(30) == 0, (self.folder / "errors").read_text()
        return [json.loads(line) for line in (self.folder / "scores").read_text().splitlines()]

    def kill(self):
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        with suppress(BrokenPipeError):
            self.process.stdin.close()


class Supervised:
    """`edgelstm run --config` on a growing file, started again whenever it fails, as systemd does.

    Args:
        plant: Repository and device.
        code: What Python executes.
    """

    def __init__(self, plant, code):
        self.folder, self.data, self.endings, self.rows = plant.folder, plant.folder / "pump.csv", [], 0
        self.data.write_text("time,level_cm,flow_lpm\n")
        config = self.folder / "pump.toml"
        config.write_text(
            f'name = "pump"\nsource = "{self.data}"\nfollow = true\nstate-dir = "{self.folder}/state"\nrequire-signed = true\n'
            f'state = "{self.folder}/detector"\nevent-log = "{self.folder}/events.jsonl"\n'
            f'updates = {{ url = "{plant.repository}", root = "{plant.root_json}", group = "canary", every = "1s" }}\n'
        )
        self.store = ModelStore(self.folder / "state" / "updates" / "pump")
        self._command = [sys.executable, "-c", code, "run", "--config", str(config)]
        self._ended = False
        self._process = None
        self._thread = threading.Thread(target=self._supervise, daemon=True)
        self._thread.start()

    def _supervise(self):
        while not self._ended:
            with (self.folder / "errors").open("ab") as errors:
                self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=errors)
            self.endings.append(self._process.wait())
            if not self.endings[-1]:
                return
            time.sleep(0.2)

    def feed_until(self, condition, seconds=60.0):
        """Append rows until something is so."""
        rows, end = lines(self.rows), time.monotonic() + seconds
        while time.monotonic() < end:
            with self.data.open("a") as file:
                for _ in range(5):
                    file.write(next(rows))
                    self.rows += 1
            if condition():
                return True
            time.sleep(0.05)
        return False

    def events(self):
        """Records of the event log."""
        path = self.folder / "events.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def stop(self):
        """End it for good; return the exit codes of all its processes."""
        self._ended = True
        self._process.send_signal(signal.SIGTERM)
        self._thread.join(30)
        return self.endings
