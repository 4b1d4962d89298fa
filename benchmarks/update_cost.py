"""Cost of signed updates on a device: installed size, memory of the watch, time of a verification.

python benchmarks/update_cost.py -o benchmarks/results/update_cost.json

Installed: the extra `update`'s packages by their own lists of files, and the bytecode beside them. Memory: `edgelstm run` on the same
rows without `updates`, with them, and with a second version that takes over meanwhile, in turns; largest resident size (`VmHWM`). Verification: a look at a repository of
two versions that finds, verifies and fetches a model of 6.5 kB from a folder; once in a process that has python-tuf loaded, once as a device does it, in a
process of its own with its start and imports. Processor seconds do not depend on other work on the machine.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from importlib import metadata
from importlib.util import cache_from_source
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from edgelstm.runtime.updates.child import Child
from update_forms import MODELS, Plant

PACKAGES = ("tuf", "securesystemslib", "urllib3")
SECONDS = 8.0  # at work with the version that is wanted
PEAK = """
import sys
import edgelstm.cli
kind = sys.argv.pop()
if kind != "without":
    import edgelstm.runtime.updates.update_watch as watch
    watch.FIRST_LOOK = 0.0 if kind == "take_over" else 1e9
try:
    edgelstm.cli.main()
finally:
    peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1]
    tuf = any(name.partition(".")[0] in ("tuf", "securesystemslib", "urllib3") for name in sys.modules)
    updates = any(name.startswith("edgelstm.runtime.updates") for name in sys.modules)
    print(peak, tuf, updates, file=sys.stderr)
"""


def installed() -> dict[str, float]:
    """Size of the packages, in MB."""
    sizes = {}
    for name in PACKAGES:
        paths = {Path(str(metadata.distribution(name).locate_file(path))) for path in metadata.files(name) or []}
        paths |= {Path(cache_from_source(str(path))) for path in paths if path.suffix == ".py"}
        sizes[name] = sum(path.stat().st_size for path in paths if path.exists()) / 1e6
    return {**{name: round(size, 2) for name, size in sizes.items()}, "together": round(sum(sizes.values()), 2)}


def resident(plant: Plant, backup: Path, turns: int) -> dict[str, object]:
    """Largest resident size of a watch without and with updates, in MB."""
    peaks: dict[str, list[float]] = {"without": [], "with": [], "take_over": []}
    loaded = {}
    for _ in range(turns):
        for kind, values in peaks.items():
            reset(plant, backup)
            peak, *modules = watched(plant, kind)
            values.append(int(peak) / 1024)
            loaded[kind] = {"python_tuf": modules[0] == "True", "updates": modules[1] == "True"}
    medians = {kind: round(statistics.median(values), 2) for kind, values in peaks.items()}
    more = {kind: round(value - medians["without"], 2) for kind, value in medians.items() if kind != "without"}
    return {"peak_mb": medians, "more_mb": more, "loaded": loaded, "turns": turns}


def watched(plant: Plant, kind: str) -> list[str]:
    """Run a watch of a kind for some seconds; return its peak in KB and what it had loaded."""
    data, config = plant.folder / "pump.csv", plant.folder / f"{kind}.toml"
    table = f'url = "{plant.repository}", root = "{plant.root_json}", group = "canary", folder = "{plant.device}", every = "1d"'
    data.write_text("time,level_cm,flow_lpm\n")
    config.write_text(
        f'name = "pump"\nmodel = "{MODELS}/auto.int8.tflite"\nsource = "{data}"\nfollow = true\nscores = true\n'
        f'state-dir = "{plant.folder}/state"\n' + ("" if kind == "without" else f"updates = {{ {table} }}\n")
    )
    command = [sys.executable, "-c", PEAK, "run", "--config", str(config), kind]
    with (plant.folder / "scores").open("w") as scores, (plant.folder / "errors").open("w+") as errors:
        process = subprocess.Popen(command, stdout=scores, stderr=errors)
        feed(plant, data, wait_for=2 if kind == "take_over" else 1)
        process.terminate()
        assert process.wait(60) == 0
        errors.seek(0)
        return errors.read().split()[-3:]


def feed(plant: Plant, data: Path, wait_for: int) -> None:
    """Append rows until a version is at work and rows are scored, and for some seconds more."""
    lines = (MODELS / "stream.csv").read_text().splitlines()[1:145]
    end = time.monotonic() + SECONDS
    for row in range(1_000_000):
        release, started = plant.store.ledger.current, (plant.folder / "scores").stat().st_size > 0
        if not started or release is None or release.version != wait_for:
            end = time.monotonic() + SECONDS
        if time.monotonic() > end:
            return
        with data.open("a") as file:
            file.write(f"{row},{lines[row % len(lines)].partition(',')[2]}\n")
        time.sleep(0.02)


def verification(plant: Plant, backup: Path, times: int) -> dict[str, float]:
    """Seconds of a look that fetches a model, as median."""
    here: dict[str, list[float]] = {"seconds": [], "processor_seconds": []}
    child: dict[str, list[float]] = {"child_seconds": [], "child_processor_seconds": []}
    for _ in range(times):
        reset(plant, backup)
        begin, spent = time.perf_counter(), time.process_time()
        plant.fetch()
        here["seconds"].append(time.perf_counter() - begin)
        here["processor_seconds"].append(time.process_time() - spent)
        reset(plant, backup)
        begin, spent = time.perf_counter(), children()
        assert Child().ask("fetch_worker", dict(vars(plant.request())), 60.0)["fetched"]
        child["child_seconds"].append(time.perf_counter() - begin)
        child["child_processor_seconds"].append(children() - spent)
    return {key: round(statistics.median(values), 3) for key, values in {**here, **child}.items()}


def reset(plant: Plant, backup: Path) -> None:
    """Bring the device back to the version before."""
    shutil.rmtree(plant.device)
    shutil.copytree(backup, plant.device, symlinks=True)


def children() -> float:
    """Processor seconds of all child processes that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    """Run all of it, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        plant = Plant(Path(folder) / "plant")
        plant.publish("first")
        plant.fetch()
        backup = shutil.copytree(plant.device, plant.folder / "backup", symlinks=True)
        plant.publish("second")
        figures = {
            "installed_mb": installed(),
            "watch": resident(plant, backup, options.turns),
            "verification": verification(plant, backup, options.turns),
        }
    text = json.dumps(figures, indent=1)
    print(text)
    if options.output:
        options.output.write_text(text + "\n")


if __name__ == "__main__":
    main()
