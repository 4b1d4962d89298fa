"""Waits of a person, as whole commands of several versions in one run.

    python benchmarks/waiting.py --model DEMO/pump.keras --version 13ba46c=OLD/bin/python --version a8309cf=MID/bin/python

Each PYTHON is the interpreter of another environment with that version installed; the last version is this interpreter's own.
Each command runs in all of them in turn, so that other work on the machine slows all; what counts is the ratio of a round's
processor times to the last version's. The first round of a command is reported as cold: files, compiled Python and processor
caches are as other work left them. A model that the earliest version trained can be read by all.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from waiting_commands import COMMANDS, prepare, reset

HERE = Path(__file__).parent
NOW = "now"


@dataclass(frozen=True)
class Cost:
    """Cost of one command."""

    cpu: float
    """Processor time of it and its children, seconds."""
    wall: float
    """Seconds."""
    memory: float
    """Largest resident size of one of its processes, MB."""


def cost(command: list[str], folder: Path) -> Cost:
    """Run a command and measure it.

    Args:
        command: Program and arguments.
        folder: Where it runs.
    """
    begin = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=folder)
    assert child.stderr
    errors = child.stderr.read()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{' '.join(command)} failed: {errors.decode()[-500:]}")
    return Cost(usage.ru_utime + usage.ru_stime, time.perf_counter() - begin, usage.ru_maxrss / 1024)


def compare(pythons: dict[str, str], folders: dict[str, Path], words: list[str], rounds: int) -> dict[str, object]:
    """Measure one command in every version, in turn.

    Args:
        pythons: Interpreter by version, the last one to compare with.
        folders: Working folder by version.
        words: The command's arguments.
        rounds: Times that each version runs it; the first is the cold one.
    """
    costs: dict[str, list[Cost]] = {version: [] for version in pythons}
    for _ in range(rounds):
        for version, python in pythons.items():
            reset(folders[version])
            costs[version].append(cost([python, *words], folders[version]))
    warm = {version: runs[1:] or runs for version, runs in costs.items()}
    last = list(pythons)[-1]
    return {
        "load": os.getloadavg()[0],
        "versions": {
            version: {
                "runs": [asdict(run) for run in runs],
                "cpu": statistics.median(run.cpu for run in warm[version]),
                "wall": statistics.median(run.wall for run in warm[version]),
                "cold_wall": runs[0].wall,
                "memory": max(run.memory for run in runs),
                "ratio": statistics.median(
                    one.cpu / other.cpu for one, other in zip(warm[version], warm[last], strict=True)
                ),
            }
            for version, runs in costs.items()
        },
    }


def main() -> None:
    """Measure, and write benchmarks/results/waiting.json; commands that were not asked for keep their results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--version", action="append", default=[], metavar="NAME=PYTHON", help="An earlier version, oldest first.")  # fmt: skip
    parser.add_argument("--model", type=Path, required=True, help="pump.keras beside pump_normal.csv and pump_faults.csv.")  # fmt: skip
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--report-rows", type=int, default=14_400)
    parser.add_argument("--train-rows", type=int, default=150_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--commands", nargs="*", default=list(COMMANDS), choices=COMMANDS)
    parser.add_argument("--work", type=Path, help="Folder to prepare in and to find prepared files in again.")
    parser.add_argument("--output", type=Path, default=HERE / "results" / "waiting.json")
    options = parser.parse_args()
    pythons = dict(text.split("=", 1) for text in options.version) | {NOW: sys.executable}
    found = json.loads(options.output.read_text()) if options.output.exists() else {"commands": {}}
    found |= {"processors": os.cpu_count()}
    with tempfile.TemporaryDirectory() as temporary:
        folders = {version: (options.work or Path(temporary)).resolve() / version for version in pythons}
        for version, python in pythons.items():
            if not folders[version].exists():
                folders[version].mkdir(parents=True)
                prepare(folders[version], python, options.model.resolve(), options.rows, options.report_rows, options.train_rows)  # fmt: skip
        rows = {"report": options.report_rows, "train": options.train_rows}
        for name in options.commands:
            row = compare(pythons, folders, COMMANDS[name], options.rounds)
            found["commands"][name] = row | {"rows": rows.get(name, options.rows), "rounds": options.rounds}
            for version, figures in row["versions"].items():
                print(name, version, {key: round(figures[key], 3) for key in ("cpu", "wall", "ratio", "memory")}, flush=True)  # fmt: skip
            options.output.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
