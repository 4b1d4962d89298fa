"""Forecasting libraries on the cases of forecasting.py: `python benchmarks/forecast_peers.py electricity --data DIR --out DIR`.

Runs in an environment of its own (peers-requirements.txt, and edgelstm with --no-deps). Each peer is fitted once on the training and
validation part, which choose everything, and forecasts from the same daily origins of the test part, on one thread. Stores
forecast_peers_CASE.json with --out; peers that are there already are kept unless --peers names them.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from fnmatch import fnmatch
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from forecast_baselines import errors
from forecast_data import CASES
from peer_frames import Fitted, Task, task_of

PEERS = {
    "AutoARIMA (statsforecast)": ("peer_statistical", "autoarima"),
    "MSTL (statsforecast)": ("peer_statistical", "mstl"),
    "LightGBM (mlforecast)": ("peer_trees", "lightgbm"),
    "DLinear (neuralforecast)": ("peer_neural", "dlinear"),
    "N-HiTS (neuralforecast)": ("peer_neural", "nhits"),
    "PatchTST (neuralforecast)": ("peer_neural", "patchtst"),
}
LIBRARIES = ("statsforecast", "neuralforecast", "mlforecast", "lightgbm", "torch")


def timed(work: Callable[[], Any]) -> tuple[Any, dict[str, float]]:
    """The result, and its seconds by the clock and of the processor."""
    begin, used = time.perf_counter(), _processor()
    found = work()
    return found, {"wall": round(time.perf_counter() - begin, 3), "processor": round(_processor() - used, 3)}


def _processor() -> float:
    parts = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(part.ru_utime + part.ru_stime for part in parts)


def measure(task: Task, name: str) -> dict[str, Any]:
    """Fit, forecast and save one peer."""
    case, (module, function) = task.case, PEERS[name]
    make = getattr(import_module(module), function)
    origins = case.origins[:: case.day]
    fitted, training = timed(lambda: make(task.until(case.ends[1])))
    predicted, forecasting = timed(lambda: fitted.forecast(task, origins))
    refuse_foresight(fitted, task, origins[[0, -1]], predicted[[0, -1]])
    return {
        **errors(predicted, case, task.values, False), "is": fitted.says, "losses": fitted.losses, "train_seconds": training,
        "forecast_seconds": forecasting, "bytes": size(fitted),
    }  # fmt: skip


def refuse_foresight(fitted: Fitted, task: Task, origins: Any, predicted: Any) -> None:
    """Forecast again with everything from each origin on missing; the answer must be the same."""
    for origin, before in zip(origins, predicted, strict=True):
        again = fitted.forecast(task.until(origin), np.array([origin]))[0]
        np.testing.assert_allclose(again, before, rtol=1e-3, atol=1e-3)


def size(fitted: Fitted) -> int:
    """Bytes of all files that the library writes."""
    with tempfile.TemporaryDirectory() as folder:
        fitted.save(Path(folder, "model"))
        return sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())


def main() -> None:
    """Run the cases and peers that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=sorted(CASES))
    parser.add_argument("--data", type=Path, help="Folder with files of the layout; for packaged, with packages.")
    parser.add_argument("--out", type=Path, help="Folder for forecast_peers_CASE.json.")
    parser.add_argument("--case", default="*", help="Only cases of this name; * and ? stand for any letters.")
    parser.add_argument("--peers", default="*", help="Only peers of this name; * and ? stand for any letters.")
    parser.add_argument("--timezone", default="", help="Of the calendar; empty takes times as the files have them.")
    given = parser.parse_args()
    if given.data is None and given.what != "packaged":
        parser.error(f"{given.what} needs --data FOLDER")
    warnings.simplefilter("ignore")
    import_module("threadpoolctl").threadpool_limits(1)
    for case in CASES[given.what](given.data):
        if fnmatch(case.name, given.case):
            run(task_of(case, given.timezone), given)


def run(task: Task, given: argparse.Namespace) -> None:
    """Measure one case, a file anew after each peer."""
    path = given.out / f"forecast_peers_{task.case.name}.json" if given.out else None
    for name in PEERS:
        if not fnmatch(name, given.peers) or (given.peers == "*" and name in _kept(path)):
            continue
        found = measure(task, name)
        print(task.case.name, name, json.dumps(found), file=sys.stderr, flush=True)
        if path:
            peers = _kept(path) | {name: found}
            report = {
                "case": task.case.name, "zone": given.timezone, "libraries": {name: version(name) for name in LIBRARIES},
                "peers": {name: peers[name] for name in PEERS if name in peers},
            }  # fmt: skip
            path.write_text(json.dumps(report, indent=1) + "\n")


def _kept(path: Path | None) -> dict[str, Any]:
    """Peers of an earlier run, or of another process meanwhile."""
    return dict(json.loads(path.read_text())["peers"]) if path and path.exists() else {}


if __name__ == "__main__":
    main()
