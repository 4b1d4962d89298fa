"""Equal constants of a finished graph become one tensor: an LSTM's states begin with the same zeros, and each tensor has a table of its own."""

from typing import Any

import numpy as np

from ..flatbuffer import Graph


def merge_equal_constants(graph: Graph) -> None:
    """Let operators read the first of constants that are equal in values, type, shape and scale.

    Only for a graph whose constants nobody replaces any more: afterwards one tensor may serve several operators.

    Args:
        graph: A graph with its final constants, changed in place.
    """
    ends = {*map(int, graph.sub.inputs), *map(int, graph.sub.outputs)}
    first: dict[Any, int] = {}
    place: dict[int, int] = {}
    for index, tensor in enumerate(graph.tensors):
        values = graph.constant(index)
        if values is None or index in ends:
            continue
        scale = tensor.quantization
        steps = (
            None
            if scale is None or scale.scale is None
            else (bytes(scale.scale), bytes(scale.zeroPoint), scale.quantizedDimension)
        )
        place[index] = first.setdefault((tensor.type, tuple(tensor.shape), values.tobytes(), steps), index)
    for operator in graph.operators:
        operator.inputs = np.asarray([place.get(int(index), int(index)) for index in operator.inputs], np.int32)
