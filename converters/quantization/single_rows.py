"""One row of a sequence in four axes, as a convolution takes it: one GATHER instead of a STRIDED_SLICE and a RESHAPE."""

from typing import Any

import numpy as np

from ..flatbuffer import INT8, INT32, Graph
from ..private_api import schema

ROW = 2  # the axis of rows among a slice's bits by axis


def gather_single_rows(graph: Graph) -> None:
    """Take rows that a convolution alone reads by GATHER: the same integers, an operator and two constants less.

    Args:
        graph: A quantized graph, changed in place.
    """
    makers = {int(operator.outputs[0]): operator for operator in graph.operators}
    kept = []
    dropped = set()
    for operator in graph.operators:
        maker = makers.get(int(operator.inputs[0])) if graph.name_of(operator) == "RESHAPE" else None
        row = _row(graph, maker) if maker is not None and _only_reader(graph, operator) else None
        if maker is not None and row is not None and _in_four_axes(graph, int(maker.inputs[0]), operator):
            dropped.add(id(maker))
            operator = _gather(graph, int(maker.inputs[0]), row, int(operator.outputs[0]))
        kept.append(operator)
    graph.sub.operators = [operator for operator in kept if id(operator) not in dropped]


def _in_four_axes(graph: Graph, source: int, operator: Any) -> bool:
    """Test whether an operator gives a row of a sequence as a convolution takes it."""
    return tuple(graph.tensors[int(operator.outputs[0])].shape) == (1, 1, 1, int(graph.tensors[source].shape[-1]))


def _only_reader(graph: Graph, operator: Any) -> bool:
    """Test whether nothing but an operator reads its input."""
    index = int(operator.inputs[0])
    readers = [item for item in graph.operators if index in map(int, item.inputs)]
    return len(readers) == 1 and index not in map(int, graph.sub.outputs)


def _row(graph: Graph, operator: Any) -> int | None:
    """The row that a slice takes of an int8 sequence (1, T, U); None for any other operator."""
    if graph.name_of(operator) != "STRIDED_SLICE":
        return None
    tensor, options = graph.tensors[int(operator.inputs[0])], operator.builtinOptions
    begin = graph.constant(int(operator.inputs[1]))
    whole = (options.beginMask | ROW) & (options.endMask | ROW) == 0b111
    plain = options.shrinkAxisMask == ROW and not options.ellipsisMask | options.newAxisMask
    if tensor.type != INT8 or len(tensor.shape) != 3 or begin is None or not (whole and plain):
        return None
    return int(begin[1]) % int(tensor.shape[1])


def _gather(graph: Graph, source: int, row: int, output: int) -> Any:
    options = schema.GatherOptionsT()
    options.axis = 1
    indices = graph.add_tensor([1, 1], INT32, np.asarray([[row]], np.int32))
    return graph.operator("GATHER", [source, indices], [output], 2, options)
