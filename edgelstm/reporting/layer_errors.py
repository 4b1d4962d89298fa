"""Error by layer of a quantized model: each of its tensors against the same tensor in float."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from edgelstm.converters.flatbuffer import Graph
from edgelstm.converters.private_api import preserving_interpreter
from edgelstm.converters.validation.limits import relative_rms
from edgelstm.runtime.inference.interpreter import Tensor

from .plot_schema import Histogram, TensorError

Array = npt.NDArray[Any]
BINS = 60
MOST = 32  # tensors kept, the worst ones: an unrolled model has thousands
WINDOWS = 64  # that they are compared on
# Ops between others that compute nothing of their own: a quantizer's, the zero state of an LSTM, and the choice of a row.
GLUE = {"QUANTIZE", "DEQUANTIZE", "RESHAPE", "CAST", "STRIDED_SLICE"}
TITLES = {
    "UNIDIRECTIONAL_SEQUENCE_LSTM": "LSTM",
    "FULLY_CONNECTED": "Dense",
    "CONV_2D": "Conv",
    "DEPTHWISE_CONV_2D": "Depthwise conv",
    "BATCH_MATMUL": "Matmul",
}
LSTM_WEIGHTS = {"kernel": range(1, 5), "recurrent kernel": range(5, 9), "bias": range(12, 16)}
DENSE_WEIGHTS = {"kernel": range(1, 2), "bias": range(2, 3)}
KERNEL_OF = {2: 1, 12: 1, 13: 2, 14: 3, 15: 4}  # place of the weights by that of their bias
WEIGHTS = {"LSTM": LSTM_WEIGHTS, "Dense": DENSE_WEIGHTS, "Conv": DENSE_WEIGHTS, "Depthwise conv": DENSE_WEIGHTS}


@dataclass(frozen=True)
class Comparison:
    """A converted model against the float one, tensor by tensor."""

    layers: tuple[TensorError, ...] = ()
    """Outputs of the ops that compute, in graph order; empty when the two graphs hold different ops, as unrelated
    lowerings do: a comparison by guess would be worse than none."""
    weights: tuple[TensorError, ...] = ()
    """Weight tensors, in graph order."""
    histograms: tuple[Histogram, ...] = field(default=())
    """Float values of inputs and outputs against the range of the integers, for integer tensors."""


def compare(float_model: bytes, converted: bytes, inputs: tuple[Array, ...], stateful: bool = False) -> Comparison:
    """Compare two conversions of one model.

    Args:
        float_model: Flatbuffer of the float32 scheme.
        converted: Flatbuffer of another scheme of the same model.
        inputs: Windows, (N, ...) for each model input; the first 64 are run.
        stateful: Whether the inputs are rows of one sequence, over which the models keep their state.
    """
    exact, ours = _Probe(float_model), _Probe(converted)
    if exact.names != ours.names:
        return Comparison()
    windows = tuple(part[:WINDOWS] for part in inputs)
    values, copies = exact.run(windows, stateful), ours.run(windows, stateful)
    tensors = [
        (name, value, copy.reshape(value.shape), tensor)
        for name, value, copy, tensor in zip(exact.names, values, copies, ours.outputs, strict=True)
        if np.issubdtype(value.dtype, np.floating)
    ]
    layers = _worst([TensorError(name, relative_rms(copy, value)) for name, value, copy, _ in tensors])
    kept = {layer.name for layer in layers}
    names = ["input"] if len(windows) == 1 else [f"input {number + 1}" for number in range(len(windows))]
    inputs_of = [
        (name, np.asarray(part, np.float32), tensor)
        for name, part, tensor in zip(names, windows, ours.inputs, strict=True)
    ]
    pairs = [*inputs_of, *((name, value, tensor) for name, value, _, tensor in tensors if name in kept)]
    histograms = tuple(_histogram(name, value, tensor) for name, value, tensor in pairs if tensor.scale)
    return Comparison(layers, _worst(_weights(exact, ours)), histograms)


def _worst(errors: list[TensorError]) -> tuple[TensorError, ...]:
    """The largest errors, in their order."""
    limit = sorted((error.error for error in errors), reverse=True)[:MOST]
    return tuple(error for error in errors if error.error >= limit[-1])[:MOST] if errors else ()


def _histogram(name: str, value: Array, tensor: Tensor) -> Histogram:
    counts, edges = np.histogram(value, bins=BINS)
    limits = np.iinfo(tensor.dtype)
    low, high = ((limit - tensor.zero_point) * tensor.scale for limit in (limits.min, limits.max))
    half = tensor.scale / 2
    clipped = float(np.mean((value < low - half) | (value > high + half)))
    return Histogram(name, low, high, clipped, tuple(edges.tolist()), tuple(counts.tolist()))


def _weights(exact: _Probe, ours: _Probe) -> list[TensorError]:
    errors = []
    for first, second in zip(exact.layers, ours.layers, strict=True):
        for part, places in WEIGHTS.get(first.name.rsplit(" ", 1)[0], {}).items():
            pair = exact.weights(first, places), ours.weights(second, places)
            if pair[0] is not None and pair[1] is not None and pair[0].size == pair[1].size:
                errors.append(
                    TensorError(f"{first.name} {part}", relative_rms(pair[1].reshape(pair[0].shape), pair[0]))
                )
    return errors


@dataclass(frozen=True)
class _Layer:
    """One op that computes, or the sum of two dense ops on one input: 16-bit weights are held as two 8-bit parts."""

    name: str
    operators: tuple[Any, ...]
    output: int
    """Index of the output tensor."""


class _Probe:
    """An interpreter that keeps every tensor, and the first output of every op that computes."""

    def __init__(self, content: bytes) -> None:
        self.interpreter = preserving_interpreter(content)
        self.graph = Graph.parse(content)
        self.layers = self._layers()
        self.names = [layer.name for layer in self.layers]
        self.inputs = [Tensor.of(detail) for detail in self.interpreter.get_input_details()]
        details = {detail["index"]: detail for detail in self.interpreter.get_tensor_details()}
        self.outputs = [Tensor.of(details[layer.output]) for layer in self.layers]
        self.widened: Mapping[int, int] = {
            int(operator.outputs[0]): int(operator.inputs[0])
            for operator in self.graph.operators
            if self.graph.name_of(operator) == "DEQUANTIZE"
        }

    def _layers(self) -> list[_Layer]:
        operators = [operator for operator in self.graph.operators if not self._is_glue(operator)]
        dense = {int(op.outputs[0]): op for op in operators if self._kind(op) == "FULLY_CONNECTED"}
        parts = {}  # output of a sum: the two dense ops on one input that it adds
        for operator in operators:
            pair = [dense[int(tensor)] for tensor in operator.inputs if int(tensor) in dense]
            if (
                self.graph.name_of(operator) == "ADD"
                and len(pair) == len(operator.inputs)
                and len({int(op.inputs[0]) for op in pair}) == 1
            ):
                parts[int(operator.outputs[0])] = tuple(pair)
        inside = {id(op) for pair in parts.values() for op in pair}
        kept = [operator for operator in operators if id(operator) not in inside]
        kinds = ["FULLY_CONNECTED" if int(op.outputs[0]) in parts else self._kind(op) for op in kept]
        outputs = [int(operator.outputs[0]) for operator in kept]
        return [
            _Layer(name, parts.get(output, (operator,)), output)
            for name, operator, output in zip(_numbered(kinds), kept, outputs, strict=True)
        ]

    def _is_glue(self, operator: Any) -> bool:
        """Tell whether it computes nothing; a GATHER of computed rows chooses one, that of constants is an embedding."""
        name = self.graph.name_of(operator)
        chooses = name == "GATHER" and self.graph.constant(int(operator.inputs[0])) is None
        return name in GLUE or chooses

    def _kind(self, operator: Any) -> str:
        """Its name; a convolution over single rows is how a dense layer is written in integers."""
        name = self.graph.name_of(operator)
        if name == "CONV_2D" and tuple(self.graph.tensors[int(operator.inputs[1])].shape[1:3]) == (1, 1):
            return "FULLY_CONNECTED"
        return name

    def run(self, inputs: tuple[Array, ...], stateful: bool) -> list[Array]:
        """The real values of each op's output over all windows, one array an op."""
        rows: list[list[Array]] = [[] for _ in self.outputs]
        self.interpreter.reset_all_variables()
        for window in zip(*inputs, strict=True):
            if not stateful:
                self.interpreter.reset_all_variables()
            for tensor, values in zip(self.inputs, window, strict=True):
                self.interpreter.set_tensor(tensor.index, tensor.quantize(values).reshape(tensor.shape))
            self.interpreter.invoke()
            for kept, tensor in zip(rows, self.outputs, strict=True):
                kept.append(tensor.dequantize(self.interpreter.get_tensor(tensor.index)))
        return [np.stack(kept) for kept in rows]

    def weights(self, layer: _Layer, places: range) -> Array | None:
        """Real values of a layer's constant inputs, in one row; None when one is not there.

        Args:
            layer: One op, or two whose weights add up.
            places: Numbers of the inputs.
        """
        parts = [values for op in layer.operators if (values := self._constants(op, places)) is not None]
        return np.sum(parts, axis=0) if parts else None

    def _constants(self, operator: Any, places: range) -> Array | None:
        parts = []
        for place in places:
            index = int(operator.inputs[place]) if place < len(operator.inputs) else -1
            values = self._real(self.widened.get(index, index)) if index >= 0 else None
            if values is None:
                return None
            if values.dtype.kind == "i":  # a bias, whose step is that of input times weight
                values = values * self._step(operator, 0) * self._step(operator, KERNEL_OF[place])
            parts.append(values.ravel())
        return np.concatenate(parts)

    def _step(self, operator: Any, place: int) -> Array:
        """Scales of an operator's input."""
        scales: Array = np.asarray(self.graph.tensors[int(operator.inputs[place])].quantization.scale, np.float64)
        return scales

    def _real(self, index: int) -> Array | None:
        values = self.graph.constant(index)
        quantization = self.graph.tensors[index].quantization
        if values is None or quantization is None or quantization.scale is None or not len(quantization.scale):
            return values
        shape = [1] * values.ndim
        if len(quantization.scale) > 1:
            shape[quantization.quantizedDimension] = -1
        scale, zero = (np.asarray(part, np.float64) for part in (quantization.scale, quantization.zeroPoint))
        real: Array = (values.astype(np.float64) - zero.reshape(shape)) * scale.reshape(shape)
        return real


def _numbered(ops: list[str]) -> list[str]:
    seen: Counter[str] = Counter()
    names = []
    for op in ops:
        title = TITLES.get(op, op.replace("_", " ").capitalize())
        seen[title] += 1
        names.append(f"{title} {seen[title]}")
    return names
