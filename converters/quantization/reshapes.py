"""Reshapes of a quantized graph in their smallest form: one for a chain of them, its shape in the options."""

import numpy as np

from ..flatbuffer import Graph
from ..private_api import schema

RESHAPE = "RESHAPE"


def shorten_reshapes(graph: Graph) -> None:
    """Join reshapes that follow each other, drop what nobody reads, and keep shapes as options instead of tensors.

    Args:
        graph: A quantized graph, changed in place.
    """
    sources: dict[int, int] = {}
    for operator in graph.operators:
        if graph.name_of(operator) != RESHAPE:
            continue
        source, output = int(operator.inputs[0]), int(operator.outputs[0])
        sources[output] = sources.get(source, source)
        operator.inputs = np.asarray([sources[output], *operator.inputs[1:]], np.int32)
        if len(operator.inputs) > 1 and graph.constant(int(operator.inputs[1])) is not None:
            options = schema.ReshapeOptionsT()
            options.newShape = np.asarray(graph.tensors[output].shape, np.int32)
            operator.builtinOptions, operator.builtinOptionsType = options, schema.BuiltinOptions.ReshapeOptions
            operator.inputs = operator.inputs[:1]
    read = {int(index) for operator in graph.operators for index in operator.inputs} | set(map(int, graph.sub.outputs))
    graph.sub.operators = [
        operator
        for operator in graph.operators
        if graph.name_of(operator) != RESHAPE or int(operator.outputs[0]) in read
    ]
