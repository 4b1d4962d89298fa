"""Conversion of one model, in the process that has TensorFlow."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from edgelstm.runtime.errors import ConversionError

from .child import LOADING
from .job import Conversion, Job, Windows

Tell = Callable[[str], None]


@dataclass(frozen=True)
class ConversionTask:
    """A model's file, its windows and the wishes for its conversion; called, it converts."""

    model: Path
    """A `.keras` file."""
    windows: Windows
    """Representative windows, (N, ...) an input."""
    held: Windows
    """Later windows, for the validation."""
    schemes: tuple[str, ...]
    """Quantization schemes."""
    lookback: int | None = None
    """Rows for an open time axis."""
    starts: tuple[int, ...] | None = None
    """See `Job`."""
    io: str = "auto"
    """See `Job`."""
    allow_drop: bool = False
    """See `Job`."""
    target: str = ""
    """See `Job`."""
    search: bool = False
    """Make mixtures of the schemes, too, and refuse none for its error."""
    like_inputs: bool = False
    """See `Job`."""
    byte_budget: int = 0
    """See `Job`."""
    fine_tune: bool = False
    """Adapt the weights to the integer form."""

    def __call__(self, tell: Tell) -> dict[str, Conversion]:
        """Convert the model.

        Args:
            tell: Called with the name of each step.

        Raises:
            ConversionError: See `convert`.
        """
        tell(LOADING)
        import keras

        from .lowering.keras_to_tflite import in_float32
        from .pipeline import convert_all

        try:
            loaded = keras.models.load_model(self.model, compile=False, safe_mode=True)
        except Exception as error:  # Keras raises what it likes
            reason = " ".join(str(error).split()).split(". ")[0]
            raise ConversionError(
                f"Keras cannot load the model in the process that converts it: {reason[:200].rstrip('.')}. Pass classes of your "
                "own with custom_objects={'Name': Name}."
            ) from error
        make = _stream_job if self.starts is not None else _window_job
        return convert_all(make(in_float32(loaded), self, tell), self.schemes, tell, self.search)


def _window_job(model: Any, task: ConversionTask, tell: Tell) -> Job:
    """The task of a windowed conversion."""
    import keras

    from .lowering.keras_to_tflite import lower, structured
    from .lowering.model_checks import check

    check(model)
    try:
        outputs = model.predict(structured(model, task.held), verbose=0)
    except Exception as error:  # Keras raises what it likes
        reason = " ".join(str(error).split())[:300]
        raise ConversionError(
            f"Keras itself cannot run this model on the windows: {reason} Repair it there."
        ) from error
    expected = tuple(np.asarray(tensor) for tensor in keras.tree.flatten(outputs))
    tell("lowering")
    lowered = _for_target(lower(model, task.lookback), task.target)
    written_out = lower(model, task.lookback, calls=False) if "int16x8" in task.schemes else None
    tuned = _fine_tuned(model, task, tell) if task.fine_tune else None
    return Job(
        lowered, task.windows, task.held, expected, int(model.count_params()), task.io, task.allow_drop,
        target=task.target, written_out=written_out, tuned=tuned, like_inputs=task.like_inputs, byte_budget=task.byte_budget,
    )  # fmt: skip


def _fine_tuned(model: Any, task: ConversionTask, tell: Tell) -> Any:
    """The float form of a model with fine-tuned weights; None where these gain nothing."""
    from .fine_tuning.distillation import fine_tune
    from .lowering.keras_to_tflite import lower

    if not fine_tune(model, task.windows, tell):
        return None
    return _for_target(lower(model, task.lookback), task.target)


def _for_target(lowered: Any, target: str) -> Any:
    from .validation.tflite_micro import portable

    return portable(lowered) if target == "micro" else lowered


def _stream_job(model: Any, task: ConversionTask, tell: Tell) -> Job:
    """The task of a streaming conversion: the model over one row, its state kept."""
    from edgelstm.runtime.inference.interpreter import TFLiteModel

    from .lowering.keras_to_tflite import lower
    from .lowering.model_checks import check
    from .lowering.streaming import check_causal, compare, endless, keras_stream, over_rows

    check(model, streaming=True)
    check_causal(model)
    tell("lowering")
    lowered = _for_target(lower(over_rows(model, 1), streaming=True), task.target)
    tell("comparing with Keras, row by row")
    assert task.lookback is not None, "the warm-up is looked for within a look-back"
    history, warmup = compare(model, TFLiteModel(lowered.content), task.held[0], task.lookback)
    rows = endless(task.held[0])
    expected = keras_stream(model, rows)
    return Job(
        lowered, task.windows, (rows,), expected, int(model.count_params()), task.io, task.allow_drop,
        target=task.target, starts=task.starts, history=history, warmup=warmup, like_inputs=task.like_inputs,
    )  # fmt: skip
