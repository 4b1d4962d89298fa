"""Int8 quantization of a float flatbuffer, op by op.

Our own, because TensorFlow's goes silently wrong on recurrent models (cell scales below 2^-15, outputs that part from
their hidden state, windows of ops it rescales): here an op is either quantized by a rule below or stays float between
DEQUANTIZE and QUANTIZE, so nothing is quantized by accident.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .flatbuffer import FLOAT32, INT8, INT16, INT32, Graph, Quantization
from .observe import Observations

LSTM = "UNIDIRECTIONAL_SEQUENCE_LSTM"
# Ops that only move values: the output keeps the input's scale.
MOVES = {
    "RESHAPE", "SQUEEZE", "EXPAND_DIMS", "STRIDED_SLICE", "SLICE", "TRANSPOSE", "TILE", "BROADCAST_TO", "REVERSE_V2",
    "MAX_POOL_2D", "UNPACK", "SPLIT", "SPLIT_V", "GATHER", "RELU", "PAD", "REDUCE_MAX",
}  # fmt: skip
# Ops whose quantized output has a scale fixed by TFLite's kernels.
FIXED = {
    "LOGISTIC": Quantization((1 / 256,), -128),
    "SOFTMAX": Quantization((1 / 256,), -128),
    "TANH": Quantization((1 / 128,), 0),
}
JOINS = {"CONCATENATION", "PACK"}
PLAIN = {"ADD", "SUB", "MUL", "MEAN", "AVERAGE_POOL_2D", "LEAKY_RELU", "HARD_SWISH", "RELU6"}
# Ops that decide by a value: rounding it first would change the decision (a token's number, a masked row).
DECISIONS = {"CAST", "EQUAL", "NOT_EQUAL", "LESS", "LESS_EQUAL", "GREATER", "GREATER_EQUAL", "FLOOR", "ROUND", "CEIL"}
GATES = 4
BIAS_LIMIT = 1 << 30  # an int32 accumulator keeps half its range for the products
CELL_EXPONENTS = (-15, -9)  # of two: what the integer kernel's tanh has a case for


@dataclass(frozen=True)
class Plan:
    """How far a model is quantized."""

    depth: str = "full"
    """full: every op with a rule; weights: ops with weights alone; hybrid: weights int8, all activations float."""
    method: str = "minmax"
    """How activation ranges are chosen: minmax, headroom, percentile or mse."""
    io: str = "int8"
    """Type of the model's inputs and outputs: int8 or float32."""
    narrow: bool = True
    """Whether ops that stay float get int8 weights."""
    lifted: tuple[int, ...] = ()
    """Numbers of operators that keep more than the depth says: int8 weights with float activations instead of full, float
    weights instead of hybrid."""


def quantize(content: bytes, observations: Observations, plan: Plan) -> bytes:
    """Quantize a float model by a plan.

    Args:
        content: Float flatbuffer with one subgraph.
        observations: From `observe` on the same flatbuffer.
        plan: What to quantize, and the ranges.

    Returns:
        The quantized flatbuffer.
    """
    return _Quantizer(Graph.parse(content), observations, plan).run()


def asymmetric(low: float, high: float) -> Quantization:
    """Int8 parameters for a range that holds 0."""
    scale = max((high - low) / 255, 1e-12)
    return Quantization((scale,), int(np.clip(round(-128 - low / scale), -128, 127)))


def symmetric(weights: npt.NDArray[Any], axis: int | None = None, least: Any = 0.0) -> Quantization:
    """Int8 parameters for weights, zero point 0.

    Args:
        weights: Float weights.
        axis: Axis to give each channel its own scale along, None for one scale.
        least: Smallest scale allowed, a number or one a channel.
    """
    others = None if axis is None else tuple(other for other in range(weights.ndim) if other != axis)
    largest = np.abs(weights).max(axis=others) / 127
    scales = np.atleast_1d(np.maximum(np.where(largest > 0, largest, 1.0), least))
    return Quantization(tuple(map(float, scales)), 0, axis or 0)


def to_int8(values: npt.NDArray[Any], quantization: Quantization) -> npt.NDArray[np.int8]:
    """Real values as int8, clipped, never wrapped."""
    scale = np.asarray(quantization.scale, np.float64)
    if len(scale) > 1:
        shape = [1] * values.ndim
        shape[quantization.axis] = len(scale)
        scale = scale.reshape(shape)
    steps = np.rint(values.astype(np.float64) / scale) + quantization.zero_point
    clipped: npt.NDArray[np.int8] = np.clip(steps, -128, 127).astype(np.int8)
    return clipped


class _Quantizer:
    """Rewrites the operators in order; each float tensor gets an int8 twin when somebody asks for it."""

    def __init__(self, graph: Graph, observations: Observations, plan: Plan) -> None:
        self.graph, self.seen, self.plan = graph, observations, plan
        self.twins: dict[int, tuple[int, Quantization]] = {}
        self.floats: set[int] = {int(index) for index in graph.sub.inputs}
        self.done: list[Any] = []
        uses = Counter(int(op.inputs[1]) for op in graph.operators if graph.name_of(op) == "FULLY_CONNECTED")
        # weights that serve many ops belong to an unrolled loop: integers there would add up their errors
        self.looped = {index for index, count in uses.items() if count > 1}

    def run(self) -> bytes:
        self._open_inputs()
        for number, operator in enumerate(list(self.graph.operators)):
            self._place(operator, number in self.plan.lifted)
        self._close_outputs()
        self.graph.sub.operators = self.done
        return self.graph.serialize()

    def _place(self, operator: Any, lifted: bool) -> None:
        name = self.graph.name_of(operator)
        rule = None if lifted else self._rule(name, operator)
        if rule is None or not rule(operator):
            self._keep_float(name, operator, hybrid=not (lifted and self.plan.depth == "hybrid"))

    def _rule(self, name: str, operator: Any) -> Callable[[Any], bool] | None:
        if self.plan.depth == "hybrid":
            return self._embedding if name == "GATHER" else None
        if name == LSTM:
            return self._lstm
        if name == "FULLY_CONNECTED" and int(operator.inputs[1]) not in self.looped:
            return self._dense
        if name in ("CONV_2D", "DEPTHWISE_CONV_2D"):
            return self._convolution
        if name == "GATHER" and self.graph.constant(int(operator.inputs[0])) is not None:
            return self._embedding
        if name in MOVES:
            return self._move
        if self.plan.depth == "full":
            if name in FIXED:
                return self._fixed
            if name in JOINS:
                return self._join
            if name in PLAIN:
                return self._plain
        return None

    # -- tensors -------------------------------------------------------------------------------------------------

    def _parameters(self, index: int) -> Quantization:
        return asymmetric(*self.seen.range(index, self.plan.method))

    def _new_twin(self, index: int, quantization: Quantization) -> int:
        """An int8 tensor that stands for a float activation, to be filled by the caller's operator."""
        twin = self.graph.add_tensor(self.graph.tensors[index].shape, INT8, None, quantization)
        self.twins[index] = (twin, quantization)
        return twin

    def _int8(self, index: int, wanted: Quantization | None = None) -> tuple[int, Quantization]:
        """The int8 twin of a float tensor, made when it is not there; requantized when another scale is wanted."""
        if index not in self.twins:
            constant = self.graph.constant(index)
            if constant is not None:
                quantization = wanted or asymmetric(min(0.0, float(constant.min())), max(0.0, float(constant.max())))
                if max(quantization.scale) <= 1e-12:
                    quantization = Quantization((1.0,), 0)
                twin = self.graph.add_tensor(constant.shape, INT8, to_int8(constant, quantization), quantization)
                return twin, quantization
            quantization = self._parameters(index)
            self.done.append(self.graph.operator("QUANTIZE", [index], [self._new_twin(index, quantization)]))
        twin, quantization = self.twins[index]
        if wanted is not None and wanted != quantization:
            again = self.graph.add_tensor(self.graph.tensors[index].shape, INT8, None, wanted)
            self.done.append(self.graph.operator("QUANTIZE", [twin], [again], 2))
            return again, wanted
        return twin, quantization

    def _float(self, index: int) -> None:
        """Make sure that a float tensor is computed."""
        if index in self.twins and index not in self.floats:
            self.done.append(self.graph.operator("DEQUANTIZE", [self.twins[index][0]], [index], 2))
            self.floats.add(index)

    def _is_activation(self, index: int) -> bool:
        return (
            index >= 0 and self.graph.tensors[index].type == FLOAT32 and self.graph.constant(index) is None
        ) and not self.graph.tensors[index].isVariable

    def _quantized_inputs(self, operator: Any) -> bool:
        """Whether an op's activations are at hand in int8: ops without weights follow their inputs."""
        activations = [int(index) for index in operator.inputs if self._is_activation(int(index))]
        return bool(activations) and all(index in self.twins for index in activations)

    # -- ends of the model -----------------------------------------------------------------------------------------

    def _open_inputs(self) -> None:
        if self.plan.io != "int8":
            return
        inputs = []
        for index in map(int, self.graph.sub.inputs):
            if self.graph.tensors[index].type == FLOAT32 and not self._decides(index):
                # data is never clipped harder than its own extremes
                twin = self._new_twin(index, asymmetric(*self.seen.range(index, "minmax")))
                self.floats.discard(index)
                inputs.append(twin)
            else:
                inputs.append(index)
        self.graph.sub.inputs = np.asarray(inputs, np.int32)

    def _decides(self, index: int) -> bool:
        """Whether an op decides by a tensor's values, as they are or moved about."""
        readers = [operator for operator in self.graph.operators if index in map(int, operator.inputs)]
        names = [self.graph.name_of(operator) for operator in readers]
        moved = [
            int(out) for reader, name in zip(readers, names, strict=True) if name in MOVES for out in reader.outputs
        ]
        return any(name in DECISIONS for name in names) or any(map(self._decides, moved))

    def _close_outputs(self) -> None:
        outputs = []
        for index in map(int, self.graph.sub.outputs):
            if self.graph.tensors[index].type == FLOAT32 and self.plan.io == "int8":
                outputs.append(self._int8(index)[0])
            else:
                self._float(index)
                outputs.append(index)
        self.graph.sub.outputs = np.asarray(outputs, np.int32)

    # -- rules ---------------------------------------------------------------------------------------------------

    def _keep_float(self, name: str, operator: Any, hybrid: bool) -> None:
        for index in map(int, operator.inputs):
            if index >= 0:
                self._float(index)
        if hybrid and self.plan.narrow and name in (LSTM, "FULLY_CONNECTED"):
            hybrid_weights(self.graph, operator)
        self.floats.update(map(int, operator.outputs))
        self.done.append(operator)

    def _lstm(self, operator: Any) -> bool:
        source, output = int(operator.inputs[0]), int(operator.outputs[0])
        twin, given = self._int8(source)
        hidden = self._parameters(output)
        inputs = np.array(operator.inputs, np.int32)
        inputs[0] = twin
        for gate in range(GATES):
            bias = self._constant(inputs[12 + gate])
            least = np.abs(bias).max(initial=0.0) / (given.scale[0] * BIAS_LIMIT)
            inputs[1 + gate], kernel = self._weights(inputs[1 + gate], least=least)
            inputs[5 + gate], _ = self._weights(inputs[5 + gate])
            inputs[12 + gate] = self._bias(bias, given.scale[0], kernel)
        exponent = int(np.clip(np.ceil(np.log2(max(self.seen.cells[output], 1e-9) / 32767)), *CELL_EXPONENTS))
        inputs[18] = self._state(inputs[18], INT8, hidden)
        inputs[19] = self._state(inputs[19], INT16, Quantization((2.0**exponent,)))
        operator.inputs = inputs
        # the kernel reads the fifth for the hidden state's scale; the first four serve layer normalization
        blank = [self.graph.add_tensor([0], FLOAT32) for _ in range(GATES)]
        operator.intermediates = np.asarray([*blank, self.graph.add_tensor([0], INT8, None, hidden)], np.int32)
        operator.outputs = np.asarray([self._new_twin(output, hidden)], np.int32)
        self.done.append(operator)
        return True

    def _dense(self, operator: Any) -> bool:
        # one scale: kernels differ in how they round a scale a channel, and the portable one of 2.14 is wrong for it
        return self._weighted(operator, channel_axis=None)

    def _convolution(self, operator: Any) -> bool:
        return self._weighted(operator, channel_axis=3 if "DEPTHWISE" in self.graph.name_of(operator) else 0)

    def _weighted(self, operator: Any, channel_axis: int | None) -> bool:
        source, output = int(operator.inputs[0]), int(operator.outputs[0])
        weights = self.graph.constant(int(operator.inputs[1]))
        if weights is None:
            return False
        twin, given = self._int8(source)
        channels = weights.shape[channel_axis or 0]
        bias_index = int(operator.inputs[2]) if len(operator.inputs) > 2 else -1
        # a bias always: tflite-runtime 2.14 on Arm reads one in its per-channel kernel
        bias = self._constant(bias_index).ravel() if bias_index >= 0 else np.zeros(channels, np.float32)
        limit = np.abs(bias) / (given.scale[0] * BIAS_LIMIT)
        least = limit.max(initial=0.0) if channel_axis is None else limit
        kernel_index, kernel = self._weights(operator.inputs[1], channel_axis, least)
        operator.inputs = np.asarray([twin, kernel_index, self._bias(bias, given.scale[0], kernel)], np.int32)
        operator.outputs = np.asarray([self._new_twin(output, self._parameters(output))], np.int32)
        self.done.append(operator)
        return True

    def _embedding(self, operator: Any) -> bool:
        table = self.graph.constant(int(operator.inputs[0]))
        if table is None or table.dtype != np.float32:
            return False
        index, quantization = self._weights(operator.inputs[0])
        operator.inputs = np.asarray([index, *operator.inputs[1:]], np.int32)
        operator.outputs = np.asarray([self._new_twin(int(operator.outputs[0]), quantization)], np.int32)
        self.done.append(operator)
        return True

    def _move(self, operator: Any) -> bool:
        sources = [int(index) for index in operator.inputs if self._is_activation(int(index))]
        if len(sources) != 1 or not self._quantized_inputs(operator):
            return False
        twin, quantization = self._int8(sources[0])
        operator.inputs = np.asarray([twin if index == sources[0] else index for index in operator.inputs], np.int32)
        outputs = [self._new_twin(int(index), quantization) for index in operator.outputs]
        operator.outputs = np.asarray(outputs, np.int32)
        self.done.append(operator)
        return True

    def _join(self, operator: Any) -> bool:
        if not self._quantized_inputs(operator):
            return False
        output = int(operator.outputs[0])
        quantization = self._parameters(output)
        operator.inputs = np.asarray([self._int8(int(index), quantization)[0] for index in operator.inputs], np.int32)
        operator.outputs = np.asarray([self._new_twin(output, quantization)], np.int32)
        self.done.append(operator)
        return True

    def _fixed(self, operator: Any) -> bool:
        return self._plain(operator, FIXED[self.graph.name_of(operator)])

    def _plain(self, operator: Any, quantization: Quantization | None = None) -> bool:
        if not self._quantized_inputs(operator):
            return False
        output = int(operator.outputs[0])
        operator.inputs = np.asarray(
            [self._int8(int(i))[0] if self.graph.tensors[int(i)].type == FLOAT32 else i for i in operator.inputs],
            np.int32,
        )
        operator.outputs = np.asarray([self._new_twin(output, quantization or self._parameters(output))], np.int32)
        self.done.append(operator)
        return True

    # -- constants ---------------------------------------------------------------------------------------------------

    def _constant(self, index: Any) -> npt.NDArray[Any]:
        values = self.graph.constant(int(index))
        assert values is not None, "weights and biases of a lowered model are constants"
        return values

    def _weights(self, index: Any, axis: int | None = None, least: Any = 0.0) -> tuple[int, Quantization]:
        values = self._constant(index)
        quantization = symmetric(values, axis, least)
        return self.graph.add_tensor(values.shape, INT8, to_int8(values, quantization), quantization), quantization

    def _bias(self, bias: npt.NDArray[Any], scale: float, kernel: Quantization) -> int:
        product = Quantization(tuple(scale * step for step in kernel.scale))
        steps = np.rint(bias.astype(np.float64) / np.asarray(product.scale)).astype(np.int32)
        return self.graph.add_tensor(bias.shape, INT32, steps, product)

    def _state(self, index: Any, kind: int, quantization: Quantization) -> int:
        state = self.graph.add_tensor(self.graph.tensors[int(index)].shape, kind, None, quantization)
        self.graph.tensors[state].isVariable = True
        return state


def hybrid_weights(graph: Graph, operator: Any) -> None:
    """Give a float op int8 weights: the interpreter quantizes its activations on the fly."""
    places = range(1, 9) if graph.name_of(operator) == LSTM else range(1, 2)
    inputs = np.array(operator.inputs, np.int32)
    for place in places:
        values = graph.constant(int(inputs[place]))
        if values is not None and values.dtype == np.float32:
            quantization = symmetric(values)
            inputs[place] = graph.add_tensor(values.shape, INT8, to_int8(values, quantization), quantization)
    operator.inputs = inputs
