"""Studies of `edgelstm search` under kills: no trial lost, and what the frontier is worth on labels that did not choose it.

    python benchmarks/search_studies.py pump --out DIR                       # 200 trials, 2 workers
    python benchmarks/search_studies.py skab --data SKAB-FOLDER --out DIR
    python benchmarks/search_studies.py pump --out DIR --judge               # of a study that is complete, the figures alone

The pump: trained on the first 2,000 of the shipped normal rows; the shipped faults choose; a second recording, simulated with
another seed and faults of other strengths at other places, judges. SKAB's folder valve1: the first 400 rows of every file are
normal operation; the later rows of every second file choose, those of the others judge. A file of labelled rows is one series with
gaps. Beside the frontier stands what `edgelstm train` makes of the same rows by default, with all of its epochs.

At random instants the whole command, then one of its workers, is killed (SIGKILL); a killed command is called again.
Results are printed as JSON lines.
"""

import argparse
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from edgelstm.calibration_data import simulator

from edgelstm.evaluation.evaluate import evaluate
from edgelstm.search.design import Design
from edgelstm.search.frontier import Point, frontier, heard, points
from edgelstm.search.study import RESULT, VOID, ended_trials, open_study

ROWS = 2000  # of the pump's normal operation
FOLDER = "valve1"
HEAD = 400  # rows of a file of SKAB that are normal operation, as its authors split it
OTHER = (4800, 101)  # rows and seed of the pump's second recording
LABEL = "anomaly"
EDGELSTM = (sys.executable, "-m", "edgelstm")


def other_faults() -> list[simulator.Fault]:
    """The shipped file's faults in another order, at other places, each between 0.7 and 1.3 times as strong."""
    draw = np.random.default_rng(OTHER[1])
    kinds = draw.permutation(len(simulator.SHIPPED))
    starts = 450 + 600 * np.arange(len(kinds)) + draw.integers(0, 120, len(kinds))
    return [
        simulator.Fault(simulator.SHIPPED[kind].kind, int(start), simulator.SHIPPED[kind].length, float(draw.uniform(0.7, 1.3)))
        for kind, start in zip(kinds, starts, strict=True)
    ]  # fmt: skip


def write_pump(folder: Path) -> list[Path]:
    """Write normal rows, and the labelled ones that choose and that judge."""
    normal = folder / "normal.csv"
    normal.write_text("".join(simulator.content("pump_normal.csv").splitlines(keepends=True)[: ROWS + 1]))
    (folder / "chosen.csv").write_text(simulator.content("pump_faults.csv"))
    (folder / "judged.csv").write_text(simulator.as_csv(simulator.simulate(*OTHER, other_faults())))
    return [normal]


def write_skab(folder: Path, data: Path) -> list[Path]:
    """Write the same of SKAB; in each labelled file the recordings follow each other in time, with gaps between them."""
    heads, sides = [], ([], [])
    for at, path in enumerate(sorted(data.glob(f"{FOLDER}/*.csv"))):
        header, *rows = path.read_text().splitlines()
        heads.append(folder / f"normal-{path.stem}.csv")
        heads[-1].write_text("\n".join([header, *rows[:HEAD]]) + "\n")
        sides[at % 2].append(rows[HEAD:])
    for name, recordings in zip(("chosen", "judged"), sides, strict=True):
        recordings.sort(key=lambda rows: datetime.fromisoformat(rows[0].split(";")[0]))
        lines = [row for rows in recordings for row in rows]
        (folder / f"{name}.csv").write_text("\n".join([header, *lines]) + "\n")
    return heads


def run_search(options: argparse.Namespace, normal: Sequence[Path], folder: Path) -> None:
    """Call the command until its study is complete, and kill it or one of its workers as often as was asked for."""
    words = [*map(str, normal), "--data", str(folder / "chosen.csv"), "--label-column", LABEL]
    words += ["--study", str(folder / "search.log"), "--trials", str(options.trials)]
    words += ["--workers", str(options.workers), "--epochs", str(options.epochs)]
    words += ["--columns", ",".join(sensors(folder / "chosen.csv"))]
    draw, killed = random.Random(0), 0
    begin, calls, code = time.monotonic(), 0, None
    while code != 0:
        with (folder / "search.err").open("ab") as errors:
            running = subprocess.Popen([*EDGELSTM, "search", *words], stdout=subprocess.DEVNULL, stderr=errors)
        calls += 1
        while killed < options.kills and running.poll() is None:
            with suppress(subprocess.TimeoutExpired):
                running.wait(draw.uniform(0.5, 1.5) * options.every)
            living = [running.pid, *children(running.pid)]
            if running.returncode is None and len(living) > 1:
                os.kill(living[killed % 2], signal.SIGKILL)  # the command, a worker, the command …
                killed += 1
        code = running.wait()
        if code > 0:
            raise SystemExit(f"the search refused: see {folder / 'search.err'}")
    report("search", wall_seconds=round(time.monotonic() - begin), calls=calls, kills=killed)


def sensors(path: Path) -> list[str]:
    """Columns that are no labels."""
    header = path.read_text().partition("\n")[0]
    return [name for name in re.split("[,;]", header)[1:] if name not in (LABEL, "changepoint", "fault")]


def children(parent: int) -> list[int]:
    """Processes that a process started."""
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(parent)], capture_output=True, text=True).stdout
    return [int(number) for number in listed.split()]


def judge(folder: Path) -> None:
    """Print the study's trials, its frontier, and what it gains over the default on rows that did not choose it."""
    study = open_study(str(folder / "search.log"))
    states = [trial.state.name for trial in study.trials]
    made = points(study)
    report(
        "study", ended=len(ended_trials(study)), completed=len(made), pruned=states.count("PRUNED"),
        killed_and_begun_again=sum(trial.state.name == "FAIL" and not {RESULT, VOID} & set(trial.user_attrs) for trial in study.trials),
        proposed_again=sum(VOID in trial.user_attrs for trial in study.trials),
        failed=[trial.user_attrs[RESULT]["error"] for trial in ended_trials(study) if trial.user_attrs[RESULT]["error"]],
        running=states.count("RUNNING"), left_off=len(made) - len(heard(made)),
    )  # fmt: skip
    rows = list(judged([default_of(folder), *frontier(made)], folder))
    for row in rows:
        report("point", **row)
    default, kept = rows[0], [row for row in rows[1:] if row["size"] <= rows[0]["size"]]
    good = [row for row in kept if row["chosen_by"] >= default["chosen_by"]]
    report(
        "dominates", default=default, best=max(kept, key=lambda row: row["chosen_by"], default=None),
        smallest_as_good=min(good, key=lambda row: row["size"], default=None),
    )  # fmt: skip


def default_of(folder: Path) -> Point:
    """The default of `train` and `convert --int8` on the same rows."""
    file = folder / "search.models" / "default.int8.tflite"
    if not file.exists():
        normal = sorted(map(str, folder.glob("normal*.csv")))
        names = ("--columns", ",".join(sensors(folder / "chosen.csv")))
        subprocess.run(
            [*EDGELSTM, "train", *normal, "-o", file.with_name("default.keras"), *names], check=True, stdout=sys.stderr
        )
        subprocess.run(
            [*EDGELSTM, "convert", file.with_name("default.keras"), "--int8", "-o", file], check=True, stdout=sys.stderr
        )
    found = evaluate(file, folder / "chosen.csv", LABEL)
    return Point(-1, Design(), found.vus_pr or 0.0, found.f1, file.stat().st_size, file.stat().st_size, file.name)


def judged(chosen: Sequence[Point], folder: Path) -> Iterator[dict[str, Any]]:
    """VUS-PR of files on both sides; trial -1 is the default."""
    for point in chosen:
        other = evaluate(folder / "search.models" / point.file, folder / "judged.csv", LABEL)
        yield {
            "trial": point.number, "design": str(point.design), "size": point.size, "chosen_by": point.quality, "f1_chosen": point.f1,
            "judged_by": other.vus_pr, "f1": other.f1,
        }  # fmt: skip


def report(kind: str, **values: object) -> None:
    """Print a line of JSON."""
    print(json.dumps({"what": kind, **values}), flush=True)


def main() -> None:
    """Run a study, and judge it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["pump", "skab"])
    parser.add_argument("--data", type=Path, help="folder of SKAB")
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=20, help="of a trial, at most")
    parser.add_argument("--kills", type=int, default=2)
    parser.add_argument("--every", type=float, default=300.0, help="mean seconds before a kill")
    parser.add_argument("--judge", action="store_true", help="judge a complete study")
    parser.add_argument("--out", type=Path, default=Path("search-benchmark"))
    options = parser.parse_args()
    if (options.what == "skab") != (options.data is not None):
        parser.error("--data is the folder of SKAB, and the pump needs none")
    folder = options.out / options.what
    folder.mkdir(parents=True, exist_ok=True)
    if not options.judge:
        run_search(options, write_skab(folder, options.data) if options.data else write_pump(folder), folder)
    judge(folder)


if __name__ == "__main__":
    main()
