"""Fused LSTMs as plain matrix products, for processors where the fused kernel is slow.

TFLite's fused LSTM multiplies with 4-wide SSE on x86-64, at about 14 products a nanosecond. XNNPACK's dynamically
quantized FULLY_CONNECTED, which has AVX2 and AVX-512 forms, does ten times that, but takes no LSTM. So each chain of
LSTMs becomes the ops of its single steps when a model is loaded; the file keeps its small fused form.

A chain of n layers is one cell here, whose state is the layers' states side by side. Layer k works on step t - k while
layer 0 works on step t (a wavefront), so one product a step serves them all: a window of T steps takes T + n - 1.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .flatbuffer_writer import Field, Part, Target, extend, octets, table, tables, vector
from .lstm_stacks import FLOAT32, INT8, INT32, Chain, Floats, Layer, LstmGraph

# numbers of operators, and of option tables, in schema.fbs
ADD, CONCATENATION, FULLY_CONNECTED, LOGISTIC, MUL, RESHAPE, TANH, SLICE = 0, 2, 9, 14, 18, 22, 28, 65
VERSIONS = {FULLY_CONNECTED: 12}  # 8-bit weights with a scale each row, float activations
DENSE_OPTIONS, JOIN_OPTIONS = 8, 10
ASLEEP = -1000.0  # closes the gates of layers that the wave has not reached


def unroll(content: bytes) -> bytes | None:
    """A model with its fused float or dynamic-range LSTMs unrolled.

    Args:
        content: A TFLite flatbuffer.

    Returns:
        A larger flatbuffer for the same function, None where there is nothing to unroll.
    """
    model = LstmGraph(content)
    chains = model.chains()
    if not chains:
        return None
    writer = _Writer(model)
    first = {chain.operators[0]: chain for chain in chains}
    replaced = {number for chain in chains for number in (*chain.operators, *chain.openings)}
    for number, operator in enumerate(model.operators):
        if number in first:
            writer.chain(first[number])
        elif number not in replaced:
            writer.ops.append(operator.at)
    return writer.finish()


class _Writer:
    """New tensors, operators, codes and buffers beside the model's own."""

    def __init__(self, model: LstmGraph) -> None:
        self.model = model
        self.ops: list[Target] = []
        unused = table({0: vector("i", (1,))})  # where a fused LSTM's state was: LiteRT refuses state that no op has
        self.tensors: list[Target] = [unused if tensor.variable else tensor.at for tensor in model.tensors]
        self.buffers: list[Target] = [buffer.at for buffer in model.model.buffers]
        self.codes: list[Target] = [code.at for code in model.model.codes]
        self.known: dict[int, int] = {}
        self.shapes: dict[tuple[int, ...], Part] = {}
        self.integers: dict[tuple[int, ...], int] = {}
        self.shape_of: dict[int, tuple[int, ...]] = {}
        self.dense = table({3: ("?", True)})  # activations are quantized with a zero point

    def finish(self) -> bytes:
        main = self.model.main
        inputs, outputs = (vector("i", indices) for indices in (main.inputs, main.outputs))
        subgraph = table({0: tables(self.tensors), 1: inputs, 2: outputs, 3: tables(self.ops)})
        root: dict[int, Field] = {0: ("I", 3), 1: tables(self.codes), 2: tables([subgraph]), 4: tables(self.buffers)}
        return extend(self.model.content, table(root))

    def chain(self, chain: Chain) -> None:
        """Write the steps of a chain."""
        layers, width = chain.layers, sum(layer.bias.shape[1] for layer in chain.layers)
        kernel, recurrent, bias = _joined(layers)
        weigh = self._quantized if layers[0].integer else self._constant
        projected = self._dense(chain.source, weigh(kernel), self._constant(bias), (chain.steps, 4 * width))
        matrix = weigh(recurrent)
        hidden = cell = -1
        outputs = []
        for step in range(chain.steps + len(layers) - 1):
            # results of the first layer behind the window's end reach no output
            row = min(step, chain.steps - 1)
            gates = self._slice(projected, (row, 0), (1, 4 * width))
            if hidden >= 0:
                gates = self._binary(ADD, gates, self._dense(hidden, matrix, -1, (1, 4 * width)))
            if step < len(layers) - 1:
                gates = self._binary(ADD, gates, self._constant(_asleep(layers, step)))
            hidden, cell = self._cell(gates, cell, width)
            if step >= len(layers) - 1:
                outputs.append(hidden)
        self._close(chain, outputs, width)

    def _cell(self, gates: int, cell: int, width: int) -> tuple[int, int]:
        """Write one step: hidden and cell state from the gates before activation."""
        shape = (1, width)
        candidate = self._unary(TANH, self._slice(gates, (0, 3 * width), shape))
        # one LOGISTIC over all four: cheaper than three over a quarter each
        opened = self._unary(LOGISTIC, gates)
        enter, forget, leave = (self._slice(opened, (0, gate * width), shape) for gate in range(3))
        added = self._binary(MUL, enter, candidate)
        cell = added if cell < 0 else self._binary(ADD, self._binary(MUL, forget, cell), added)
        return self._binary(MUL, leave, self._unary(TANH, cell)), cell

    def _close(self, chain: Chain, outputs: list[int], width: int) -> None:
        """Write the last layer's hidden states to the tensor that the chain's readers know."""
        units = chain.layers[-1].bias.shape[1]
        begin = (0, width - units)
        if not chain.sequence:
            self._slice(outputs[-1], begin, (1, units), chain.target)
            return
        rows = [self._slice(output, begin, (1, units)) for output in outputs]
        joined = self._op(CONCATENATION, rows, (chain.steps, units), (JOIN_OPTIONS, table({})))
        self._op(RESHAPE, [joined, self._integers(self.model.shape(chain.target))], (), target=chain.target)

    def _op(
        self,
        code: int,
        inputs: list[int],
        shape: tuple[int, ...],
        options: tuple[int, Part] | None = None,
        target: int = -1,
    ) -> int:
        output = target if target >= 0 else self._tensor(shape)
        fields: dict[int, Field] = {0: ("I", self._code(code)), 1: vector("i", inputs), 2: vector("i", [output])}
        if options is not None:
            fields |= {3: ("B", options[0]), 4: options[1]}
        self.ops.append(table(fields))
        return output

    def _dense(self, source: int, weights: int, bias: int, shape: tuple[int, ...]) -> int:
        return self._op(FULLY_CONNECTED, [source, weights, bias], shape, (DENSE_OPTIONS, self.dense))

    def _slice(self, source: int, begin: tuple[int, int], size: tuple[int, int], target: int = -1) -> int:
        return self._op(SLICE, [source, self._integers(begin), self._integers(size)], size, target=target)

    def _unary(self, code: int, source: int) -> int:
        return self._op(code, [source], self.shape_of[source])

    def _binary(self, code: int, one: int, other: int) -> int:
        return self._op(code, [one, other], self.shape_of[one])

    def _tensor(self, shape: tuple[int, ...], kind: int = FLOAT32, buffer: int = 0, scales: Part | None = None) -> int:
        if shape not in self.shapes:
            self.shapes[shape] = vector("i", shape)
        fields: dict[int, Field] = {0: self.shapes[shape], 1: ("b", kind), 2: ("I", buffer)}
        if scales is not None:
            fields[4] = scales
        self.tensors.append(table(fields))
        self.shape_of[len(self.tensors) - 1] = shape
        return len(self.tensors) - 1

    def _constant(self, values: Floats) -> int:
        return self._tensor(values.shape, FLOAT32, self._buffer(np.ascontiguousarray(values, np.float32).tobytes()))

    def _integers(self, values: Sequence[int]) -> int:
        key = tuple(values)
        if key not in self.integers:
            self.integers[key] = self._tensor((len(key),), INT32, self._buffer(np.array(key, np.int32).tobytes()))
        return self.integers[key]

    def _quantized(self, values: Floats) -> int:
        """Add 8-bit weights with a scale for each row."""
        largest = np.abs(values).max(axis=1) / 127
        scale = np.where(largest > 0, largest, 1.0).astype(np.float32)
        steps = np.clip(np.rint(values / scale[:, None]), -127, 127).astype(np.int8)
        record = table({2: vector("f", scale.tolist()), 3: vector("q", [0] * len(scale)), 6: ("i", 0)})
        return self._tensor(values.shape, INT8, self._buffer(steps.tobytes()), record)

    def _buffer(self, content: bytes) -> int:
        self.buffers.append(table({0: octets(content)}))
        return len(self.buffers) - 1

    def _code(self, code: int) -> int:
        if code not in self.known:
            self.codes.append(table({0: ("b", code), 2: ("i", VERSIONS.get(code, 1)), 3: ("i", code)}))
            self.known[code] = len(self.codes) - 1
        return self.known[code]


def _joined(layers: Sequence[Layer]) -> tuple[Floats, Floats, Floats]:
    """Join the weights of a chain into one cell: (4H, F) from the input, (4H, H) from all states, and biases (4H,)."""
    edges = np.cumsum([0, *(layer.bias.shape[1] for layer in layers)])
    width = int(edges[-1])
    kernel = np.zeros((4, width, layers[0].kernel.shape[2]), np.float32)
    recurrent = np.zeros((4, width, width), np.float32)
    kernel[:, : edges[1]] = layers[0].kernel
    for number, layer in enumerate(layers):
        own = slice(edges[number], edges[number + 1])
        recurrent[:, own, own] = layer.recurrent
        if number:
            recurrent[:, own, edges[number - 1] : edges[number]] = layer.kernel
    bias = np.concatenate([layer.bias for layer in layers], axis=1)
    return kernel.reshape(4 * width, -1), recurrent.reshape(4 * width, width), bias.reshape(-1)


def _asleep(layers: Sequence[Layer], step: int) -> Floats:
    """Return what is added to the gates of layers that the wave has not reached: it closes input and output gates."""
    units = [layer.bias.shape[1] for layer in layers]
    gates = np.zeros((4, sum(units)), np.float32)
    gates[[0, 2], sum(units[: step + 1]) :] = ASLEEP
    return gates.reshape(1, -1)
