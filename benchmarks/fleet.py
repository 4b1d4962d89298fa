"""Fleets under kills: cost an asset, nothing lost, nothing made twice, flat memory; and what a cluster of 256 workers would do.

Each asset is the simulated pump with other parameters, 2,000 rows.

    python benchmarks/fleet.py kills --assets 1000 --kills 20 --workers 2 --out DIR     # about an hour on two cores
    python benchmarks/fleet.py warm --assets 24 --rows 300,600,2000 --out DIR           # warm start against cold, by amount of data
    python benchmarks/fleet.py efficiency --assets 24 --pairs 3 --out DIR               # E2 = T1 / (2 T2), interleaved
    python benchmarks/fleet.py empty --tasks 10000                                      # the schedulers' own time a task
    python benchmarks/fleet.py simulate                                                 # to 256 workers; checked against real runs

Results are printed as JSON lines.
"""

import argparse
import hashlib
import json
import os
import random
import resource
import shutil
import signal
import sys
import threading
import time
from pathlib import Path
from unittest import mock

import numpy as np
from edgelstm.calibration_data import simulator
from fleet_queue import nothing, simulate, spin, start_tensorflow, validate

from edgelstm.data.reading import Reading
from edgelstm.fleet.assets import list_assets
from edgelstm.fleet.local_engine import LocalEngine
from edgelstm.fleet.local_worker import memory
from edgelstm.fleet.open_engine import open_engine
from edgelstm.fleet.places import Place
from edgelstm.fleet.run import run_stage
from edgelstm.fleet.training import Training
from edgelstm.fleet.warm_start import CommonModel, sampled
from edgelstm.training.options import Options

RANGES = {  # factors of the simulator's constants, drawn for each pump
    "SHUT_OFF": (0.7, 1.4), "PUMP_SLOPE": (0.7, 1.5), "STATIC": (0.5, 2.0), "IDLE_POWER": (0.6, 1.6),
    "THERMAL_LAG": (0.5, 2.0), "HEATING": (0.6, 1.4),
}  # fmt: skip


def write_plant(folder: Path, assets: int, rows: int) -> Path:
    """A file a pump, made once."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(assets):
        path = folder / f"P{number:05}.csv"
        if path.exists():
            continue
        draw = np.random.default_rng(1000 + number)
        constants = {name: getattr(simulator, name) * draw.uniform(*span) for name, span in RANGES.items()}
        with mock.patch.multiple(simulator, **constants):
            path.write_text(simulator.as_csv(simulator.simulate(rows, number)))
    return folder


def train_all(plant: Path, home: Place, engine: LocalEngine, stage: Training) -> list:
    """Train all assets, and return the outcomes."""
    return list(run_stage(stage, list_assets(str(plant), "asset", home), home, engine))


def hashes(home: Place) -> dict[str, str]:
    """Hash of each model."""
    return {
        name: hashlib.sha256(home.read(name) or b"").hexdigest() for name in home.names() if name.endswith(".keras")
    }


def kills(options: argparse.Namespace) -> None:
    """Kill workers at random instants; compare with an undisturbed run of some of the assets."""
    plant = write_plant(options.out / f"plant-{options.rows}", options.assets, options.rows)
    home = Place(str(options.out / "models-killed"))
    shutil.rmtree(home.path(), ignore_errors=True)
    engine, draw, killed, ended = LocalEngine(options.workers), random.Random(0), [], threading.Event()
    resident = []

    def disturb() -> None:
        while len(killed) < options.kills and not ended.wait(draw.uniform(0.2, 1.8) * options.every):
            if living := engine.processes:
                killed.append(draw.choice(living))
                os.kill(killed[-1], signal.SIGKILL)

    thread = threading.Thread(target=disturb, daemon=True)
    thread.start()
    begin, outcomes = time.monotonic(), []
    stage = Training(Options(epochs=options.epochs))
    for outcome in run_stage(stage, list_assets(str(plant), "asset", home), home, engine):
        outcomes.append(outcome)
        resident.append(memory())
    ended.set()
    engine.close()
    seconds, used = time.monotonic() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
    report(
        "kills", assets=len(outcomes), rows=options.rows, workers=options.workers, kills=len(killed), wall_seconds=seconds,
        done=sum(outcome.done.state == "done" for outcome in outcomes), failed=[o.done.error for o in outcomes if o.done.error],
        twice_to_the_end=sum(outcome.done.state == "kept" for outcome in outcomes),
        second_attempts=sum(outcome.attempts > 1 for outcome in outcomes),
        cpu_seconds_an_asset=float(np.median([outcome.seconds for outcome in outcomes])),
        cpu_seconds_with_starts=(used.ru_utime + used.ru_stime) / len(outcomes),
        coordinator_mb=[round(resident[at] / 1e6, 1) for at in np.linspace(0, len(resident) - 1, 5).astype(int)],
        files_sha256=hashlib.sha256(json.dumps(hashes(home), sort_keys=True).encode()).hexdigest(),
    )  # fmt: skip
    compare(options, plant, home, stage)


def compare(options: argparse.Namespace, plant: Path, home: Place, stage: Training) -> None:
    """Train some assets undisturbed, and compare the bytes."""
    fewer = options.out / "plant-undisturbed"
    shutil.rmtree(fewer, ignore_errors=True)
    fewer.mkdir()
    for path in sorted(plant.glob("*.csv"))[: options.compare]:
        shutil.copy(path, fewer / path.name)
    other = Place(str(options.out / "models-undisturbed"))
    shutil.rmtree(other.path(), ignore_errors=True)
    engine = LocalEngine(options.workers)
    train_all(fewer, other, engine, stage)
    engine.close()
    known, undisturbed = hashes(home), hashes(other)
    same = sum(known.get(name) == digest for name, digest in undisturbed.items())
    report("undisturbed", compared=len(undisturbed), equal=same)


def warm(options: argparse.Namespace) -> None:
    """Cold and warm start by amount of data: validation loss, epochs, processor time."""
    for rows in map(int, options.row_counts.split(",")):
        plant = write_plant(options.out / f"plant-{rows}", options.assets, rows)
        outcomes = {}
        for start in ("cold", "warm"):
            home = Place(str(options.out / f"models-{start}-{rows}"))
            shutil.rmtree(home.path(), ignore_errors=True)
            engine, stage = LocalEngine(options.workers), Training(Options(), warm=start == "warm")
            if stage.warm:
                list(
                    run_stage(
                        CommonModel(stage.settings, Reading()),
                        [sampled(list_assets(str(plant), "asset", home))],
                        home,
                        engine,
                    )
                )
            made = train_all(plant, home, engine, stage)
            engine.close()
            outcomes[start] = (made, facts(home, plant))
        report("warm", rows=rows, assets=options.assets, **summary(outcomes))


def facts(home: Place, plant: Path) -> dict[str, dict]:
    """Facts of each asset from its record."""
    names = [path.stem for path in sorted(plant.glob("*.csv"))]
    return {name: json.loads(home.read(f".fleet/train/{name}.json") or b"{}")["facts"] for name in names}


def summary(outcomes: dict) -> dict[str, object]:
    """Medians of both ways, and the share of assets for which the warm one is better."""
    result: dict[str, object] = {}
    for start, (made, known) in outcomes.items():
        result[f"{start}_recurrent_error"] = float(np.median([fact["recurrent_error"] for fact in known.values()]))
        result[f"{start}_epochs"] = float(np.median([fact["epochs"] for fact in known.values()]))
        result[f"{start}_cpu_seconds"] = float(np.median([outcome.seconds for outcome in made]))
    cold, warmed = outcomes["cold"][1], outcomes["warm"][1]
    result["warm_better"] = float(np.mean([warmed[n]["recurrent_error"] < cold[n]["recurrent_error"] for n in cold]))
    result["linear_error"] = float(np.median([fact["linear_error"] for fact in cold.values()]))
    return result


def efficiency(options: argparse.Namespace) -> None:
    """E2 = T1 / (2 T2) in interleaved pairs on one and two pinned cores; workers are started before the clock.

    The same ratio of work that shares nothing is the machine's own: neighbours, clock rates and memory are in both.
    """
    plant = write_plant(options.out / f"plant-{options.rows}", options.assets, options.rows)
    cores, pairs = sorted(os.sched_getaffinity(0)), []
    for pair in range(options.pairs):
        times, spins = {}, {}
        for workers in (1, 2) if pair % 2 == 0 else (2, 1):
            os.sched_setaffinity(0, cores[:workers])
            times[workers], spins[workers] = timed_training(options, plant, workers)
        pairs.append([seconds[1] / (2 * seconds[2]) for seconds in (times, spins)])
        report(
            "efficiency", pair=pair, seconds=times, ratio=pairs[-1][0], machine_seconds=spins, machine_ratio=pairs[-1][1],
            load=os.getloadavg()[0],
        )  # fmt: skip
    ratio, machine = np.median(pairs, axis=0)
    report("efficiency", median=ratio, machine=machine, of_the_machine=float(np.median([a / b for a, b in pairs])))


def timed_training(options: argparse.Namespace, plant: Path, workers: int) -> tuple[float, float]:
    """Seconds of the trainings, and of work that shares nothing."""
    home = Place(str(options.out / "models-efficiency"))
    shutil.rmtree(home.path(), ignore_errors=True)
    engine = LocalEngine(workers)
    list(engine.run(start_tensorflow, range(workers)))
    begin = time.monotonic()
    train_all(plant, home, engine, Training(Options(epochs=options.epochs)))
    trained = time.monotonic()
    list(engine.run(spin, range(options.assets)))
    spun = time.monotonic()
    engine.close()
    return trained - begin, spun - trained


def empty(options: argparse.Namespace) -> None:
    """Own time of the engines a task."""
    for scheduler in filter(None, ("local", options.scheduler)):
        engine = open_engine(None if scheduler == "local" else scheduler, 2 if scheduler == "local" else None)
        list(engine.run(nothing, range(10)))
        wall, own = time.monotonic(), time.process_time()
        count = sum(1 for _ in engine.run(nothing, range(options.tasks)))
        wall, own = time.monotonic() - wall, time.process_time() - own
        engine.close()
        report(
            "empty",
            engine=scheduler,
            tasks=count,
            wall_us=1e6 * wall / count,
            coordinator_cpu_us=1e6 * own / count,
            mb=memory() / 1e6,
        )


def report(kind: str, **values: object) -> None:
    """Print a line of JSON."""
    print(json.dumps({"what": kind, **values}), flush=True)


def main() -> None:
    """Run one of the measurements."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["kills", "warm", "efficiency", "empty", "simulate"])
    parser.add_argument("--assets", type=int, default=1000)
    parser.add_argument("--rows", dest="row_counts", default="2000")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--every", type=float, default=60.0, help="mean seconds between two kills")
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--compare", type=int, default=20, help="assets that are trained undisturbed, too")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--scheduler")
    parser.add_argument("--out", type=Path, default=Path("fleet-benchmark"))
    options = parser.parse_args()
    options.rows = int(options.row_counts.split(",")[0])
    steps = {"kills": kills, "warm": warm, "efficiency": efficiency, "empty": empty}
    if options.what == "simulate":
        for line in (*validate(), *simulate()):
            report(**line)
    else:
        steps[options.what](options)


if __name__ == "__main__":
    sys.exit(main())
