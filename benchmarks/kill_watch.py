"""A running watch that is killed at random instants while updates arrive: model, event log and way back must be whole each time.

python benchmarks/kill_watch.py --kills 200 -o benchmarks/results/kill_watch.json

The watch follows a growing file of normal rows and faults, keeps state and event log, and looks at the repository every second.
Before each kill a new version is published, retrained as far as the watch can tell: another source hash. Half of the kills come at
any time of the update, half of them (`--late`) after a model has begun to arrive, up to its take-over and trial. After each kill: the ledger
names a signed model that is whole; there is a model to return to, which is whole, too; every line of the log is whole, no event is
there twice or closed without having been opened. At the end the watch runs on: each fault of the file is in the log unless its rows
fell into a warm-up.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from functools import cache
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from edgelstm.runtime.service.checkpoint import read_state
from edgelstm.runtime.updates.store import ModelStore
from model_files import repack
from update_forms import HASTE, MODELS, Plant

ROWS = [line.partition(",")[2] for line in (MODELS / "stream.csv").read_text().splitlines()[1:]]
RATE = 100  # rows a second
FAULTS = (150, 300)  # rows of the stream at which a fault begins
QUICK = 40  # rows a fault is looked for after its beginning


@cache  # a zip has the time of its making
def retrained(number: int) -> bytes:
    """A good model with another source hash, as one that was trained again."""
    source = hashlib.sha256(str(number).encode()).hexdigest()
    return repack((MODELS / "auto.int8.tflite").read_bytes(), metadata={"source": source})


class Watched:
    """A device with a watch that is started, fed and killed."""

    def __init__(self, folder: Path) -> None:
        self.plant, self.folder, self.rows, self.version = Plant(folder / "plant"), folder, 0, 0
        self.data, self.log = folder / "pump.csv", folder / "events.jsonl"
        self.data.write_text("time,level_cm,flow_lpm\n")
        updates = f'url = "{self.plant.repository}", root = "{self.plant.root_json}", group = "canary"'
        (folder / "pump.toml").write_text(
            f'name = "pump"\nsource = "{self.data}"\nfollow = true\nstate = "{folder}/state.json"\nsnapshot-every = 1.0\n'
            f'event-log = "{self.log}"\nstate-dir = "{folder}"\nrequire-signed = true\n'
            f'updates = {{ {updates}, every = "1s", trial = "0s" }}\n'
        )
        self.folder_of_models = folder / "updates" / "pump"

    def publish(self) -> None:
        """Publish the next version."""
        self.version += 1
        self.plant.publish("", content=retrained(self.version))

    def start(self) -> subprocess.Popen[bytes]:
        """Start the watch."""
        return subprocess.Popen(
            [sys.executable, "-c", HASTE, "run", "--config", str(self.folder / "pump.toml")],
            stdout=subprocess.DEVNULL, stderr=(self.folder / "errors").open("ab"), start_new_session=True,
        )  # fmt: skip

    @property
    def seen(self) -> int:
        """Rows of the file that the last snapshot knows."""
        state = read_state(self.folder / "state.json")
        return int(state["rows"]) if state else 0

    def feed(self, seconds: float) -> None:
        """Append rows for a while, at their pace."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            with self.data.open("a") as file:
                for _ in range(RATE // 10):
                    file.write(f"{self.rows},{ROWS[self.rows % len(ROWS)]}\n")
                    self.rows += 1
            time.sleep(0.1)

    def feed_until_it_arrives(self) -> None:
        """Append rows until a new model lies in the folder, or is installed."""
        store, end = ModelStore(self.folder_of_models), time.monotonic() + 120
        before = store.ledger.history[-1:]
        while not any(store.incoming.iterdir()) and store.ledger.history[-1:] == before:
            assert time.monotonic() < end, "no model arrives"
            self.feed(0.1)

    def check(self) -> dict[str, object]:
        """Check models and log; return facts."""
        store = ModelStore(self.folder_of_models)
        ledger = store.ledger
        assert ledger.current is not None
        assert store.read(ledger.current) == retrained(ledger.current.version)
        if ledger.previous is not None:
            with tempfile.TemporaryDirectory() as place:
                copy = ModelStore(shutil.copytree(store.folder, Path(place) / "copy", symlinks=True))
                assert copy.leave("rolled back", "a trial", ledger.current.digest)
                release = copy.ledger.current
                assert release is not None
                assert copy.read(release) == retrained(release.version)
        self.check_log()
        return {"version": ledger.current.version, "way_back": ledger.previous is not None}

    def check_log(self) -> list[dict[str, object]]:
        """Check the event log; return its records."""
        content = self.log.read_bytes() if self.log.exists() else b""
        whole = content[: content.rfind(b"\n") + 1]  # a half last line is cut at the next start
        records = [json.loads(line) for line in whole.splitlines()]
        state: dict[str, str] = {}
        for record in records:
            before = {"open": None, "closed": "open"}[record["state"]]
            if record["kind"] != "model":
                assert state.get(record["id"]) == before, record
            state[record["id"]] = record["state"]
        return records


def killed(process: subprocess.Popen[bytes]) -> None:
    """Kill a watch with all its child processes."""
    os.killpg(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, "the watch had ended by itself"


def kills(count: int, seed: int, late: float, note: Path | None) -> dict[str, object]:
    """Kill a watch; raise where something is not whole.

    Args:
        count: Number of kills.
        seed: Seed of the instants.
        late: Share of kills after a model has begun to arrive.
        note: File for the figures so far; None for none.
    """
    chance, outcomes = random.Random(seed), Counter[str]()
    with tempfile.TemporaryDirectory() as folder:
        watched = Watched(Path(folder))
        watched.publish()
        begin = time.monotonic()
        process = watched.start()
        while not watched.log.exists() or ModelStore(watched.folder_of_models).ledger.current is None:
            watched.feed(0.2)
        whole = time.monotonic() - begin
        figures: dict[str, object] = {}
        for number in range(1, count + 1):
            watched.publish()
            if chance.random() < late:
                watched.feed_until_it_arrives()
                watched.feed(chance.uniform(0.0, whole))
            else:
                watched.feed(chance.uniform(0.0, 2.0 * whole))
            killed(process)
            facts = watched.check()
            outcomes["new model" if facts["version"] == watched.version else "an older one"] += 1
            outcomes["with a way back" if facts["way_back"] else "no model before"] += 1
            figures = {
                "kills": number,
                "at_work_afterwards": dict(outcomes),
                "without_a_model": 0,
                "late": late,
                "seed": seed,
            }
            if note is not None:
                note.write_text(json.dumps(figures, indent=1) + "\n")
            process = watched.start()
        watched.publish()
        end = time.monotonic() + 120
        while ModelStore(watched.folder_of_models).ledger.current.version != watched.version:  # type: ignore[union-attr]
            assert time.monotonic() < end, "no update after the kills"
            watched.feed(0.5)
        while watched.seen < watched.rows - 2 * len(ROWS):  # what waited in the file while the watch was down
            assert time.monotonic() < end + 120, "the watch does not catch up"
            time.sleep(0.5)
        killed(process)
        watched.check()
        history = Counter(entry.event for entry in ModelStore(watched.folder_of_models).ledger.history)
        return {**figures, "history": dict(history), **missed(watched)}


def missed(watched: Watched) -> dict[str, int]:
    """Count the file's faults, and those that no event of the log meets."""
    spans = [(one["start"], one["end"]) for one in watched.check_log() if one["state"] == "closed"]
    faults = [turn + row for turn in range(0, watched.seen - len(ROWS), len(ROWS)) for row in FAULTS]
    seen = [any(start <= fault + QUICK and fault <= end for start, end in spans) for fault in faults]  # type: ignore[operator]
    return {"rows": watched.seen, "faults": len(seen), "faults_in_no_event": seen.count(False)}


def main() -> None:
    """Run it, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--late", type=float, default=0.5)
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    text = json.dumps(kills(options.kills, options.seed, options.late, options.output), indent=1)
    print(text)
    if options.output:
        options.output.write_text(text + "\n")


if __name__ == "__main__":
    main()
