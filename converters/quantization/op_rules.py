"""Quantization rules by operator: a rule gives an operator its integer form, or returns False and it stays float."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ..flatbuffer import FLOAT32, INT8, INT16, Quantization
from ..private_api import schema
from . import int16_rules
from .quantized_graph import BIAS_LIMIT, UNIT, QuantizedGraph

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
Rule = Callable[[QuantizedGraph, Any], bool]


def rule_of(t: QuantizedGraph, name: str, operator: Any) -> Rule | None:
    """The rule for an operator under the graph's scheme, None to leave it in float.

    Args:
        t: The graph that is quantized.
        name: The operator's name in schema.fbs.
        operator: Operator of the float graph.
    """
    if any(int(index) in t.skip_path for index in operator.outputs):
        if name == "FULLY_CONNECTED":
            return int16_rules.dense
        return int16_rules.add if name == "ADD" else _move
    if t.scheme.floating:
        return _embedding if name == "GATHER" else None
    if name == LSTM:
        return _lstm if is_integer(operator) else None
    if any(int(index) in t.loop_rows for index in operator.outputs):
        return None
    if any(int(index) in t.states for index in (*operator.inputs, *operator.outputs)):
        return _copy_state
    if name == "FULLY_CONNECTED":
        return _dense
    if name in ("CONV_2D", "DEPTHWISE_CONV_2D"):
        return _convolution
    if name == "GATHER" and t.graph.constant(int(operator.inputs[0])) is not None:
        return _embedding
    if t.scheme.wide and name in NARROW:
        return None
    if name in MOVES:
        return _move
    if t.scheme.depth == "full":
        if name in FIXED:
            return _fixed
        if name in JOINS:
            return _join
        if name in PLAIN:
            return _plain
    return None


def _lstm(t: QuantizedGraph, operator: Any) -> bool:
    source, output = int(operator.inputs[0]), int(operator.outputs[0])
    integer, source_scale = t.integer(source)
    inputs = np.array(operator.inputs, np.int32)
    inputs[0] = integer
    for gate in range(GATES):
        bias = t.constant(inputs[12 + gate])
        least = np.abs(bias).max(initial=0.0) / (source_scale.scale[0] * BIAS_LIMIT)
        inputs[1 + gate], kernel = t.weights(inputs[1 + gate], least=least)
        inputs[5 + gate], _ = t.weights(inputs[5 + gate])
        inputs[12 + gate] = t.bias(bias, source_scale.scale[0], kernel)
        t.graph.tensors[inputs[12 + gate]].quantization = None  # the kernel knows it
    inputs[18:20] = [t.states[int(index)] for index in inputs[18:20]]
    hidden = t.scale_of(inputs[18])
    operator.inputs = inputs
    operator.outputs = np.asarray([t.new_quantized(output, hidden)], np.int32)
    # the kernel reads the fifth for the hidden state's scale; the others serve layer normalization; tflite-micro wants them empty
    operator.intermediates = np.repeat(np.int32(t.graph.add_tensor([0], INT8, None, hidden)), GATES + 1)
    t.done.append(operator)
    return True


def _copy_state(t: QuantizedGraph, operator: Any) -> bool:
    """A copy to or from an integer state: the value outside is float, or zeros, which are half as large in 16 bits."""
    source, target = int(operator.inputs[0]), int(operator.outputs[0])
    zeros = t.graph.name_of(operator) == "CAST"
    if zeros:
        shape = t.graph.tensors[target].shape
        source = t.graph.add_tensor(shape, INT16, np.zeros(shape, np.int16), _scale_of_zeros(t))
    if target in t.states:
        if not zeros:
            t.as_float(source)
        t.done.append(t.graph.operator("QUANTIZE", [source], [t.states[target]], 2))
    else:
        t.done.append(t.graph.operator("DEQUANTIZE", [t.states[source]], [target], 3))
        t.floats.add(target)
    return True


def _scale_of_zeros(t: QuantizedGraph) -> Quantization:
    """The scale of a cell state, which is in the file anyway: zeros are the same in any."""
    return next((t.scale_of(index) for index in t.states.values() if t.graph.tensors[index].type == INT16), UNIT)


def _dense(t: QuantizedGraph, operator: Any) -> bool:
    """A dense layer as a convolution over single rows.

    FULLY_CONNECTED rounds ties another way in each release and kernel, and the portable one of tflite-runtime 2.14
    is wrong for a scale a channel; the portable CONV_2D gives the same bits in all of them.
    """
    source, output = int(operator.inputs[0]), int(operator.outputs[0])
    weights = t.graph.constant(int(operator.inputs[1]))
    if weights is None:
        return False
    if t.scheme.wide:
        return _convolution(t, operator, None)
    channels, width = weights.shape
    rows = int(np.prod(t.graph.tensors[source].shape)) // width
    integer, source_scale = t.integer(source)
    flat = t.reshaped(integer, [1, rows, 1, width], source_scale)
    kernel = t.graph.add_tensor([channels, 1, 1, width], FLOAT32, weights)
    product = t.graph.add_tensor([1, rows, 1, channels], INT8, None, t.parameters(output))
    options = int16_rules.pointwise(operator.builtinOptions.fusedActivationFunction)
    inputs = t.weighted([flat, kernel, *operator.inputs[2:]], source_scale, 0)
    t.done.append(t.graph.operator("CONV_2D", inputs, [product], 3, options))
    t.reshaped(product, t.graph.tensors[output].shape, t.parameters(output), output)
    return True


def _convolution(t: QuantizedGraph, operator: Any, axis: int | None = 0) -> bool:
    source, output = int(operator.inputs[0]), int(operator.outputs[0])
    if t.graph.constant(int(operator.inputs[1])) is None:
        return False
    integer, source_scale = t.integer(source)
    axis = 3 if "DEPTHWISE" in t.graph.name_of(operator) else axis
    operator.inputs = np.asarray(t.weighted([integer, *operator.inputs[1:]], source_scale, axis), np.int32)
    operator.outputs = np.asarray([t.new_quantized(output, t.parameters(output))], np.int32)
    t.done.append(operator)
    return True


def _embedding(t: QuantizedGraph, operator: Any) -> bool:
    table = t.graph.constant(int(operator.inputs[0]))
    if table is None or table.dtype != np.float32:
        return False
    index, quantization = t.weights(operator.inputs[0])
    operator.inputs = np.asarray([index, *operator.inputs[1:]], np.int32)
    output = int(operator.outputs[0])
    integer = t.graph.add_tensor(t.graph.tensors[output].shape, INT8, None, quantization)
    operator.outputs = np.asarray([integer], np.int32)
    t.done.append(operator)
    t.quantized[output] = (integer, quantization)
    if t.scheme.wide:
        t.as_float(output)
        del t.quantized[output]
    return True


def _move(t: QuantizedGraph, operator: Any) -> bool:
    sources = [int(index) for index in operator.inputs if t.is_activation(int(index))]
    if len(sources) != 1 or not t.quantized_inputs(operator):
        return False
    on_skip_path = any(int(index) in t.skip_path for index in operator.outputs)
    integer, quantization = t.quantized[sources[0]] if on_skip_path else t.integer(sources[0])
    operator.inputs = np.asarray([integer if index == sources[0] else index for index in operator.inputs], np.int32)
    outputs = [t.new_quantized(int(index), quantization) for index in operator.outputs]
    operator.outputs = np.asarray(outputs, np.int32)
    t.done.append(operator)
    return True


def _join(t: QuantizedGraph, operator: Any) -> bool:
    if not t.quantized_inputs(operator):
        return False
    output = int(operator.outputs[0])
    quantization = t.parameters(output)
    operator.inputs = np.asarray([t.integer(int(index), quantization)[0] for index in operator.inputs], np.int32)
    operator.outputs = np.asarray([t.new_quantized(output, quantization)], np.int32)
    t.done.append(operator)
    return True


def _fixed(t: QuantizedGraph, operator: Any) -> bool:
    return _plain(t, operator, UNIT if t.scheme.wide else FIXED[t.graph.name_of(operator)])


def _plain(t: QuantizedGraph, operator: Any, quantization: Quantization | None = None) -> bool:
    if not t.quantized_inputs(operator):
        return False
    output = int(operator.outputs[0])
    if hasattr(operator.builtinOptions, "potScaleInt16"):
        operator.builtinOptions.potScaleInt16 = False  # powers of two alone would be the default
    operator.inputs = np.asarray(
        [t.integer(int(i))[0] if t.graph.tensors[int(i)].type == FLOAT32 else i for i in operator.inputs],
        np.int32,
    )
    operator.outputs = np.asarray([t.new_quantized(output, quantization or t.parameters(output))], np.int32)
    t.done.append(operator)
    return True


def is_integer(operator: Any) -> bool:
    """Test whether an LSTM has the activation of the integer kernel."""
    return bool(operator.builtinOptions.fusedActivationFunction == schema.ActivationFunctionType.TANH)
