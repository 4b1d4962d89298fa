"""The converter's front: one child process for all schemes of a model, and nothing left behind."""

import contextlib
import io as io_module
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from edgelstm.runtime.errors import ConversionError

from .child import Child, Here, require_tensorflow
from .job import SCHEMES, Conversion
from .task import ConversionTask
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
    byte_budget: int = 0,
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
        byte_budget: Size above which an int8 model's linear skip path has weights of 8 bits in place of 15 where that is accurate
            enough, and not only where it costs next to nothing; 0 for no such number.
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
    require_tensorflow()
    if target == "micro":
        check_target(schemes)
    inputs = tuple(_clean(part) for part in (windows if isinstance(windows, tuple) else (windows,)))
    later = tuple(_clean(part) for part in (held if isinstance(held, tuple) else (held,)))
    with Child() if apart and custom_objects is None else Here() as place:
        task = ConversionTask(
            _staged(place.folder, model), inputs, later, schemes, lookback, starts, io, allow_drop, target, search,
            like_inputs, byte_budget, fine_tune,
        )  # fmt: skip
        made: dict[str, Conversion] = place.run(partial(_quietly, task, custom_objects), tell)
    return made


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


def _quietly(task: ConversionTask, custom_objects: Mapping[str, Any] | None, tell: Tell) -> dict[str, Conversion]:
    """Convert, and keep off standard output what TensorFlow prints there."""
    import keras

    with (
        _silent_logger("tensorflow"),
        contextlib.redirect_stdout(io_module.StringIO()),
        keras.saving.custom_object_scope(dict(custom_objects or {})),
    ):
        return task(tell)


def _clean(part: Array) -> Array:
    values = np.asarray(part)
    if not len(values):
        raise ConversionError("The representative set holds no window. Give more rows with --calibration.")
    if np.issubdtype(values.dtype, np.floating):
        if not np.isfinite(values).all():
            raise ConversionError("Representative windows must be finite; received NaN or infinity. Clean them first.")
        return values.astype(np.float32)
    return values


def _staged(folder: Path, model: Any) -> Path:
    """A file of the model in a folder."""
    target = folder / "model.keras"
    if isinstance(model, str | os.PathLike):
        target.symlink_to(Path(model).resolve())
    else:
        model.save(target)
    return target
