"""Rules for the linear skip path: 16 bits on it, from the input to the output, see `on_skip_path`."""

from typing import Any

import numpy as np

from ..flatbuffer import INT8, INT16, INT64, Quantization
from ..private_api import schema
from .linear_path import REACH
from .params import halves, to_integers, wide
from .quantized_graph import QuantizedGraph


def dense(t: QuantizedGraph, operator: Any) -> bool:
    """A dense layer in 16 bits, its weights in two halves of 8: together they are as fine as 15 bits.

    The coarse half alone makes a file smaller; it is for weights that were rounded by their effect. As a convolution over
    single rows: FULLY_CONNECTED rounds 16-bit outputs another way in tflite-runtime 2.14.

    Args:
        t: The graph that is quantized.
        operator: FULLY_CONNECTED operator of the float graph.
    """
    source, output = int(operator.inputs[0]), int(operator.outputs[0])
    weights = t.constant(operator.inputs[1])
    channels, width = weights.shape
    shape = t.graph.tensors[source].shape
    rows = int(np.prod(shape)) // width
    integer, source_scale = t.quantized[source]
    flat = t.reshaped(integer, [1, rows, 1, width], source_scale, kind=INT16)
    bias = t.bias_values(operator.inputs, channels)
    made = t.parameters(output)
    parts = []
    for values, kernel in halves(weights.reshape(channels, 1, 1, width))[: 1 if t.scheme.coarse_path else 2]:
        index = t.graph.add_tensor(values.shape, INT8, values, kernel)
        offsets, bias = t.bias(bias, source_scale.scale[0], kernel, INT64), np.zeros_like(bias)  # once is enough
        t.graph.tensors[offsets].quantization = None  # kernels take input times weight
        product = t.graph.add_tensor([1, rows, 1, channels], INT16, None, made)
        t.done.append(t.graph.operator("CONV_2D", [flat, index, offsets], [product], 3, pointwise()))
        parts.append(product)
    if len(parts) > 1:
        total = t.graph.add_tensor([1, rows, 1, channels], INT16, None, made)
        t.done.append(t.graph.operator("ADD", parts, [total], 2, _addition()))
        parts = [total]
    t.reshaped(parts[0], t.graph.tensors[output].shape, made, output)
    return True


def add(t: QuantizedGraph, operator: Any) -> bool:
    """A sum in 16 bits.

    Args:
        t: The graph that is quantized.
        operator: ADD operator of the float graph.
    """
    output = int(operator.outputs[0])
    inputs = [_in_int16(t, int(index)) for index in operator.inputs]
    made = t.new_quantized(output, t.parameters(output))
    t.done.append(t.graph.operator("ADD", inputs, [made], 2, _addition()))
    return True


def _in_int16(t: QuantizedGraph, index: int) -> int:
    """A tensor in 16 bits, beside the linear skip path."""
    if index in t.skip_path:
        return t.quantized[index][0]
    constant = t.graph.constant(index)
    if constant is not None:
        quantization = wide(float(constant.min()), float(constant.max()))
        return t.graph.add_tensor(constant.shape, INT16, to_integers(constant, quantization, INT16), quantization)
    if index in t.quantized:
        # by way of floats: tflite-runtime 2.14 has no kernel from 8 to 16 bits. A power of two between the scales
        # makes the result exact, so the same everywhere
        source_scale = t.quantized[index][1]
        t.as_float(index)
        quantization = Quantization((source_scale.scale[0] / 128,))
    else:
        low, high = t.seen.range(index, "minmax")
        quantization = wide(REACH * low, REACH * high)
    integer = t.graph.add_tensor(t.graph.tensors[index].shape, INT16, None, quantization)
    t.done.append(t.graph.operator("QUANTIZE", [index], [integer], 2))
    return integer


def pointwise(activation: int = schema.ActivationFunctionType.NONE) -> Any:
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
