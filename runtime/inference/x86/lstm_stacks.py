"""Fused LSTMs of a flatbuffer that can be unrolled, with their weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..flatbuffer.reader import read_model
from ..flatbuffer.schema import Operator

Array = npt.NDArray[np.generic]
Floats = npt.NDArray[np.float32]
LSTM, STRIDED_SLICE, CAST = 44, 45, 53  # numbers of operators and of tensor types in schema.fbs
FLOAT32, INT32, INT8, TANH_ACTIVATION = 0, 2, 9, 4
GATES = (0, 1, 3, 2)  # the file's order is input, forget, candidate, output; the candidate goes last: it has a tanh
MOST_STEPS = 512  # unrolled, more would take longer to load than they save


@dataclass(frozen=True)
class Layer:
    """Weights of one LSTM."""

    kernel: Floats
    """Input weights (4, U, F), gates ordered as in GATES."""
    recurrent: Floats
    """Recurrent weights (4, U, U)."""
    bias: Floats
    """Biases (4, U)."""
    integer: bool
    """True if the file has 8-bit weights."""


@dataclass(frozen=True)
class Chain:
    """LSTMs that feed one another and nothing else."""

    operators: tuple[int, ...]
    """Numbers of the operators, the first layer's first, and of the slice behind them, if any."""
    layers: tuple[Layer, ...]
    """Weights."""
    source: int
    """Tensor that goes in, (1, T, F)."""
    target: int
    """Tensor that comes out: (1, T, U), or (1, U) of the last step."""
    steps: int
    """T."""
    sequence: bool
    """True if all steps come out."""
    openings: tuple[int, ...]
    """Numbers of the operators that set the states to zero at the start of a call."""


class LstmGraph:
    """A model's main subgraph, with the questions that unrolling asks of it.

    Args:
        content: A TFLite flatbuffer.

    Raises:
        ModelError: If it is damaged.
    """

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.model = read_model(content)
        self.main = self.model.subgraphs[0]
        self.tensors, self.operators = self.main.tensors, self.main.operators
        self.readers: dict[int, list[int]] = {}
        self.state_writers: dict[int, list[int]] = {}
        for number, operator in enumerate(self.operators):
            for tensor in operator.inputs:
                self.readers.setdefault(tensor, []).append(number)
            for tensor in operator.outputs:
                if self.tensors[tensor].variable:
                    self.state_writers.setdefault(tensor, []).append(number)

    def code(self, number: int) -> int:
        """BuiltinOperator number of an operator."""
        return self.model.codes[self.operators[number].code].builtin

    def shape(self, tensor: int) -> tuple[int, ...]:
        """A tensor's shape, batch axis first."""
        return self.tensors[tensor].shape

    def constant(self, tensor: int) -> Array | None:
        """A constant's values as stored, None for anything else."""
        entry = self.tensors[tensor]
        start, size = self.model.buffers[entry.buffer].data
        types: dict[int, type[np.generic]] = {FLOAT32: np.float32, INT32: np.int32, INT8: np.int8}
        kind = types.get(entry.type)
        if not size or kind is None:
            return None
        return np.frombuffer(self.content, kind, size // np.dtype(kind).itemsize, start).reshape(entry.shape)

    def weights(self, tensor: int) -> Floats | None:
        """Return a constant's real values; of 8-bit ones only those with a single scale."""
        values = self.constant(tensor)
        if values is None or values.dtype == np.int32:
            return None
        if values.dtype == np.float32:
            return np.asarray(values, np.float32)
        scales = self.tensors[tensor].scales
        return values.astype(np.float32) * np.float32(scales[0]) if len(scales) == 1 else None

    def chains(self) -> list[Chain]:
        """Find chains of LSTMs, each as long as possible."""
        chains: list[Chain] = []
        used: set[int] = set()
        for number in range(len(self.operators)):
            if number not in used and self._layer(number) is not None:
                chain = self._chain(number)
                used.update(chain.operators)
                chains.append(chain)
        return chains

    def _chain(self, number: int) -> Chain:
        operators, layers = [number], [self._layer(number)]
        source = self.operators[number].inputs[0]
        steps = self.shape(source)[1]
        while True:
            target = self.operators[operators[-1]].outputs[0]
            follower = self._only_reader(target)
            layer = None if follower is None else self._layer(follower)
            if follower is None or layer is None or self.operators[follower].inputs[0] != target:
                break
            operators.append(follower)
            layers.append(layer)
        sequence = follower is None or not self._takes_last(follower, steps)
        if not sequence and follower is not None:
            operators.append(follower)
            target = self.operators[follower].outputs[0]
        known = tuple(layer for layer in layers if layer is not None)
        openings = [
            writer
            for operator in operators[: len(known)]
            for state in self.operators[operator].inputs[18:20]
            for writer in self.state_writers.get(state, [])
        ]
        return Chain(tuple(operators), known, source, target, steps, sequence, tuple(openings))

    def _only_reader(self, tensor: int) -> int | None:
        readers = self.readers.get(tensor, [])
        return readers[0] if len(readers) == 1 and tensor not in self.main.outputs else None

    def _takes_last(self, number: int, steps: int) -> bool:
        """Tell whether an operator is `sequence[:, -1]`."""
        if self.code(number) != STRIDED_SLICE:
            return False
        operator = self.operators[number]
        source, begin, _, strides = operator.inputs[:4]
        first, by, options = self.constant(begin), self.constant(strides), operator.options
        if first is None or by is None or options is None or len(self.shape(source)) != 3 or first.shape != (3,):
            return False
        begin_mask, end_mask, _, _, shrink = (options.scalar(field, "i") for field in range(5))
        whole = begin_mask & 5 == 5 and end_mask & 5 == 5 and shrink == 2 and not begin_mask & 2
        return bool(whole and (by == 1).all() and int(np.asarray(first)[1]) in (-1, steps - 1))

    def _layer(self, number: int) -> Layer | None:
        """Return the weights of an operator that can be unrolled, None for any other."""
        operator = self.operators[number]
        if self.code(number) != LSTM or not self._plain(operator) or not self._begins_at_zero(number):
            return None
        inputs = operator.inputs
        parts = [self.weights(index) if index >= 0 else None for index in (*inputs[1:9], *inputs[12:16])]
        known = [part for part in parts if part is not None]
        if len(known) != len(parts):
            return None
        kernel, recurrent, bias = (np.stack([known[start + gate] for gate in GATES]) for start in (0, 4, 8))
        return Layer(kernel, recurrent, bias, self.tensors[inputs[1]].type == INT8)

    def _begins_at_zero(self, number: int) -> bool:
        """Tell whether nothing reads an LSTM's states but itself, and nothing writes them but zeros at the start of a call."""
        for state in self.operators[number].inputs[18:20]:
            if self.readers[state] != [number]:
                return False
            for writer in self.state_writers.get(state, []):
                values = self.constant(self.operators[writer].inputs[0])
                if self.code(writer) != CAST or values is None or values.any():
                    return False
        return True

    def _plain(self, operator: Operator) -> bool:
        """Tell whether an operator is a Keras LSTM on floats, one window at a time."""
        inputs, (output,), options = operator.inputs, operator.outputs[:1], operator.options
        shape = self.shape(inputs[0])
        return (
            options is not None
            and options.scalar(0, "b") == TANH_ACTIVATION
            and options.scalar(1, "f") == options.scalar(2, "f") == 0  # no clip of cell or projection
            and not options.scalar(3, "?")  # batch first
            and all(index < 0 for index in (*inputs[9:12], *inputs[16:18], *inputs[20:]))
            and all(self.tensors[index].type == FLOAT32 for index in (inputs[0], output))
            and len(shape) == 3
            and shape[0] == 1
            and 1 <= shape[1] <= MOST_STEPS
        )
