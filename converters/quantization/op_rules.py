"""How each op is quantized: a rule gives an operator its integer form, or says False and it stays in float."""

from collections.abc import Callable
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from ..flatbuffer import FLOAT32, INT8, Quantization
from . import int16_rules as broad
from .quantized_graph import BIAS_LIMIT, UNIT, Twins

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
NARROW = {"TILE", "HARD_SWISH"}  # ops without a 16-bit kernel in one of the interpreters
JOINS = {"CONCATENATION", "PACK"}
PLAIN = {"ADD", "SUB", "MUL", "MEAN", "LEAKY_RELU", "HARD_SWISH", "RELU6"}
GATES = 4
Rule = Callable[[Twins, Any], bool]


def rule_of(t: Twins, name: str, operator: Any) -> Rule | None:
    """The rule for an operator under the graph's plan, None to leave it in float."""
    if any(int(index) in t.straight for index in operator.outputs):
        if name == "FULLY_CONNECTED":
            return broad.dense
        return broad.add if name == "ADD" else _move
    if t.plan.depth == "hybrid":
        return _embedding if name == "GATHER" else None
    if name == LSTM:
        return _lstm if is_integer(operator) else None
    if any(int(index) in t.rows for index in operator.outputs):
        return None
    if any(int(index) in t.states for index in (*operator.inputs, *operator.outputs)):
        return _copy_state
    if name == "FULLY_CONNECTED":
        return _dense
    if name in ("CONV_2D", "DEPTHWISE_CONV_2D"):
        return _convolution
    if name == "GATHER" and t.graph.constant(int(operator.inputs[0])) is not None:
        return _embedding
    if t.plan.wide and name in NARROW:
        return None
    if name in MOVES:
        return _move
    if t.plan.depth == "full":
        if name in FIXED:
            return _fixed
        if name in JOINS:
            return _join
        if name in PLAIN:
            return _plain
    return None


def _lstm(t: Twins, operator: Any) -> bool:
    source, output = int(operator.inputs[0]), int(operator.outputs[0])
    twin, given = t.integer(source)
    inputs = np.array(operator.inputs, np.int32)
    inputs[0] = twin
    for gate in range(GATES):
        bias = t.constant(inputs[12 + gate])
        least = np.abs(bias).max(initial=0.0) / (given.scale[0] * BIAS_LIMIT)
        inputs[1 + gate], kernel = t.weights(inputs[1 + gate], least=least)
        inputs[5 + gate], _ = t.weights(inputs[5 + gate])
        inputs[12 + gate] = t.bias(bias, given.scale[0], kernel)
    inputs[18:20] = [t.states[int(index)] for index in inputs[18:20]]
    hidden = t.scale_of(inputs[18])
    operator.inputs = inputs
    # the kernel reads the fifth for the hidden state's scale; the first four serve layer normalization
    blank = [t.graph.add_tensor([0], FLOAT32) for _ in range(GATES)]
    operator.intermediates = np.asarray([*blank, t.graph.add_tensor([0], INT8, None, hidden)], np.int32)
    operator.outputs = np.asarray([t.new_twin(output, hidden)], np.int32)
    t.done.append(operator)
    return True


def _copy_state(t: Twins, operator: Any) -> bool:
    """A copy to or from an integer state: the value outside is float."""
    source, target = int(operator.inputs[0]), int(operator.outputs[0])
    if target in t.states:
        t.as_float(source)
        t.done.append(t.graph.operator("QUANTIZE", [source], [t.states[target]], 2))
    else:
        t.done.append(t.graph.operator("DEQUANTIZE", [t.states[source]], [target], 3))
        t.floats.add(target)
    return True


def _dense(t: Twins, operator: Any) -> bool:
    """A dense layer as a convolution over single rows.

    FULLY_CONNECTED rounds ties another way in each release and kernel, and the portable one of tflite-runtime 2.14
    is wrong for a scale a channel; the portable CONV_2D gives the same bits in all of them.
    """
    source, output = int(operator.inputs[0]), int(operator.outputs[0])
    weights = t.graph.constant(int(operator.inputs[1]))
    if weights is None:
        return False
    if t.plan.wide:
        return _convolution(t, operator, None)
    channels, width = weights.shape
    rows = int(np.prod(t.graph.tensors[source].shape)) // width
    twin, given = t.integer(source)
    flat = t.reshaped(twin, [1, rows, 1, width], given)
    kernel = t.graph.add_tensor([channels, 1, 1, width], FLOAT32, weights)
    product = t.graph.add_tensor([1, rows, 1, channels], INT8, None, t.parameters(output))
    options = broad.pointwise(operator.builtinOptions.fusedActivationFunction)
    inputs = t.weighted([flat, kernel, *operator.inputs[2:]], given, 0)
    t.done.append(t.graph.operator("CONV_2D", inputs, [product], 3, options))
    t.reshaped(product, t.graph.tensors[output].shape, t.parameters(output), output)
    return True


def _convolution(t: Twins, operator: Any, axis: int | None = 0) -> bool:
    source, output = int(operator.inputs[0]), int(operator.outputs[0])
    if t.graph.constant(int(operator.inputs[1])) is None:
        return False
    twin, given = t.integer(source)
    axis = 3 if "DEPTHWISE" in t.graph.name_of(operator) else axis
    operator.inputs = np.asarray(t.weighted([twin, *operator.inputs[1:]], given, axis), np.int32)
    operator.outputs = np.asarray([t.new_twin(output, t.parameters(output))], np.int32)
    t.done.append(operator)
    return True


def _embedding(t: Twins, operator: Any) -> bool:
    table = t.graph.constant(int(operator.inputs[0]))
    if table is None or table.dtype != np.float32:
        return False
    index, quantization = t.weights(operator.inputs[0])
    operator.inputs = np.asarray([index, *operator.inputs[1:]], np.int32)
    output = int(operator.outputs[0])
    twin = t.graph.add_tensor(t.graph.tensors[output].shape, INT8, None, quantization)
    operator.outputs = np.asarray([twin], np.int32)
    t.done.append(operator)
    t.twins[output] = (twin, quantization)
    if t.plan.wide:
        t.as_float(output)
        del t.twins[output]
    return True


def _move(t: Twins, operator: Any) -> bool:
    sources = [int(index) for index in operator.inputs if t.is_activation(int(index))]
    if len(sources) != 1 or not t.quantized_inputs(operator):
        return False
    straight = any(int(index) in t.straight for index in operator.outputs)
    twin, quantization = t.twins[sources[0]] if straight else t.integer(sources[0])
    operator.inputs = np.asarray([twin if index == sources[0] else index for index in operator.inputs], np.int32)
    outputs = [t.new_twin(int(index), quantization) for index in operator.outputs]
    operator.outputs = np.asarray(outputs, np.int32)
    t.done.append(operator)
    return True


def _join(t: Twins, operator: Any) -> bool:
    if not t.quantized_inputs(operator):
        return False
    output = int(operator.outputs[0])
    quantization = t.parameters(output)
    operator.inputs = np.asarray([t.integer(int(index), quantization)[0] for index in operator.inputs], np.int32)
    operator.outputs = np.asarray([t.new_twin(output, quantization)], np.int32)
    t.done.append(operator)
    return True


def _fixed(t: Twins, operator: Any) -> bool:
    return _plain(t, operator, UNIT if t.plan.wide else FIXED[t.graph.name_of(operator)])


def _plain(t: Twins, operator: Any, quantization: Quantization | None = None) -> bool:
    if not t.quantized_inputs(operator):
        return False
    output = int(operator.outputs[0])
    if hasattr(operator.builtinOptions, "potScaleInt16"):
        operator.builtinOptions.potScaleInt16 = False  # powers of two alone would be the default
    operator.inputs = np.asarray(
        [t.integer(int(i))[0] if t.graph.tensors[int(i)].type == FLOAT32 else i for i in operator.inputs],
        np.int32,
    )
    operator.outputs = np.asarray([t.new_twin(output, quantization or t.parameters(output))], np.int32)
    t.done.append(operator)
    return True


def is_integer(operator: Any) -> bool:
    """Whether an LSTM has the integer kernel's activation."""
    return bool(operator.builtinOptions.fusedActivationFunction == schema.ActivationFunctionType.TANH)
