"""A batched model that is compared with the interpreter before it is trusted."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Run = Callable[[Array], Array]
CHECKED = 4  # inputs of the first batch that are run in both

log = logging.getLogger("edgelstm")


class Checked:
    """Function from inputs (N, ...) to outputs (N, ...), as the interpreter gives them.

    The forms of operators here are those of one release of the kernels. Should another round otherwise, the comparison says
    so, and the interpreter runs one input after the other.

    Args:
        batched: Function of many inputs.
        single: Function of one input in the interpreter; its output has a batch axis of 1.
    """

    def __init__(self, batched: Run, single: Run) -> None:
        self._batched, self._single = batched, single
        self._trusted: bool | None = None

    def __call__(self, inputs: Array) -> Array:
        """Run the model on inputs, shape (N, ...)."""
        if self._trusted is not False:
            outputs = self._batched(inputs)
            if self._trusted is None and len(inputs):
                self._trusted = self._agrees(inputs, outputs)
            if self._trusted is not False:
                return outputs
        return np.concatenate([self._single(values) for values in inputs])

    def _agrees(self, inputs: Array, outputs: Array) -> bool:
        places = np.unique(np.linspace(0, len(inputs) - 1, CHECKED).astype(int))
        agrees = all(np.array_equal(self._single(inputs[at])[0], outputs[at]) for at in places)
        if not agrees:
            log.warning("This interpreter rounds otherwise than the batched kernels: windows are run one by one.")
        return agrees
