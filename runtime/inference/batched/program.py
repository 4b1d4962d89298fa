"""Operators of a file as steps over batches of values."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from ..flatbuffer.schema import Operator
from .fixed_point import UnprovenError
from .graph import Array, BatchedGraph
from .lstm_operator import Step, lstm_step
from .operators import Addition, Dense, dequantizer, quantizer, strided_slice
from .overlap import on_rows


def compile_operator(graph: BatchedGraph, operator: Operator) -> Step:
    """Return the step of an operator: a function that adds its outputs to the values by tensor, each (N, ...).

    Args:
        graph: Its model.
        operator: The operator.

    Raises:
        UnprovenError: If it has no exact batched form.
    """
    name = graph.name(operator)
    if name not in MAKERS:
        raise UnprovenError(name)
    step = MAKERS[name](graph, operator)
    graph.made.update(operator.outputs)
    return step


def _rescaling(graph: BatchedGraph, operator: Operator) -> Step:
    source, target = operator.inputs[0], operator.outputs[0]
    ports = graph.port(source), graph.port(target)
    function = quantizer(*ports) if graph.name(operator) == "QUANTIZE" else dequantizer(ports[0])
    fixed = graph.constant(source)
    if fixed is not None:
        return _put(target, function(fixed))
    graph.need(source, bare=True)
    graph.bare.update({target} if source in graph.bare else ())
    return _apply(source, target, lambda values: on_rows(function, values))


def _apply(source: int, target: int, function: Callable[[Array], Array]) -> Step:
    def step(values: dict[int, Array]) -> None:
        values[target] = function(values[source])

    return step


def _put(target: int, made: Array) -> Step:
    """The same values for every window, such as a state's zeros."""

    def step(values: dict[int, Array]) -> None:
        count = len(next(iter(values.values())))
        values[target] = np.broadcast_to(made, (count, *made.shape[1:]))

    if made.shape[:1] != (1,):
        raise UnprovenError("a constant without a batch axis")
    return step


def _reshape(graph: BatchedGraph, operator: Operator) -> Step:
    source, target = operator.inputs[0], operator.outputs[0]
    after = graph.port(target).shape
    if after[:1] != (1,):
        graph.bare.add(target)
    shape = after if target in graph.bare else after[1:]
    if math.prod(graph.port(source).shape) != math.prod(after):
        raise UnprovenError("a RESHAPE to another size")
    graph.need(source, bare=True)
    return _apply(source, target, lambda values: values.reshape(len(values), *shape))


def _slice(graph: BatchedGraph, operator: Operator) -> Step:
    source, target = operator.inputs[0], operator.outputs[0]
    begin, end, stride = (graph.constant(index) for index in operator.inputs[1:4])
    options = operator.options
    if options is None or begin is None or end is None or stride is None:
        raise UnprovenError("a STRIDED_SLICE of changing bounds")
    masks = [int(options.scalar(field, "i")) for field in range(5)]
    graph.need(source)
    index = strided_slice(graph.port(source).shape, begin.tolist(), end.tolist(), stride.tolist(), masks)
    return _apply(source, target, lambda values: values[index])


def _gather(graph: BatchedGraph, operator: Operator) -> Step:
    (source, indices), target, options = operator.inputs, operator.outputs[0], operator.options
    rows, shape = graph.constant(indices), graph.port(source).shape
    plain = options is not None and options.scalar(0, "i") == 1 and not options.scalar(1, "i")
    if rows is None or not plain or len(shape) < 2 or not np.all((rows >= 0) & (rows < shape[1])):
        raise UnprovenError("an unusual GATHER")
    graph.need(source)
    return _apply(source, target, lambda values: values[:, rows])


def _join(graph: BatchedGraph, operator: Operator) -> Step:
    sources, target = operator.inputs, operator.outputs[0]
    graph.need(*sources)
    ports = [graph.port(index) for index in (*sources, target)]
    axis = int(operator.options.scalar(0, "i")) % len(ports[-1].shape) if operator.options else 0
    if axis == 0 or len({(port.type, port.scale, port.zero_point) for port in ports}) > 1:
        raise UnprovenError("a CONCATENATION of different scales")

    def step(values: dict[int, Array]) -> None:
        values[target] = np.concatenate([values[index] for index in sources], axis)

    return step


def _tile(graph: BatchedGraph, operator: Operator) -> Step:
    (source, multiples), target = operator.inputs, operator.outputs[0]
    times = graph.constant(multiples)
    if times is None or len(times) != len(graph.port(source).shape) or times[0] != 1:
        raise UnprovenError("an unusual TILE")
    graph.need(source)
    return _apply(source, target, lambda values: np.tile(values, times))


def _addition(graph: BatchedGraph, operator: Operator) -> Step:
    (first, second), target = operator.inputs, operator.outputs[0]
    ports = [graph.port(index) for index in (first, second, target)]
    kinds = {port.type for port in ports}
    options = operator.options
    if len(kinds) > 1 or not kinds <= {"int8", "int16"} or options is None:
        raise UnprovenError("an ADD of other types")
    if ports[0].type == "int16" and (options.scalar(1, "?", True) or any(port.zero_point for port in ports)):
        raise UnprovenError("an ADD of powers of two")
    add = Addition(ports[0], ports[1], ports[2], int(options.scalar(0, "b")))
    fixed = [graph.constant(index) for index in (first, second)]
    graph.need(*(index for index, made in zip((first, second), fixed, strict=True) if made is None), bare=True)
    if len({graph.rank(index) for index in (first, second)}) > 1 or any(made is not None for made in fixed):
        raise UnprovenError("an ADD of different shapes")

    def step(values: dict[int, Array]) -> None:
        values[target] = add(values[first], values[second])

    return step


def _dense(graph: BatchedGraph, operator: Operator) -> Step:
    source, target, options = operator.inputs[0], operator.outputs[0], operator.options
    kernel, bias = graph.constant(operator.inputs[1]), graph.constant(operator.inputs[2])
    ports = graph.port(source), graph.port(target)
    scales = graph.scales(operator.inputs[1])
    plain = options is not None and all(options.scalar(field, "i") == 1 for field in (1, 2))
    if options is None or kernel is None or bias is None or kernel.dtype != np.int8 or not plain:
        raise UnprovenError("an unusual CONV_2D")
    if kernel.shape[1:3] != (1, 1) or ports[0].type != ports[1].type or ports[0].type not in ("int8", "int16"):
        raise UnprovenError("a CONV_2D over several rows")
    weights = kernel.reshape(len(kernel), -1)
    graph.need(source)
    dense = Dense(*ports, weights, scales, bias, int(options.scalar(3, "b")))
    return _apply(source, target, dense)


MAKERS: dict[str, Callable[[BatchedGraph, Operator], Step]] = {
    "UNIDIRECTIONAL_SEQUENCE_LSTM": lstm_step,
    "CONV_2D": _dense,
    "ADD": _addition,
    "QUANTIZE": _rescaling,
    "DEQUANTIZE": _rescaling,
    "RESHAPE": _reshape,
    "SQUEEZE": _reshape,
    "EXPAND_DIMS": _reshape,
    "STRIDED_SLICE": _slice,
    "GATHER": _gather,
    "CONCATENATION": _join,
    "TILE": _tile,
}
