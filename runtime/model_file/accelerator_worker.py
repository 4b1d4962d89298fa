"""The child process that runs a model on a delegate and on the CPU: `python -m edgelstm.runtime.model_file.accelerator_worker`.

The flatbuffer comes on standard input, the `Comparison` as the last argument. Exit code 0 says that they agree, `REFUSED` that
they do not, with one line on standard output. Any other end is a crash of the delegate.
"""

from __future__ import annotations

import os
import sys

import numpy as np
import numpy.typing as npt

from ..errors import EdgelstmError, ModelError
from ..inference.interpreter import TFLiteModel
from .accelerator_trial import Comparison
from .trial_codes import REFUSED

WINDOWS = 32  # of each kind
Doubles = npt.NDArray[np.float64]


def main() -> None:
    """Compare, and end without the destructors of a library that may be in a bad state."""
    reason = ""
    try:
        compare(sys.stdin.buffer.read(), Comparison.from_json(sys.argv[-1]))
    except EdgelstmError as error:
        reason = str(error)
    except Exception as error:  # pybind11's, and whatever a binding raises
        reason = f"it fails ({type(error).__name__}: {' '.join(str(error).split())[:200]})."
    os.write(1, reason.encode("utf-8", "replace"))
    os._exit(REFUSED if reason else 0)


def compare(flatbuffer: bytes, comparison: Comparison) -> None:
    """Run both on the same windows.

    Args:
        flatbuffer: The model.
        comparison: The delegate, and what it is compared on.

    Raises:
        InterpreterError: If either cannot be loaded.
        ModelError: If an output differs by more than the tolerance.
    """
    cpu = TFLiteModel(flatbuffer)
    other = TFLiteModel(flatbuffer, accelerator=comparison.accelerator)
    allowed = np.maximum(np.asarray(comparison.tolerance), cpu.outputs[0].scale * 1.001)
    for window in windows(cpu.inputs[0].shape[1:], comparison):
        expected, received = (np.asarray(model(window)[0], np.float64) for model in (cpu, other))
        difference = np.abs(received - expected)
        if not (difference <= allowed).all():  # NaN is no agreement either
            worst = float(np.max(difference / allowed))
            raise ModelError(
                f"its outputs differ from the CPU's, by {worst:.3g} times what is allowed (a tenth of the deviation of normal errors)."
            )


def windows(shape: tuple[int, ...], comparison: Comparison) -> list[Doubles]:
    """Windows (W, F) in scaled units: the ends of the training range, uniform values in it, random walks through it.

    Args:
        shape: Their shape.
        comparison: The ranges.
    """
    generator = np.random.default_rng(0)
    low, high = np.asarray(comparison.low), np.asarray(comparison.high)
    ends = [np.broadcast_to(end, shape) for end in (low, high)]
    uniform = [generator.uniform(low, high, shape) for _ in range(WINDOWS)]
    middle, step = (low + high) / 2, (high - low) / 8
    walks = [np.clip(middle + step * generator.normal(size=shape).cumsum(axis=0), low, high) for _ in range(WINDOWS)]
    return [*ends, *uniform, *walks]


if __name__ == "__main__":
    main()
