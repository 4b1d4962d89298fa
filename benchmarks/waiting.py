"""Waits of a person, as whole commands of two versions in one run: `python benchmarks/waiting.py --before PYTHON`.

PYTHON is the interpreter of another environment with an earlier version installed. Each command runs in both environments in
turn, so that other work on the machine slows both; what counts is the ratio of each pair. The first pair of a command is
reported as cold: files, compiled Python and processor caches are as they were left by other work.

Needs a folder that `edgelstm demo -o FOLDER` made; the rows of faults are repeated to `--rows`.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

HERE = Path(__file__).parent
Words = Callable[[Path, Path], list[str]]
COMMANDS: dict[str, Words] = {
    "version": lambda demo, work: ["--version"],
    "help": lambda demo, work: ["-h"],
    "inspect": lambda demo, work: ["inspect", f"{demo}/pump.int8.tflite"],
    "score int8": lambda demo, work: ["score", f"{demo}/pump.int8.tflite", f"{work}/rows.csv", "-o", f"{work}/scores.csv"],
    "score float32": lambda demo, work: ["score", f"{demo}/pump.float32.tflite", f"{work}/rows.csv", "-o", f"{work}/scores.csv"],
    "evaluate int8": lambda demo, work: ["evaluate", f"{demo}/pump.int8.tflite", f"{work}/rows.csv", "--label-column", "anomaly"],
    "evaluate float32": lambda demo, work: [
        "evaluate", f"{demo}/pump.float32.tflite", f"{work}/rows.csv", "--label-column", "anomaly"
    ],
    "calibrate int8": lambda demo, work: ["calibrate", f"{work}/copy.tflite", f"{demo}/pump_normal.csv", "--force"],
    "convert int8": lambda demo, work: ["convert", f"{work}/pump.keras", "--int8"],
    "report": lambda demo, work: [
        "report", f"{demo}/pump.keras", "--data", f"{demo}/pump_faults.csv", "-o", f"{work}/report.html"
    ],
}  # fmt: skip
SHOWN = (
    "version",
    "help",
    "inspect",
    "score int8",
    "score float32",
    "evaluate int8",
    "evaluate float32",
    "calibrate int8",
)


@dataclass(frozen=True)
class Cost:
    """Cost of one command."""

    cpu: float
    """Processor time of it and its children, seconds."""
    wall: float
    """Seconds."""
    memory: float
    """Largest resident size, MB."""


def cost(python: str, words: list[str]) -> Cost:
    """Run a command and measure it.

    Args:
        python: Interpreter of its environment.
        words: The command's words.
    """
    begin = time.perf_counter()
    child = subprocess.Popen(
        [python, "-m", "edgelstm", *words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd="/"
    )
    assert child.stderr
    said = child.stderr.read()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{' '.join(words)} failed: {said.decode()[-500:]}")
    return Cost(usage.ru_utime + usage.ru_stime, time.perf_counter() - begin, usage.ru_maxrss / 1024)


def repeat_rows(source: Path, target: Path, count: int) -> None:
    """Write rows again and again, with times that go on.

    Args:
        source: CSV with times of whole seconds in the first column.
        target: CSV to write.
        count: Rows.
    """
    with source.open(newline="") as rows, target.open("w", newline="") as out:
        head, *body = csv.reader(rows)
        table = csv.writer(out)
        table.writerow(head)
        table.writerows([number, *body[number % len(body)][1:]] for number in range(count))


def compare(before: str, words: list[str], rounds: int, prepare: Callable[[], object]) -> dict[str, object]:
    """Measure pairs of one command.

    Args:
        before: Interpreter of the earlier version.
        words: The command's words.
        rounds: Pairs; the first is the cold one.
        prepare: Called before each command, as one may change the model that the other cannot read then.
    """

    def measured(python: str) -> Cost:
        prepare()
        return cost(python, words)

    pairs = [(measured(before), measured(sys.executable)) for _ in range(rounds)]
    warm = pairs[1:] or pairs
    return {
        "pairs": [[asdict(one), asdict(other)] for one, other in pairs],
        "cpu_before": statistics.median(one.cpu for one, _ in warm),
        "cpu_after": statistics.median(other.cpu for _, other in warm),
        "cpu_ratio": statistics.median(one.cpu / other.cpu for one, other in warm),
        "wall_ratio": statistics.median(one.wall / other.wall for one, other in warm),
        "cold_wall_ratio": pairs[0][0].wall / pairs[0][1].wall,
        "memory_before": max(one.memory for one, _ in pairs),
        "memory_after": max(other.memory for _, other in pairs),
    }


def main() -> None:
    """Measure, and write benchmarks/results/waiting.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", required=True, help="Python of an environment with the earlier version.")
    parser.add_argument("--commit", default="", help="Its commit, for the page.")
    parser.add_argument("--demo", type=Path, required=True, help="Folder of `edgelstm demo`.")
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--commands", nargs="*", default=SHOWN, choices=COMMANDS)
    parser.add_argument("--output", type=Path, default=HERE / "results" / "waiting.json")
    options = parser.parse_args()
    found = json.loads(options.output.read_text()) if options.output.exists() else {"commands": {}}
    found |= {"commit": options.commit, "rows": options.rows, "processors": os.cpu_count()}
    with tempfile.TemporaryDirectory() as folder:
        work, demo = Path(folder), options.demo.resolve()
        repeat_rows(demo / "pump_faults.csv", work / "rows.csv", options.rows)
        shutil.copy(demo / "pump.keras", work / "pump.keras")
        prepare = partial(shutil.copy, demo / "pump.int8.tflite", work / "copy.tflite")
        for name in options.commands:
            row = compare(options.before, COMMANDS[name](demo, work), options.rounds, prepare)
            found["commands"][name] = row | {"load": os.getloadavg()[0]}
            print(name, {key: round(value, 3) for key, value in row.items() if isinstance(value, float)}, flush=True)
            options.output.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
