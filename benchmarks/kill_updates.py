"""Updates that are killed at random instants: a usable model must be there each time.

python benchmarks/kill_updates.py --kills 200 -o benchmarks/results/kill_updates.json

A kill ends `edgelstm update` and its child processes at once, as a power cut does. Half of the kills come at any time of the update,
half of them after the model has begun to arrive.
"""

from __future__ import annotations

import argparse
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
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from edgelstm.runtime.updates.store import ModelStore
from update_forms import Plant, model

GOOD = {1: model("first"), 2: model("second")}
PATIENCE = 120.0  # seconds for a whole update


def kills(count: int, seed: int) -> dict[str, object]:
    """Kill updates; raise where no model, or a wrong one, is there afterwards.

    Args:
        count: Number of kills.
        seed: Seed of the instants.
    """
    chance, versions, finished, killed = random.Random(seed), Counter[str](), 0, 0
    with tempfile.TemporaryDirectory() as folder:
        plant = Plant(Path(folder) / "plant")
        plant.publish("first")
        plant.fetch()
        backup = shutil.copytree(plant.device, plant.folder / "backup", symlinks=True)
        plant.publish("second")
        begin = time.perf_counter()
        _killed(plant, PATIENCE, late=False)
        whole = time.perf_counter() - begin
        while killed < count:
            shutil.rmtree(plant.device)
            shutil.copytree(backup, plant.device, symlinks=True)
            late = chance.random() < 0.5
            if not _killed(plant, chance.uniform(0.0, 0.7 if late else 1.3) * whole, late=late):
                finished += 1
                continue
            killed += 1
            versions[f"version {_check(plant)}"] += 1
        plant.fetch()
        assert plant.store.ledger.current is not None
        assert plant.store.ledger.current.version == 2
    return {
        "kills": killed, "finished_before_the_kill": finished, "at_work_afterwards": dict(versions),
        "without_a_model": 0, "seed": seed,
    }  # fmt: skip


def _check(plant: Plant) -> int:
    """Return the version at work after a kill, verified."""
    release = ModelStore(plant.device).ledger.current
    assert release is not None
    assert plant.store.read(release) == GOOD[release.version]
    assert (plant.device / "pump.tflite").read_bytes() in GOOD.values()
    return int(release.version)


def _killed(plant: Plant, seconds: float, *, late: bool) -> bool:
    """Start an update and kill it; return whether it still ran."""
    words = ["--from", plant.repository, "--root", plant.root_json, "--group", "canary", "--to", plant.device]
    process = subprocess.Popen(
        [sys.executable, "-c", "from edgelstm.cli import main; main()", "update", *map(str, words)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    while late and process.poll() is None and not any((plant.device / "incoming").iterdir()):
        time.sleep(0.005)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return True
    return False


def main() -> None:
    """Run it, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    text = json.dumps(kills(options.kills, options.seed), indent=1)
    print(text)
    if options.output:
        options.output.write_text(text + "\n")


if __name__ == "__main__":
    main()
