"""Reshapes of a quantized graph in their smallest form: one for a chain of them, its shape in the options."""

from typing import Any

import numpy as np

from ..flatbuffer import Graph
from ..private_api import schema

RESHAPE = "RESHAPE"
ELEMENTWISE = {
    "ADD",
    "SUB",
    "MUL",
    "TANH",
    "QUANTIZE",
    "DEQUANTIZE",
}  # in which a value meets those in its own place alone


def sink_reshapes(graph: Graph) -> None:
    """Move reshapes behind the elementwise operators that read them: two before a sum become one, which may join the next.

    Args:
        graph: A quantized graph, changed in place.
    """
    readers: dict[int, int] = {}
    for index in (int(index) for operator in graph.operators for index in operator.inputs):
        readers[index] = readers.get(index, 0) + 1
    ends = set(map(int, graph.sub.outputs))
    sources: dict[int, int] = {}
    moved: list[Any] = []
    for operator in graph.operators:
        inputs, output = [int(index) for index in operator.inputs], int(operator.outputs[0])
        moved.append(operator)
        if graph.name_of(operator) == RESHAPE and not ends & {output}:
            sources[output] = inputs[0]
        elif graph.name_of(operator) in ELEMENTWISE and output not in ends and _alike(graph, inputs, sources, readers):
            operator.inputs = np.asarray([sources[index] for index in inputs], np.int32)
            sources[output] = _like(graph, output, sources[inputs[0]])
            operator.outputs = np.asarray([sources[output]], np.int32)
            moved.append(graph.operator(RESHAPE, [sources[output]], [output], options=_shape_of(graph, output)))
    graph.sub.operators = moved


def _alike(graph: Graph, inputs: list[int], sources: dict[int, int], readers: dict[int, int]) -> bool:
    """Test whether all inputs were reshaped from tensors of one shape, and for one reader."""
    if not all(index in sources and readers[index] == 1 for index in inputs):
        return False
    return len({tuple(graph.tensors[sources[index]].shape) for index in inputs}) == 1


def _like(graph: Graph, index: int, shaped: int) -> int:
    """A tensor of the type and scale of one and of the shape of another."""
    made = graph.add_tensor(graph.tensors[shaped].shape, graph.tensors[index].type)
    graph.tensors[made].quantization = graph.tensors[index].quantization
    return made


def _shape_of(graph: Graph, index: int) -> Any:
    options = schema.ReshapeOptionsT()
    options.newShape = np.asarray(graph.tensors[index].shape, np.int32)
    return options


def shorten_reshapes(graph: Graph) -> None:
    """Join reshapes that follow each other, drop those that change or serve nothing, and keep shapes as options instead of tensors.

    Args:
        graph: A quantized graph, changed in place.
    """
    sources: dict[int, int] = {}
    same: dict[int, int] = {}
    for operator in graph.operators:
        operator.inputs = np.asarray([same.get(int(index), int(index)) for index in operator.inputs], np.int32)
        if graph.name_of(operator) != RESHAPE:
            continue
        source, output = int(operator.inputs[0]), int(operator.outputs[0])
        sources[output] = sources.get(source, source)
        operator.inputs = np.asarray([sources[output], *operator.inputs[1:]], np.int32)
        if tuple(graph.tensors[output].shape) == tuple(graph.tensors[sources[output]].shape):
            same[output] = sources[output]
        if len(operator.inputs) > 1 and graph.constant(int(operator.inputs[1])) is not None:
            operator.builtinOptions = _shape_of(graph, output)
            operator.builtinOptionsType = schema.BuiltinOptions.ReshapeOptions
            operator.inputs = operator.inputs[:1]
    read = {int(index) for operator in graph.operators for index in operator.inputs} | set(map(int, graph.sub.outputs))
    graph.sub.operators = [
        operator
        for operator in graph.operators
        if graph.name_of(operator) != RESHAPE or int(operator.outputs[0]) in read
    ]
