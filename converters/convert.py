"""The converter's front: one child process for all schemes of a model, and nothing left behind."""

import contextlib
import importlib.util
import io as io_module
import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from edgelstm.runtime.errors import ConversionError

from .job import SCHEMES, Conversion, Windows
from .validation.limits import Validation
from .validation.tflite_micro import check_target

Array = npt.NDArray[Any]
Tell = Callable[[str], None]


def convert(
    model: Path | str | Any,
    windows: Array | tuple[Array, ...],
    held: Array | tuple[Array, ...],
    schemes: tuple[str, ...] = ("int8",),
    *,
    lookback: int | None = None,
    starts: tuple[int, ...] | None = None,
    io: str = "auto",
    allow_drop: bool = False,
    target: str = "",
    search: bool = False,
    like_inputs: bool = False,
    fine_tune: bool = False,
    tell: Tell = lambda _: None,
    apart: bool = True,
    custom_objects: Mapping[str, Any] | None = None,
) -> dict[str, Conversion]:
    """Convert a Keras 3 model to TFLite schemes and validate each.

    Args:
        model: A `.keras` file, or a Keras model in memory.
        windows: Representative windows as the model takes them, (N, ...); a tuple for several inputs.
        held: Later windows of the same shapes, for the validation.
        schemes: Any of float32, float16, dynamic, int8, int16x8.
        lookback: Rows for a model with an open time axis.
        starts: For the streaming form: `windows` are single rows (N, 1, F) then, and a sequence begins at each of these;
            `held` is one sequence. None converts the windowed form.
        io: Input and output type of int8 and int16x8 models: int8 for integers, float32, or auto: int16 for an int8
            model with a linear skip path from an input to an output, which then has 16 bits, and else as int8.
        allow_drop: Accept errors above the limits.
        target: `x86` validates the models in the form that they have there, see `runtime/inference/x86/lstm_unrolling.py`; `micro` in tflite-micro.
        search: Also make models whose layers differ in precision, and refuse none for its error.
        like_inputs: Outputs are in the units of the inputs, channel by channel, as an autoencoder's and a forecaster's
            are: a channel's error is measured by the larger of the deviations of output and input then.
        fine_tune: Change the weights so that the int8 form gives the float model's outputs on the representative windows; the
            result is taken where it is more accurate on the held-back ones.
        tell: Called with the name of each step.
        apart: In a child process, which a crash of TensorFlow's converter cannot outlive; False saves its start where
            many models are converted in a row and TensorFlow is loaded already.
        custom_objects: Classes and functions of your own, by name, that the model holds. It is converted in this process
            then: another one would not know them.

    Returns:
        A conversion a scheme, and in a search one for each mixture by its description.

    Raises:
        ConversionError: If the model has no right TFLite form; the message names the layer and a way out.
    """
    unknown = [scheme for scheme in schemes if scheme not in SCHEMES]
    if unknown:
        raise ConversionError(f"A scheme is one of {', '.join(SCHEMES)}; received {', '.join(unknown)}.")
    _require_tensorflow()
    if target == "micro":
        check_target(schemes)
    inputs = tuple(_clean(part) for part in (windows if isinstance(windows, tuple) else (windows,)))
    later = tuple(_clean(part) for part in (held if isinstance(held, tuple) else (held,)))
    with tempfile.TemporaryDirectory(prefix="edgelstm-") as temporary:
        folder = Path(temporary)
        _stage(folder, model)
        arrays = {f"window{i}": part for i, part in enumerate(inputs)} | {f"held{i}": p for i, p in enumerate(later)}
        np.savez(folder / "arrays.npz", allow_pickle=False, **arrays)
        job = {
            "inputs": len(inputs),
            "lookback": lookback,
            "starts": starts,
            "schemes": list(schemes),
            "io": io,
            "allow_drop": allow_drop,
            "target": target,
            "search": search,
            "like_inputs": like_inputs,
            "fine_tune": fine_tune,
        }
        (folder / "job.json").write_text(json.dumps(job))
        own = custom_objects is not None
        validations = (
            _run(folder, tell) if apart and not own else _here(folder, job, inputs, later, custom_objects, tell)
        )
        return {
            name: Conversion((folder / f"{number}.tflite").read_bytes(), Validation(**record))
            for number, (name, record) in enumerate(validations.items())
        }


def _require_tensorflow() -> None:
    missing = [name for name in ("tensorflow", "keras") if importlib.util.find_spec(name) is None]
    if missing:
        raise ConversionError(
            f"A conversion needs {' and '.join(missing)}, which the base install leaves out. "
            "Install it on a workstation: pip install 'edgelstm[train]'."
        )


@contextlib.contextmanager
def _silent_logger(name: str) -> Iterator[None]:
    """Keep a library's warnings off standard error: they speak of its own graphs."""
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _here(
    folder: Path, job: dict[str, Any], windows: Windows, held: Windows, custom_objects: Mapping[str, Any] | None,
    tell: Tell,
) -> dict[str, Any]:  # fmt: skip
    import keras

    from .worker import work

    with (
        _silent_logger("tensorflow"),
        contextlib.redirect_stdout(io_module.StringIO()),
        keras.saving.custom_object_scope(dict(custom_objects or {})),
    ):
        validations: dict[str, Any] = work(folder, job, windows, held, tell)["validations"]
    return validations


def _clean(part: Array) -> Array:
    values = np.asarray(part)
    if not len(values):
        raise ConversionError("The representative set holds no window. Give more rows with --calibration.")
    if np.issubdtype(values.dtype, np.floating):
        if not np.isfinite(values).all():
            raise ConversionError("Representative windows must be finite; received NaN or infinity. Clean them first.")
        return values.astype(np.float32)
    return values


def _stage(folder: Path, model: Any) -> None:
    target = folder / "model.keras"
    if isinstance(model, str | os.PathLike):
        target.symlink_to(Path(model).resolve())
    else:
        model.save(target)


def _run(folder: Path, tell: Tell) -> dict[str, Any]:
    """Start the worker, pass its steps on, and turn a crash into an error."""
    command = [sys.executable, "-m", "edgelstm.converters.worker", str(folder)]
    with (folder / "log.txt").open("wb") as log:
        # in the empty folder: `-m` looks in the working directory first, and a clone of this project holds an edgelstm/
        worker = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=log, stdin=subprocess.PIPE, text=True, cwd=folder,
            # its matrices are small, as in the command line; TensorFlow leaves compiled files in its temporary folder
            env={"OPENBLAS_NUM_THREADS": "1", **os.environ, "TMPDIR": str(folder)},
        )  # fmt: skip
        step = ""
        try:
            for line in worker.stdout or ():
                if line.startswith("step: "):
                    step = line[6:].strip()
                    tell(step)
            code = worker.wait()
        finally:
            if worker.poll() is None:
                worker.kill()
                worker.wait()
            for pipe in (worker.stdout, worker.stdin):
                if pipe:
                    pipe.close()
    result = folder / "result.json"
    if code == 0 and result.exists():
        outcome: dict[str, Any] = json.loads(result.read_text())
        if "error" in outcome:
            raise ConversionError(outcome["error"])
        validations: dict[str, Any] = outcome["validations"]
        return validations
    raise ConversionError(_crash(code, step, (folder / "log.txt").read_text(errors="replace")))


def _crash(code: int, step: str, log: str) -> str:
    """One sentence for a worker that did not end well; its last step says where."""
    if code < 0:
        return (
            f"The conversion crashed ({signal.Signals(-code).name}) at its step '{step}'. Please report the model; "
            "simplify it layer by layer to find which one it is."
        )
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    reason = next(
        (line for line in reversed(lines) if ": " in line and not line.startswith(("File", "at "))), "no reason"
    )
    return f"TensorFlow's converter refused the model: {reason[:300]}. Replace the layer it names by a built-in one."
