"""Forecasters against simple baselines: `python benchmarks/forecasting.py {etth,electricity,packaged} --data DIR [--out DIR]`.

Every method forecasts from the same daily origins of the test part; the neural model and the linear ones also from every
row (stride 1), the convention of the published figures. Keras float and int8 TFLite are measured by the same code. The
training and the validation part choose everything; no method sees a test row beforehand. Errors are in deviations of the
training part. Stores a JSON file a case with --out.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from edgelstm.runtime.forecasting.features import InputFeatures
from edgelstm.runtime.forecasting.spread import spread
from edgelstm.runtime.inference.interpreter import TFLiteModel
from edgelstm.runtime.model_file.bundle import load_bundle
from edgelstm.runtime.model_file.scaler import fit_scaler
from forecast_baselines import absolute, errors, linear, repeat, ridge, sarima, smoothing, truth
from forecast_coverage import as_on_a_device
from forecast_data import CASES, Case

from edgelstm.forecasting.data import pairs
from edgelstm.forecasting.evaluate import coverage
from edgelstm.forecasting.intervals import hours_of
from edgelstm.tensorflow import load_tensorflow

Doubles = npt.NDArray[np.float64]


def baselines(case: Case, values: Doubles, slow: bool) -> dict[str, Any]:
    """Every baseline's errors and what it is."""
    found: dict[str, Any] = {}

    def add(name: str, predicted: Doubles, every_row: bool, said: str) -> None:
        found[name] = {**errors(predicted, case, values, every_row), "is": said}
        print(case.name, name, found[name], file=sys.stderr, flush=True)

    def naive(lag: int) -> Doubles:
        return repeat(values, case.origins, case.horizon, lag)

    add("repeat last value", naive(1), True, "")
    add("seasonal naive, day", naive(case.day), True, "")
    add("seasonal naive, week", naive(7 * case.day), True, "")
    solved = ridge(values, case)
    said = f"{case.ridge_window} inputs minus the last value"
    add("ridge linear", linear(values, case, solved), True, said)
    add("linear, absolute error", linear(values, case, absolute(values, case, solved)), True, said)
    if slow:
        for name, method in (("exponential smoothing", smoothing), ("SARIMA", sarima)):
            start = time.time()
            predicted, said = method(values, case)
            add(name, predicted, False, f"{said}; {time.time() - start:.0f} s")
    return found


def neural(case: Case, values: Doubles, seed: int, folder: Path, epochs: int | None, zone: str) -> dict[str, Any]:
    """Train, convert and measure one seed."""
    from edgelstm.deployment.convert import convert_file
    from edgelstm.forecasting.network_training import predict
    from edgelstm.forecasting.options import Options
    from edgelstm.forecasting.train import train_forecaster

    start = time.time()
    options = Options(case.horizon, case.targets, case.known, calendar=case.calendar, zone=zone, seed=seed)
    options = replace(options, lookback=case.lookback, epochs=epochs, holidays=case.holidays)
    seen = replace(
        case.series,
        values=case.series.values[: case.ends[1]],
        time=case.series.time[: case.ends[1]],
        segments=((0, case.ends[1]),),
    )
    trained = train_forecaster(seen, options, validation_start=case.ends[0])
    keras, int8 = folder / "model.keras", folder / "model.int8.tflite"
    trained.save(keras)
    trained_for = time.time() - start
    converted = convert_file(keras)["int8"]
    converted.bundle.save(int8)
    features, metadata = InputFeatures.of(trained.metadata), trained.metadata
    assert metadata.scaler is not None
    given = pairs(case.series, metadata.scaler, features, metadata.window, case.horizon, case.origins)
    bundle = load_bundle(int8)
    model = TFLiteModel(bundle.flatbuffer)
    record: dict[str, Any] = {
        "seed": seed, "validation_mae": trained.history["kept_val_loss"][0], "normalize": features.normalize,
        "lookback": metadata.window, "epochs": len(trained.history["loss"]), "linear_validation_mae": trained.history["linear_val_loss"][0],
        "parameters": int(trained.model.count_params()), "train_seconds": round(trained_for),
        "int8_bytes": int8.stat().st_size, "int8_error": converted.conversion.validation.error,
    }  # fmt: skip
    record["keras"] = judged(predict(trained.model, given), given, features, case, values, True)
    daily = given.take(np.arange(len(given)).reshape(-1, case.targets)[:: case.day].ravel())
    answer = np.concatenate([model(*one)[0] for one in zip(*daily.inputs, strict=True)])
    record["int8"] = judged(answer, daily, InputFeatures.of(bundle.metadata), case, values, False)
    print(case.name, record, file=sys.stderr, flush=True)
    return record


def judged(
    answer: Doubles, given: Any, features: InputFeatures, case: Case, values: Doubles, every_row: bool
) -> dict[str, Any]:
    """Errors and coverage of a model's answers."""
    origins = case.origins if every_row else case.origins[:: case.day]
    missed = ((answer - given.answers) * given.unit).reshape(-1, case.targets, case.horizon)
    predicted = truth(values, origins, case.horizon) + missed
    spreads = spread(features, given.inputs, answer)  # which the intervals are multiples of
    residuals = ((given.answers - answer) / spreads).reshape(missed.shape)
    hours = hours_of(given.clock[:: case.targets], case.horizon, case.series.period)
    record = errors(predicted, case, values, every_row) | {"coverage": coverage(residuals, features, hours)}
    if every_row:
        units = (given.unit * spreads).reshape(len(origins), case.targets)
        times = case.series.time[origins[0] : case.ends[2]]
        record["intervals"] = as_on_a_device(residuals, units, features, case.series.period, times)
    return record


def measure(case: Case, given: argparse.Namespace, kept: dict[str, Any]) -> dict[str, Any]:
    """All methods on one case."""
    targets = case.series.values[:, : case.targets]
    scaler = fit_scaler(targets[: case.ends[0]])
    values = (targets - np.array(scaler.offset)) / np.array(scaler.scale)
    report: dict[str, Any] = kept or {
        "case": case.name, "benchmark": given.what, "horizon": case.horizon, "rows": len(targets), "ends": case.ends,
        "daily_origins": len(case.origins[:: case.day]), "origins": len(case.origins), "note": case.note,
        "targets": case.series.channels[: case.targets], "covariates": case.series.channels[case.targets :][: case.known],
        "inputs": case.series.channels[case.targets + case.known :], "zone": given.timezone, "deviation": scaler.scale,
        "baselines": {}, "seeds": [],
    }  # fmt: skip
    if "baselines" in given.parts:
        report["baselines"] |= baselines(case, values, slow=not given.quick)
    if "neural" in given.parts:
        done = {run["seed"] for run in report["seeds"]}
        for seed in set(range(given.seeds)) - done:
            with tempfile.TemporaryDirectory() as folder:
                report["seeds"].append(neural(case, values, seed, Path(folder), given.epochs, given.timezone))
            store(report, given)
    return report


def store(report: dict[str, Any], given: argparse.Namespace) -> None:
    """Write a case's file."""
    if given.out:
        given.out.mkdir(parents=True, exist_ok=True)
        (given.out / f"forecasting_{report['case']}.json").write_text(json.dumps(report, indent=1) + "\n")


def main() -> None:
    """Run the cases that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=sorted(CASES))
    parser.add_argument("--data", type=Path, help="Folder with files of the layout; for packaged, with packages.")
    parser.add_argument("--out", type=Path, help="Folder for forecasting_CASE.json.")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--case", default="*", help="Only cases of this name; * and ? stand for any letters.")
    parser.add_argument("--parts", default="baselines,neural", help="Which methods; the others are kept from --out.")
    parser.add_argument("--timezone", default="", help="Of the calendar; empty takes times as the files have them.")
    parser.add_argument("--epochs", type=int, help="Passes; the trainer's own number if left out.")
    parser.add_argument("--quick", action="store_true", help="Leave exponential smoothing and SARIMA out.")
    given = parser.parse_args()
    if given.data is None and given.what != "packaged":
        parser.error(f"{given.what} needs --data FOLDER")
    load_tensorflow()
    cases = [case for case in CASES[given.what](given.data) if fnmatch(case.name, given.case)]
    for case in cases:
        before = given.out / f"forecasting_{case.name}.json" if given.out else None
        kept = (
            json.loads(before.read_text()) if before and before.exists() and given.parts != "baselines,neural" else {}
        )
        report = measure(case, given, kept)
        store(report, given)
        print(json.dumps(report))


if __name__ == "__main__":
    main()
