"""Cost of a streamed sample beside a window of the same model, as ratios within one run.

    edgelstm train normal.csv -o cast.keras --kind forecaster --streaming --lookback 64
    edgelstm convert cast.keras --int8 && edgelstm convert cast.keras --int8 --streaming
    python benchmarks/streaming.py cast.int8.tflite cast.stream.int8.tflite

Writes benchmarks/results/streaming.json. The two are called in turn, so that a busy machine slows both.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from edgelstm.runtime import Detector
from edgelstm.runtime.diagnostics.benchmark import bare_call, compare
from edgelstm.runtime.diagnostics.machine import this_machine

LIMIT = 1 / 16  # of a window's time, at a look-back of 64
RESULT = Path(__file__).parent / "results" / "streaming.json"


def streamed_call(detector: Detector, seed: int = 0) -> Callable[[], object]:
    """One sample: set, invoke, get, the state kept."""
    model = detector.engine.model  # type: ignore[attr-defined]
    interpreter, entry, exit_ = model.interpreter, model.inputs[0], model.outputs[0].index
    row = entry.quantize(np.random.default_rng(seed).normal(size=entry.shape))

    def call() -> Any:
        interpreter.set_tensor(entry.index, row)
        interpreter.invoke()
        return interpreter.get_tensor(exit_)

    return call


def update_call(detector: Detector) -> Callable[[], object]:
    """One `Detector.update` after the warm-up, scaling, scoring and deciding included."""
    row = list(map(float, detector.metadata.scaler.offset)) if detector.metadata.scaler else []
    for _ in range(300):
        detector.update(row)
    return lambda: detector.update(row)


def main() -> int:
    """Measure, print, store; exit code 1 when the limit is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("windowed", type=Path)
    parser.add_argument("streamed", type=Path)
    parser.add_argument("--seconds", type=float, default=8.0)
    given = parser.parse_args()
    windowed, streamed = Detector.load(given.windowed), Detector.load(given.streamed)
    model = windowed.engine.model  # type: ignore[attr-defined]
    calls = {
        "window": bare_call(model), "row": streamed_call(streamed),
        "window_update": update_call(windowed), "row_update": update_call(streamed),
    }  # fmt: skip
    found = {name: latency.p50 for name, latency in compare(calls, given.seconds).items()}
    record = {
        "lookback": windowed.metadata.window,
        "scheme": streamed.metadata.scheme,
        "bytes": {"windowed": given.windowed.stat().st_size, "streamed": given.streamed.stat().st_size},
        "p50_us": found,
        "call_ratio": found["row"] / found["window"],
        "update_ratio": found["row_update"] / found["window_update"],
        "limit": LIMIT,
        "machine": this_machine(model, 1).__dict__,
    }
    RESULT.write_text(json.dumps(record, indent=2) + "\n")
    print(json.dumps(record, indent=2))
    return int(record["call_ratio"] > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
