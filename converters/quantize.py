"""Integer quantization of a float flatbuffer, op by op.

Our own, because TensorFlow's goes silently wrong on recurrent models (cell scales below 2^-15, outputs that part from
their hidden state, windows of ops it rescales): here an op is either quantized by a rule below or stays float between
DEQUANTIZE and QUANTIZE, so nothing is quantized by accident.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

from .flatbuffer import FLOAT32, INT8, INT16, INT32, INT64, Graph, Quantization
from .integers import asymmetric, halves, hybrid_weights, symmetric, to_integers, wide
from .observe import Observations
from .straight import REACH, straight_path

LSTM = "UNIDIRECTIONAL_SEQUENCE_LSTM"
# Ops that only move values: the output keeps the input's scale.
MOVES = {
    "RESHAPE", "SQUEEZE", "EXPAND_DIMS", "STRIDED_SLICE", "SLICE", "TRANSPOSE", "TILE", "BROADCAST_TO", "REVERSE_V2",
    "MAX_POOL_2D", "AVERAGE_POOL_2D", "UNPACK", "SPLIT", "SPLIT_V", "GATHER", "RELU", "PAD", "REDUCE_MAX",
}  # fmt: skip
# Ops whose quantized output has a scale fixed by TFLite's kernels.
FIXED = {
    "LOGISTIC": Quantization((1 / 256,), -128),
    "SOFTMAX": Quantization((1 / 256,), -128),
    "TANH": Quantization((1 / 128,), 0),
}
UNIT = Quantization((1 / 32768,))  # the same in 16 bits
NARROW = {"TILE", "HARD_SWISH"}  # ops without a 16-bit kernel in one of the interpreters
JOINS = {"CONCATENATION", "PACK"}
PLAIN = {"ADD", "SUB", "MUL", "MEAN", "LEAKY_RELU", "HARD_SWISH", "RELU6"}
# Ops that decide by a value: rounding it first would change the decision (a token's number, a masked row).
DECISIONS = {
    "CAST",
    "BUCKETIZE",
    "SIGN",
    "EQUAL",
    "NOT_EQUAL",
    "LESS",
    "LESS_EQUAL",
    "GREATER",
    "GREATER_EQUAL",
    "FLOOR",
    "ROUND",
    "CEIL",
}
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
    io: str = "auto"
    """Type of the model's inputs and outputs: int8 (or that of the activations), float32, or auto, which is int16 where a
    straight path leads from one to the other (see `straight_path`) and keeps 16 bits on it, and else int8."""
    narrow: bool = True
    """Whether ops that stay float get int8 weights."""
    lifted: tuple[int, ...] = ()
    """Numbers of operators that keep more than the depth says: int8 weights with float activations instead of full, float
    weights instead of hybrid."""
    wide: bool = False
    """Whether activations have 16 bits instead of 8; such a model's loops must be written out."""


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


class _Quantizer:
    """Rewrites the operators in order; each float tensor gets an int8 twin when somebody asks for it."""

    def __init__(self, graph: Graph, observations: Observations, plan: Plan) -> None:
        self.graph, self.seen, self.plan = graph, observations, plan
        self.twins: dict[int, tuple[int, Quantization]] = {}
        self.floats: set[int] = {int(index) for index in graph.sub.inputs}
        self.done: list[Any] = []
        self.states: dict[int, int] = {}
        self.rows = _loop_rows(graph)
        self.kind = INT16 if plan.wide else INT8
        self.straight = straight_path(graph) if plan.io == "auto" and not plan.wide else frozenset()
        self.narrowed: dict[int, tuple[int, Quantization]] = {}

    def run(self) -> bytes:
        self._open_inputs()
        self._open_states()
        for number, operator in enumerate(list(self.graph.operators)):
            self._place(operator, number in self.plan.lifted)
        self._close_outputs()
        self.graph.sub.operators = self.done
        for body in self.graph.bodies() if self.plan.narrow else ():
            # a body's activations stay float: 8-bit states would add up their rounding over all steps
            for operator in body.operators:
                hybrid_weights(body, operator)
        return self.graph.serialize()

    def _place(self, operator: Any, lifted: bool) -> None:
        name = self.graph.name_of(operator)
        lifted = lifted and not any(int(index) in self.straight for index in operator.outputs)
        rule = None if lifted else self._rule(name, operator)
        if rule is None or not rule(operator):
            self._keep_float(name, operator, hybrid=not (lifted and self.plan.depth == "hybrid"))

    def _rule(self, name: str, operator: Any) -> Callable[[Any], bool] | None:
        if any(int(index) in self.straight for index in operator.outputs):
            if name == "FULLY_CONNECTED":
                return self._straight_dense
            return self._straight_add if name == "ADD" else self._move
        if self.plan.depth == "hybrid":
            return self._embedding if name == "GATHER" else None
        if name == LSTM:
            return self._lstm if is_integer(operator) else None
        if any(int(index) in self.rows for index in operator.outputs):
            return None
        if any(int(index) in self.states for index in (*operator.inputs, *operator.outputs)):
            return self._copy_state
        if name == "FULLY_CONNECTED":
            return self._dense
        if name in ("CONV_2D", "DEPTHWISE_CONV_2D"):
            return self._convolution
        if name == "GATHER" and self.graph.constant(int(operator.inputs[0])) is not None:
            return self._embedding
        if self.plan.wide and name in NARROW:
            return None
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
        if index in self.straight:
            low, high = self.seen.range(index, "minmax")
            return wide(REACH * low, REACH * high)
        return self._fit(*self.seen.range(index, self.plan.method))

    def _fit(self, low: float, high: float) -> Quantization:
        return wide(low, high) if self.plan.wide else asymmetric(low, high)

    def _new_twin(self, index: int, quantization: Quantization) -> int:
        """An integer tensor that stands for a float activation, to be filled by the caller's operator."""
        kind = INT16 if index in self.straight else self.kind
        twin = self.graph.add_tensor(self.graph.tensors[index].shape, kind, None, quantization)
        self.twins[index] = (twin, quantization)
        return twin

    def _integer(self, index: int, wanted: Quantization | None = None) -> tuple[int, Quantization]:
        """The integer twin of a float tensor, made when it is not there; requantized when another scale is wanted."""
        if index not in self.twins:
            constant = self.graph.constant(index)
            if constant is not None:
                quantization = wanted or self._fit(min(0.0, float(constant.min())), max(0.0, float(constant.max())))
                if max(quantization.scale) <= 1e-12:
                    # zeros; a large step would drown what they are added to
                    quantization = UNIT
                values = to_integers(constant, quantization, self.kind)
                twin = self.graph.add_tensor(constant.shape, self.kind, values, quantization)
                return twin, quantization
            quantization = self._parameters(index)
            self.done.append(self.graph.operator("QUANTIZE", [index], [self._new_twin(index, quantization)], 2))
        twin, quantization = self.twins[index]
        if index in self.straight:
            return self._narrow(index, twin, wanted)
        if wanted is not None and wanted != quantization:
            again = self.graph.add_tensor(self.graph.tensors[index].shape, self.kind, None, wanted)
            self.done.append(self.graph.operator("QUANTIZE", [twin], [again], 2))
            return again, wanted
        return twin, quantization

    def _narrow(self, index: int, twin: int, wanted: Quantization | None) -> tuple[int, Quantization]:
        """What the other ops see of a tensor on the straight path: 8 bits of the range that the plan chooses."""
        if wanted is None and index in self.narrowed:
            return self.narrowed[index]
        quantization = wanted or self._fit(*self.seen.range(index, self.plan.method))
        narrow = self.graph.add_tensor(self.graph.tensors[index].shape, INT8, None, quantization)
        self.done.append(self.graph.operator("QUANTIZE", [twin], [narrow], 2))
        if wanted is None:
            self.narrowed[index] = (narrow, quantization)
        return narrow, quantization

    def _float(self, index: int) -> None:
        """Make sure that a float tensor is computed."""
        if index in self.twins and index not in self.floats:
            self.done.append(self.graph.operator("DEQUANTIZE", [self.twins[index][0]], [index], 3))
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
        if self.plan.io == "float32":
            return
        inputs = []
        for index in map(int, self.graph.sub.inputs):
            if self.graph.tensors[index].type == FLOAT32 and not self._decides(index):
                # data is never clipped harder than its own extremes
                straight = index in self.straight
                twin = self._new_twin(
                    index, self._parameters(index) if straight else self._fit(*self.seen.range(index, "minmax"))
                )
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
            if index in self.straight:
                outputs.append(self.twins[index][0])
            elif self.graph.tensors[index].type == FLOAT32 and self.plan.io != "float32":
                outputs.append(self._integer(index)[0])
            else:
                self._float(index)
                outputs.append(index)
        self.graph.sub.outputs = np.asarray(outputs, np.int32)

    def _open_states(self) -> None:
        """Integer states for the LSTMs that get the integer kernel; their hidden state has their output's scale."""
        if self.plan.depth == "hybrid":
            return
        for number, operator in enumerate(self.graph.operators):
            if self.graph.name_of(operator) != LSTM or not is_integer(operator) or number in self.plan.lifted:
                continue
            output, (hidden, cell) = int(operator.outputs[0]), map(int, operator.inputs[18:20])
            exponent = int(np.clip(np.ceil(np.log2(max(self.seen.cells[output], 1e-9) / 32767)), *CELL_EXPONENTS))
            self._new_state(hidden, INT8, self._parameters(output))
            self._new_state(cell, INT16, Quantization((2.0**exponent,)))

    def _new_state(self, index: int, kind: int, quantization: Quantization) -> None:
        state = self.graph.add_tensor(self.graph.tensors[index].shape, kind, None, quantization)
        self.graph.tensors[state].isVariable = True
        self.states[index] = state

    def _scale_of(self, index: Any) -> Quantization:
        parameters = self.graph.tensors[int(index)].quantization
        return Quantization(tuple(map(float, parameters.scale)), int(parameters.zeroPoint[0]))

    # -- rules ---------------------------------------------------------------------------------------------------

    def _keep_float(self, name: str, operator: Any, hybrid: bool) -> None:
        for index in map(int, operator.inputs):
            if index >= 0:
                self._float(index)
        if hybrid and self.plan.narrow:
            hybrid_weights(self.graph, operator)
        self.floats.update(map(int, operator.outputs))
        self.done.append(operator)

    def _lstm(self, operator: Any) -> bool:
        source, output = int(operator.inputs[0]), int(operator.outputs[0])
        twin, given = self._integer(source)
        inputs = np.array(operator.inputs, np.int32)
        inputs[0] = twin
        for gate in range(GATES):
            bias = self._constant(inputs[12 + gate])
            least = np.abs(bias).max(initial=0.0) / (given.scale[0] * BIAS_LIMIT)
            inputs[1 + gate], kernel = self._weights(inputs[1 + gate], least=least)
            inputs[5 + gate], _ = self._weights(inputs[5 + gate])
            inputs[12 + gate] = self._bias(bias, given.scale[0], kernel)
        inputs[18:20] = [self.states[int(index)] for index in inputs[18:20]]
        hidden = self._scale_of(inputs[18])
        operator.inputs = inputs
        # the kernel reads the fifth for the hidden state's scale; the first four serve layer normalization
        blank = [self.graph.add_tensor([0], FLOAT32) for _ in range(GATES)]
        operator.intermediates = np.asarray([*blank, self.graph.add_tensor([0], INT8, None, hidden)], np.int32)
        operator.outputs = np.asarray([self._new_twin(output, hidden)], np.int32)
        self.done.append(operator)
        return True

    def _copy_state(self, operator: Any) -> bool:
        """A copy to or from an integer state: the value outside is float."""
        source, target = int(operator.inputs[0]), int(operator.outputs[0])
        if target in self.states:
            self._float(source)
            self.done.append(self.graph.operator("QUANTIZE", [source], [self.states[target]], 2))
        else:
            self.done.append(self.graph.operator("DEQUANTIZE", [self.states[source]], [target], 3))
            self.floats.add(target)
        return True

    def _dense(self, operator: Any) -> bool:
        """A dense layer as a convolution over single rows.

        FULLY_CONNECTED rounds ties another way in each release and kernel, and the portable one of tflite-runtime 2.14
        is wrong for a scale a channel; the portable CONV_2D gives the same bits in all of them.
        """
        source, output = int(operator.inputs[0]), int(operator.outputs[0])
        weights = self.graph.constant(int(operator.inputs[1]))
        if weights is None:
            return False
        if self.plan.wide:
            return self._convolution(operator, None)
        channels, width = weights.shape
        rows = int(np.prod(self.graph.tensors[source].shape)) // width
        twin, given = self._integer(source)
        flat = self._reshaped(twin, [1, rows, 1, width], given)
        kernel = self.graph.add_tensor([channels, 1, 1, width], FLOAT32, weights)
        product = self.graph.add_tensor([1, rows, 1, channels], INT8, None, self._parameters(output))
        options = _pointwise(operator.builtinOptions.fusedActivationFunction)
        inputs = self._weighted([flat, kernel, *operator.inputs[2:]], given, 0)
        self.done.append(self.graph.operator("CONV_2D", inputs, [product], 3, options))
        self._reshaped(product, self.graph.tensors[output].shape, self._parameters(output), output)
        return True

    def _reshaped(
        self, index: int, shape: Any, quantization: Quantization, stands_for: int | None = None, kind: int = INT8
    ) -> int:
        """An integer tensor in another shape; as the twin of a float tensor if that is named."""
        sizes = self.graph.add_tensor([len(shape)], INT32, np.asarray(shape, np.int32))
        if stands_for is None:
            target = self.graph.add_tensor(shape, kind, None, quantization)
        else:
            target = self._new_twin(stands_for, quantization)
        self.done.append(self.graph.operator("RESHAPE", [index, sizes], [target]))
        return target

    def _convolution(self, operator: Any, axis: int | None = 0) -> bool:
        source, output = int(operator.inputs[0]), int(operator.outputs[0])
        if self.graph.constant(int(operator.inputs[1])) is None:
            return False
        twin, given = self._integer(source)
        axis = 3 if "DEPTHWISE" in self.graph.name_of(operator) else axis
        operator.inputs = np.asarray(self._weighted([twin, *operator.inputs[1:]], given, axis), np.int32)
        operator.outputs = np.asarray([self._new_twin(output, self._parameters(output))], np.int32)
        self.done.append(operator)
        return True

    def _weighted(self, inputs: list[Any], given: Quantization, axis: int | None) -> list[int]:
        """Inputs (activation, kernel, bias) with kernel and bias in integers, a scale a channel."""
        channels = self._constant(inputs[1]).shape[axis or 0]
        # a bias always: tflite-runtime 2.14 on Arm reads one in its per-channel kernels
        bias = (
            self._constant(inputs[2]).ravel() if len(inputs) > 2 and inputs[2] >= 0 else np.zeros(channels, np.float32)
        )
        least = 0.0 if self.plan.wide or axis is None else np.abs(bias) / (given.scale[0] * BIAS_LIMIT)
        index, kernel = self._weights(inputs[1], axis, least)
        return [int(inputs[0]), index, self._bias(bias, given.scale[0], kernel)]

    def _embedding(self, operator: Any) -> bool:
        table = self.graph.constant(int(operator.inputs[0]))
        if table is None or table.dtype != np.float32:
            return False
        index, quantization = self._weights(operator.inputs[0])
        operator.inputs = np.asarray([index, *operator.inputs[1:]], np.int32)
        output = int(operator.outputs[0])
        twin = self.graph.add_tensor(self.graph.tensors[output].shape, INT8, None, quantization)
        operator.outputs = np.asarray([twin], np.int32)
        self.done.append(operator)
        self.twins[output] = (twin, quantization)
        if self.plan.wide:
            self._float(output)
            del self.twins[output]
        return True

    def _straight_dense(self, operator: Any) -> bool:
        """A dense layer in 16 bits, its weights in two halves of 8: together they are as fine as 15 bits."""
        source, output = int(operator.inputs[0]), int(operator.outputs[0])
        weights = self._constant(operator.inputs[1])
        channels, width = weights.shape
        shape = self.graph.tensors[source].shape
        rows = int(np.prod(shape)) // width
        twin, given = self.twins[source]
        flat = self._reshaped(twin, [1, rows, 1, width], given, kind=INT16)
        bias = (
            self._constant(operator.inputs[2]).ravel()
            if len(operator.inputs) > 2 and operator.inputs[2] >= 0
            else np.zeros(channels, np.float32)
        )
        made = self._parameters(output)
        parts = []
        for part, (values, kernel) in enumerate(halves(weights.reshape(channels, 1, 1, width))):
            index = self.graph.add_tensor(values.shape, INT8, values, kernel)
            offsets = self._bias(bias if part == 0 else np.zeros_like(bias), given.scale[0], kernel, INT64)
            product = self.graph.add_tensor([1, rows, 1, channels], INT16, None, made)
            self.done.append(self.graph.operator("CONV_2D", [flat, index, offsets], [product], 3, _pointwise()))
            parts.append(product)
        total = self.graph.add_tensor([1, rows, 1, channels], INT16, None, made)
        self.done.append(self.graph.operator("ADD", parts, [total], 2, _addition()))
        self._reshaped(total, self.graph.tensors[output].shape, made, output)
        return True

    def _straight_add(self, operator: Any) -> bool:
        output = int(operator.outputs[0])
        inputs = [self._broad(int(index)) for index in operator.inputs]
        made = self._new_twin(output, self._parameters(output))
        self.done.append(self.graph.operator("ADD", inputs, [made], 2, _addition()))
        return True

    def _broad(self, index: int) -> int:
        """A tensor in 16 bits, beside the straight path."""
        if index in self.straight:
            return self.twins[index][0]
        constant = self.graph.constant(index)
        if constant is not None:
            quantization = wide(float(constant.min()), float(constant.max()))
            return self.graph.add_tensor(
                constant.shape, INT16, to_integers(constant, quantization, INT16), quantization
            )
        if index in self.twins:
            # by way of floats: tflite-runtime 2.14 has no kernel from 8 to 16 bits. A power of two between the scales
            # makes the result exact, so the same everywhere
            given = self.twins[index][1]
            self._float(index)
            quantization = Quantization((given.scale[0] / 128,))
        else:
            low, high = self.seen.range(index, "minmax")
            quantization = wide(REACH * low, REACH * high)
        twin = self.graph.add_tensor(self.graph.tensors[index].shape, INT16, None, quantization)
        self.done.append(self.graph.operator("QUANTIZE", [index], [twin], 2))
        return twin

    def _move(self, operator: Any) -> bool:
        sources = [int(index) for index in operator.inputs if self._is_activation(int(index))]
        if len(sources) != 1 or not self._quantized_inputs(operator):
            return False
        straight = any(int(index) in self.straight for index in operator.outputs)
        twin, quantization = self.twins[sources[0]] if straight else self._integer(sources[0])
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
        operator.inputs = np.asarray(
            [self._integer(int(index), quantization)[0] for index in operator.inputs], np.int32
        )
        operator.outputs = np.asarray([self._new_twin(output, quantization)], np.int32)
        self.done.append(operator)
        return True

    def _fixed(self, operator: Any) -> bool:
        return self._plain(operator, UNIT if self.plan.wide else FIXED[self.graph.name_of(operator)])

    def _plain(self, operator: Any, quantization: Quantization | None = None) -> bool:
        if not self._quantized_inputs(operator):
            return False
        output = int(operator.outputs[0])
        if hasattr(operator.builtinOptions, "potScaleInt16"):
            operator.builtinOptions.potScaleInt16 = False  # powers of two alone would be the default
        operator.inputs = np.asarray(
            [self._integer(int(i))[0] if self.graph.tensors[int(i)].type == FLOAT32 else i for i in operator.inputs],
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
        return self.graph.add_tensor(values.shape, INT8, to_integers(values, quantization), quantization), quantization

    def _bias(self, bias: npt.NDArray[Any], scale: float, kernel: Quantization, kind: int | None = None) -> int:
        product = Quantization(tuple(scale * step for step in kernel.scale))
        kind = kind or (INT64 if self.plan.wide else INT32)
        return self.graph.add_tensor(bias.shape, kind, to_integers(bias, product, kind), product)


def _pointwise(activation: int = schema.ActivationFunctionType.NONE) -> Any:
    """Options of a convolution over single rows."""
    options = schema.Conv2DOptionsT()
    options.strideW = options.strideH = options.dilationWFactor = options.dilationHFactor = 1
    options.padding = schema.Padding.VALID
    options.fusedActivationFunction = activation
    return options


def _addition() -> Any:
    options = schema.AddOptionsT()
    options.potScaleInt16 = False  # powers of two alone would be the default
    return options


def _loop_rows(graph: Graph) -> set[int]:
    """What goes into loops, back to the layer that made it: their bodies take floats, so 8 bits would only lose."""
    found: set[int] = set()
    for operator in reversed(graph.operators):
        name = graph.name_of(operator)
        if name == "IF" or (name in ("UNPACK", "RESHAPE") and any(int(index) in found for index in operator.outputs)):
            found.update(map(int, operator.inputs))
    return found


def is_integer(operator: Any) -> bool:
    """Whether an LSTM has the integer kernel's activation."""
    return bool(operator.builtinOptions.fusedActivationFunction == schema.ActivationFunctionType.TANH)
