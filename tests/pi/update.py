"""A signed update on an emulated Pi, over HTTP on loopback: `update.py PYTHON PACKAGES`.

The host publishes; `edgelstm run` on the Pi's own Python fetches, tries, takes over and undoes. Each answer of the server breaks off
after some KB, so every larger download is resumed by range requests. PYTHON is the Pi's interpreter, PACKAGES what its pip has installed.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from edgelstm.runtime import Detector
from edgelstm.runtime.model_file.bundle import parse_bundle
from edgelstm.runtime.updates.store import ModelStore
from model_files import repack
from update_forms import MODELS, Plant, model, serving

CUT = 5000  # bytes after which an answer breaks off
LONGEST = 900.0  # seconds for each step; a process starts in half a minute under emulation
CYCLE = 24  # rows
# limits of time of a real Pi do not fit an emulated one
PATIENCE = (
    "import edgelstm.runtime.updates.update as u, edgelstm.runtime.updates.acceptance as a, edgelstm.runtime.model_file.trial as t; "
    "u.FETCH_SECONDS = a.SECONDS = 600.0; t.SECONDS = 600.0; a.SLOWEST_SHARE = 1e3; "
    "from edgelstm.cli import main; main()"
)


def normal_rows():
    """A cycle of normal operation without its noise, and six cycles with it."""
    lines = (MODELS / "stream.csv").read_text().split()[1 : 1 + 6 * CYCLE]
    rows = [[float(cell) for cell in line.split(",")[1:]] for line in lines]
    calm = [[sum(values) / 6 for values in zip(*rows[place::CYCLE], strict=True)] for place in range(CYCLE)]
    return calm, rows


def highest_score(content, rows):
    """Highest score of a model on rows that repeat."""
    detector = Detector.from_bundle(parse_bundle(content))
    scores = [detector.update(row).score for row in rows * 3]
    return max(score for score in scores if score is not None)


class Pi:
    """`edgelstm run` on the Pi's Python, which follows a growing file."""

    def __init__(self, folder, python, packages, url, root):
        self.folder, self.rows = folder, 0
        self.data = folder / "pump.csv"
        self.data.write_text("time,level_cm,flow_lpm\n")
        shutil.copy(MODELS / "auto.int8.tflite", folder / "pump.tflite")
        (folder / "pump.toml").write_text(
            f'name = "pump"\nmodel = "{folder}/pump.tflite"\nsource = "{self.data}"\nfollow = true\nstate-dir = "{folder}"\n'
            f'scores = true\nupdates = {{ url = "{url}", root = "{root}", group = "canary", every = "2s", trial = "10s" }}\n'
        )
        self.store = ModelStore(folder / "updates" / "pump")
        with (folder / "scores").open("wb") as scores, (folder / "errors").open("wb") as errors:
            self.process = subprocess.Popen(
                [python, "-c", PATIENCE, "run", "--config", folder / "pump.toml"],
                env={**os.environ, "PYTHONPATH": packages}, stdout=scores, stderr=errors, start_new_session=True,
            )  # fmt: skip

    def feed_until(self, condition, rows, what):
        """Append a row every 0.1 s until something is so."""
        begin = time.monotonic()
        while not condition():
            if self.process.poll() is not None or time.monotonic() > begin + LONGEST:
                sys.exit(f"not seen: {what}\n{(self.folder / 'errors').read_text()}\n{self.store.ledger}")
            with self.data.open("a") as file:
                file.write(f"{self.rows},{','.join(map(str, rows[self.rows % len(rows)]))}\n")
            self.rows += 1
            time.sleep(0.1)
        print(f"{what}: {time.monotonic() - begin:.0f} s", flush=True)

    def at_work(self, version):
        """Tell whether a version is at work and past its trial time."""
        ledger = self.store.ledger
        return ledger.current is not None and ledger.current.version == version and ledger.trial_since is None

    def noted(self, event, version):
        """Tell whether the history has an event."""
        return any((entry.event, entry.version) == (event, version) for entry in self.store.ledger.history)

    def scored(self):
        """Number of rows that were scored."""
        return (self.folder / "scores").read_bytes().count(b"\n")

    def stop(self):
        """End it in an orderly way, and what it started at once."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(60)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)


def main():
    """Publish, update and undo."""
    python, packages = sys.argv[1:]
    calm, normal = normal_rows()
    bad = repack(model("bad"), metadata={"threshold": {"value": 1.02 * highest_score(model("first"), calm)}})
    with tempfile.TemporaryDirectory() as folder:
        plant = Plant(Path(folder) / "plant")
        plant.publish("first")
        place = Path(folder) / "pi"
        place.mkdir()
        with serving(plant.repository, cut=CUT) as (url, log):
            pi = Pi(place, python, packages, url, plant.root_json)
            pi.feed_until(lambda: pi.at_work(1), calm, "a signed model is fetched, tried and confirmed on the Pi")
            plant.publish("", content=bad)
            pi.feed_until(lambda: pi.noted("installed", 2), calm, "a bad model is taken")
            pi.feed_until(lambda: pi.noted("undone", 2), normal, "and undone")
            scored = pi.scored()
            pi.feed_until(lambda: pi.scored() > scored + 10, normal, "the watch goes on")
            code = pi.stop()
        ledger = pi.store.ledger
        if code or ledger.current.version != 1 or pi.store.read(ledger.current) != model("first"):
            sys.exit(f"exit code {code}, at work {ledger.current}\n{(place / 'errors').read_text()}")
        resumed = sum(1 for _, span in log if span)
        if not resumed:
            sys.exit("no download was resumed")
        print(f"{pi.rows} rows, {resumed} range requests; undone: {ledger.history[-1].reason}")


if __name__ == "__main__":
    main()
