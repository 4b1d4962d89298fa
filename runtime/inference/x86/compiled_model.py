"""LiteRT's compiled runtime with the methods of an interpreter: XNNPACK, its packed weights shared between ops.

The interpreter gives every op a packed copy of its weights; of an unrolled LSTM that would be one a step, megabytes that
no cache holds. LiteRT's compiled runtime (2.2 or later) can share them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ...io.native_stderr import silent_stderr
from ..backend import compiled_model
from ..flatbuffer.summary import Graph


class CompiledModel:
    """A model with float inputs and outputs on LiteRT's compiled runtime.

    Args:
        content: A TFLite flatbuffer.
        graph: Summary of the model before unrolling; inputs and outputs are the same.
        threads: Threads of XNNPACK.

    Raises:
        ImportError: If this LiteRT has no such runtime.
        RuntimeError: If it cannot take the model.
    """

    def __init__(self, content: bytes, graph: Graph, threads: int = 1) -> None:
        self._model = compiled_model(content, threads)
        self._ports = (*graph.inputs, *graph.outputs)
        self._inputs, self._outputs = self._model.create_input_buffers(0), self._model.create_output_buffers(0)
        self._buffers = (*self._inputs, *self._outputs)
        self._sizes = [int(np.prod(port.shape)) for port in self._ports]
        with silent_stderr():
            self.invoke()  # the first run makes another environment

    def get_input_details(self) -> list[dict[str, Any]]:
        """Describe the inputs as an interpreter does."""
        return [self._detail(index) for index in range(len(self._inputs))]

    def get_output_details(self) -> list[dict[str, Any]]:
        """Describe the outputs as an interpreter does."""
        return [self._detail(index) for index in range(len(self._inputs), len(self._ports))]

    def _detail(self, index: int) -> dict[str, Any]:
        port = self._ports[index]
        return {
            "index": index, "name": port.name, "shape": port.shape, "dtype": np.dtype(port.type),
            "quantization": (0.0, 0),
        }  # fmt: skip

    def set_tensor(self, index: int, values: npt.NDArray[Any]) -> None:
        """Fill an input.

        Args:
            index: Index of the input.
            values: Its values, of its shape.
        """
        self._buffers[index].write(values)

    def get_tensor(self, index: int) -> npt.NDArray[Any]:
        """Copy an output."""
        port = self._ports[index]
        values: npt.NDArray[Any] = self._buffers[index].read(self._sizes[index], port.type)
        return values.reshape(port.shape)

    def invoke(self) -> None:
        """Run once."""
        self._model.run_by_index(0, self._inputs, self._outputs)

    def reset_all_variables(self) -> None:
        """Do nothing: an unrolled model keeps no state."""
