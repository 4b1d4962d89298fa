"""The child process of a conversion: TensorFlow's converter may crash a process, so it gets one of its own.

Started as `python -m edgelstm.converters.worker FOLDER`; the folder holds model.keras, job.json and arrays.npz, and
receives a `.tflite` file a scheme and result.json.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import numpy as np


def main(folder: Path) -> None:
    """Convert what the folder asks for."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    job = json.loads((folder / "job.json").read_text())
    with np.load(folder / "arrays.npz") as arrays:
        windows = tuple(arrays[f"window{i}"] for i in range(job["inputs"]))
        held = tuple(arrays[f"held{i}"] for i in range(job["inputs"]))
    from edgelstm.runtime.errors import EdgelstmError

    try:
        result = _convert(folder, job, windows, held)
    except EdgelstmError as error:
        result = {"error": str(error)}
    (folder / "result.json").write_text(json.dumps(result))


def _convert(folder: Path, job: dict, windows: tuple, held: tuple) -> dict:  # type: ignore[type-arg]
    _tell("loading TensorFlow")
    import keras

    from .lowering import lower
    from .schemes import Job, convert_all

    model = keras.models.load_model(folder / "model.keras", compile=False, safe_mode=True)
    given = list(held) if len(held) > 1 else held[0]
    expected = tuple(np.asarray(tensor) for tensor in keras.tree.flatten(model.predict(given, verbose=0)))
    _tell("lowering")
    content = lower(model, job["lookback"])
    shared = Job(content, windows, held, expected, int(model.count_params()), job["io"], job["allow_drop"])
    results = convert_all(shared, tuple(job["schemes"]), _tell)
    for scheme, conversion in results.items():
        (folder / f"{scheme}.tflite").write_bytes(conversion.flatbuffer)
    return {"proofs": {scheme: conversion.proof.record() for scheme, conversion in results.items()}}


def _tell(step: str) -> None:
    print(f"step: {step}", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
