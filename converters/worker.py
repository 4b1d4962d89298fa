"""The child process of a conversion: TensorFlow's converter may crash a process, so it gets one of its own.

Started as `python -m edgelstm.converters.worker FOLDER`; the folder holds model.keras, job.json and arrays.npz, and
receives a `.tflite` file a scheme and result.json. Standard input is the parent's hand: when it closes, the parent is gone.
"""

import json
import os
import shutil
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Record = dict[str, Any]
Windows = tuple[npt.NDArray[Any], ...]
Tell = Callable[[str], None]


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
        result = work(folder, job, windows, held, _print_step)
    except EdgelstmError as error:
        result = {"error": str(error)}
    (folder / "result.json").write_text(json.dumps(result))


def work(folder: Path, job: Record, windows: Windows, held: Windows, tell: Tell) -> Record:
    """Convert a folder's model; its schemes are written there, the validations returned.

    Args:
        folder: Folder with model.keras; the models are written there.
        job: Options of the conversion, as JSON types.
        windows: Representative windows, (N, ...) an input.
        held: Later windows, for the validation.
        tell: Called with the name of each step.
    """
    tell("loading TensorFlow")
    import keras
    from edgelstm.runtime.errors import ConversionError

    from .lowering.keras_to_tflite import in_float32
    from .pipeline import convert_all

    try:
        loaded = keras.models.load_model(folder / "model.keras", compile=False, safe_mode=True)
    except Exception as error:  # Keras raises what it likes
        reason = " ".join(str(error).split()).split(". ")[0]
        raise ConversionError(
            f"Keras cannot load the model in the process that converts it: {reason[:200].rstrip('.')}. Pass classes of your "
            "own with custom_objects={'Name': Name}."
        ) from error
    model = in_float32(loaded)
    make = _stream_job if job["starts"] is not None else _window_job
    results = convert_all(make(model, job, windows, held, tell), tuple(job["schemes"]), tell, job["search"])
    for number, conversion in enumerate(results.values()):
        (folder / f"{number}.tflite").write_bytes(conversion.flatbuffer)
    return {"validations": {scheme: conversion.validation.record() for scheme, conversion in results.items()}}


def _window_job(model: Any, job: Record, windows: Windows, held: Windows, tell: Tell) -> Any:
    """The task of a windowed conversion."""
    import keras
    from edgelstm.runtime.errors import ConversionError

    from .job import Job
    from .lowering.keras_to_tflite import lower, structured
    from .lowering.model_checks import check

    check(model)
    try:
        outputs = model.predict(structured(model, held), verbose=0)
    except Exception as error:  # Keras raises what it likes
        reason = " ".join(str(error).split())[:300]
        raise ConversionError(
            f"Keras itself cannot run this model on the windows: {reason} Repair it there."
        ) from error
    expected = tuple(np.asarray(tensor) for tensor in keras.tree.flatten(outputs))
    tell("lowering")
    lowered = _for_target(lower(model, job["lookback"]), job["target"])
    written_out = lower(model, job["lookback"], calls=False) if "int16x8" in job["schemes"] else None
    tuned = _fine_tuned(model, job, windows, tell) if job.get("fine_tune") else None
    return Job(
        lowered, windows, held, expected, int(model.count_params()), job["io"], job["allow_drop"],
        target=job["target"], written_out=written_out, tuned=tuned, like_inputs=job["like_inputs"],
    )  # fmt: skip


def _fine_tuned(model: Any, job: Record, windows: Windows, tell: Tell) -> Any:
    """The float form of a model with fine-tuned weights; None where these gain nothing."""
    from .fine_tuning.distillation import fine_tune
    from .lowering.keras_to_tflite import lower

    if not fine_tune(model, windows, tell):
        return None
    return _for_target(lower(model, job["lookback"]), job["target"])


def _for_target(lowered: Any, target: str) -> Any:
    from .validation.tflite_micro import portable

    return portable(lowered) if target == "micro" else lowered


def _stream_job(model: Any, job: Record, windows: Windows, held: Windows, tell: Tell) -> Any:
    """The task of a streaming conversion: the model over one row, its state kept."""
    from edgelstm.runtime.inference.interpreter import TFLiteModel

    from .job import Job
    from .lowering.keras_to_tflite import lower
    from .lowering.model_checks import check
    from .lowering.streaming import check_causal, compare, endless, keras_stream, over_rows

    check(model, streaming=True)
    check_causal(model)
    tell("lowering")
    lowered = _for_target(lower(over_rows(model, 1), streaming=True), job["target"])
    tell("comparing with Keras, row by row")
    history, warmup = compare(model, TFLiteModel(lowered.content), held[0], job["lookback"])
    rows = endless(held[0])
    expected = keras_stream(model, rows)
    parameters, starts = int(model.count_params()), tuple(job["starts"])
    return Job(
        lowered, windows, (rows,), expected, parameters, job["io"], job["allow_drop"],
        target=job["target"], starts=starts, history=history, warmup=warmup, like_inputs=job["like_inputs"],
    )  # fmt: skip


def _print_step(step: str) -> None:
    print(f"step: {step}", flush=True)


def _clear_when_orphaned(folder: Path) -> None:
    """Remove the folder and end when the parent was killed: it cannot do so itself."""
    # not through sys.stdin, whose lock the end of the interpreter would wait for
    while os.read(0, 1):
        pass
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_clear_when_orphaned, args=(Path(sys.argv[1]),), daemon=True).start()
    main(Path(sys.argv[1]))
