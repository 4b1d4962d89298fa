"""A flatbuffer's main subgraph, with the questions that the batched operators ask of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..flatbuffer.reader import read_model
from ..flatbuffer.schema import TYPES, Operator
from .fixed_point import UnprovenError
from .operators import Port

Array = npt.NDArray[Any]


class BatchedGraph:
    """Tensors and constants of a model with a batch of 1, and what is known of them on the way through its operators.

    Args:
        content: A verified TFLite flatbuffer.
    """

    def __init__(self, content: bytes) -> None:
        self._model = read_model(content)
        self._main = self._model.subgraphs[0]
        self.inputs, self.outputs, self.operators = self._main.inputs, self._main.outputs, self._main.operators
        self.made = set(self.inputs)
        """Tensors that have values by now."""
        self.bare: set[int] = set()
        """Tensors without a batch axis in the file."""
        self.widest = 1
        """Gates of the largest recurrent layer."""

    def name(self, operator: Operator) -> str:
        """Return an operator's name in schema.fbs."""
        return self._model.codes[operator.code].name

    def scales(self, index: int) -> tuple[float, ...]:
        """Return the scales of a tensor."""
        return self._main.tensors[index].scales

    def rank(self, index: int) -> int:
        """Return the number of a tensor's axes beside the batch."""
        return len(self.port(index).shape) - (index not in self.bare)

    def need(self, *indices: int, bare: bool = False) -> None:
        """Refuse tensors that have no values.

        Args:
            indices: Tensors.
            bare: Whether they may lack the batch axis.
        """
        if not self.made.issuperset(indices):
            raise UnprovenError("a tensor that nothing makes")
        if not bare and not self.bare.isdisjoint(indices):
            raise UnprovenError("a tensor without a batch axis")

    def port(self, index: int) -> Port:
        """Return the type and scale of a tensor."""
        tensor = self._main.tensors[index]
        if len(tensor.scales) > 1:
            raise UnprovenError("an activation with several scales")
        zeros = tensor.quantization.zero_point if tensor.quantization else ()
        return Port(
            TYPES[tensor.type], tensor.shape, tensor.scales[0] if tensor.scales else 0.0, zeros[0] if zeros else 0
        )

    def constant(self, index: int) -> Array | None:
        """Return a constant, None for an activation."""
        if index < 0:
            return None
        tensor = self._main.tensors[index]
        start, size = self._model.buffers[tensor.buffer].data
        if not size or TYPES[tensor.type] not in ("int8", "int16", "int32", "int64", "float32"):
            return None
        return np.frombuffer(self._model.content[start : start + size], TYPES[tensor.type]).reshape(tensor.shape)
