"""Integer quantization of a float flatbuffer, op by op.

Our own, because TensorFlow's goes silently wrong on recurrent models (cell scales below 2^-15, outputs that part from
their hidden state, windows of ops it rescales): here an op is either quantized by a rule (`op_rules`) or stays float between
DEQUANTIZE and QUANTIZE, so nothing is quantized by accident.
"""

from typing import Any

import numpy as np

from ..flatbuffer import FLOAT32, INT8, INT16, Graph, Quantization, TFLiteFile
from .calibrator import Observations
from .equal_constants import merge_equal_constants
from .op_rules import LSTM, MOVES, is_integer, rule_of
from .params import hybrid_weights, widened_weights
from .quantized_graph import QuantizedGraph
from .reshapes import shorten_reshapes, sink_reshapes
from .scheme import QuantizationScheme
from .single_rows import gather_single_rows

# Ops that decide by a value: rounding it first would change the decision (a token's number, a masked row).
DECISIONS = {
    "CAST", "BUCKETIZE", "SIGN", "EQUAL", "NOT_EQUAL", "LESS", "LESS_EQUAL", "GREATER", "GREATER_EQUAL", "FLOOR", "ROUND",
    "CEIL",
}  # fmt: skip
CELL_EXPONENTS = (-15, -9)  # of two: what the integer kernel's tanh has a case for


def quantize(lowered: TFLiteFile, observations: Observations, scheme: QuantizationScheme) -> TFLiteFile:
    """Quantize a float model by a scheme.

    Args:
        lowered: Float model.
        observations: From `observe` on the same model.
        scheme: What to quantize, and the ranges.

    Returns:
        The quantized model.
    """
    t = QuantizedGraph(lowered.graph.copy(), observations, scheme)
    _open_inputs(t)
    _open_states(t)
    for number, operator in enumerate(list(t.graph.operators)):
        _place(t, operator, number in t.scheme.lifted)
    _close_outputs(t)
    t.graph.sub.operators = t.done
    sink_reshapes(t.graph)
    shorten_reshapes(t.graph)
    gather_single_rows(t.graph)
    for body in t.graph.bodies() if t.scheme.narrow else ():
        # a body's activations stay float: 8-bit states would add up their rounding over all steps
        body.sub.operators = [item for operator in body.operators for item in _float_operator(body, operator, scheme)]
    merge_equal_constants(t.graph)
    return t.graph.finished()


def _place(t: QuantizedGraph, operator: Any, lifted: bool) -> None:
    name = t.graph.name_of(operator)
    lifted = lifted and not any(int(index) in t.skip_path for index in operator.outputs)
    rule = None if lifted else rule_of(t, name, operator)
    if rule is None or not rule(t, operator):
        _keep_float(t, name, operator, hybrid=not (lifted and t.scheme.depth == "hybrid"))


def _open_inputs(t: QuantizedGraph) -> None:
    if t.scheme.io == "float32":
        return
    inputs = []
    for index in map(int, t.graph.sub.inputs):
        if t.graph.tensors[index].type == FLOAT32 and not _decides(t, index):
            # data is never clipped harder than its own extremes
            on_skip_path = index in t.skip_path
            extremes = t.seen.range(index, "headroom" if index in t.ends else "minmax")
            integer = t.new_quantized(index, t.parameters(index) if on_skip_path else t.fit(*extremes))
            t.floats.discard(index)
            inputs.append(integer)
        else:
            inputs.append(index)
    t.graph.sub.inputs = np.asarray(inputs, np.int32)


def _decides(t: QuantizedGraph, index: int) -> bool:
    """Test whether an op decides by a tensor's values, directly or after ops that only move them."""
    readers = [operator for operator in t.graph.operators if index in map(int, operator.inputs)]
    names = [t.graph.name_of(operator) for operator in readers]
    moved = [int(out) for reader, name in zip(readers, names, strict=True) if name in MOVES for out in reader.outputs]
    return any(name in DECISIONS for name in names) or any(_decides(t, item) for item in moved)


def _close_outputs(t: QuantizedGraph) -> None:
    outputs = []
    for index in map(int, t.graph.sub.outputs):
        if index in t.skip_path:
            outputs.append(t.quantized[index][0])
        elif t.graph.tensors[index].type == FLOAT32 and t.scheme.io != "float32":
            outputs.append(t.integer(index)[0])
        else:
            t.as_float(index)
            outputs.append(index)
    t.graph.sub.outputs = np.asarray(outputs, np.int32)


def _open_states(t: QuantizedGraph) -> None:
    """Integer states for the LSTMs that get the integer kernel; their hidden state has their output's scale."""
    if t.scheme.floating:
        return
    for number, operator in enumerate(t.graph.operators):
        if t.graph.name_of(operator) != LSTM or not is_integer(operator) or number in t.scheme.lifted:
            continue
        output, (hidden, cell) = int(operator.outputs[0]), map(int, operator.inputs[18:20])
        t.new_state(hidden, INT8, t.parameters(output))
        t.new_state(cell, INT16, Quantization((2.0 ** cell_exponent(t.seen.cells[output]),)))


def cell_exponent(largest: float) -> int:
    """Power of two that is the step of a cell state: the smallest that holds the largest absolute value."""
    return int(np.clip(np.ceil(np.log2(max(largest, 1e-9) / 32767)), *CELL_EXPONENTS))


def _keep_float(t: QuantizedGraph, name: str, operator: Any, hybrid: bool) -> None:
    for index in map(int, operator.inputs):
        if index >= 0:
            t.as_float(index)
    if (hybrid and t.scheme.narrow) or t.scheme.depth == "widened":
        t.done += _float_operator(t.graph, operator, t.scheme)
    else:
        t.done.append(operator)
    t.floats.update(map(int, operator.outputs))


def _float_operator(graph: Graph, operator: Any, scheme: QuantizationScheme) -> list[Any]:
    """A float operator with int8 weights, after the operators that widen these where the scheme wants that."""
    if scheme.depth == "widened":
        return [*widened_weights(graph, operator), operator]
    hybrid_weights(graph, operator)
    return [operator]
