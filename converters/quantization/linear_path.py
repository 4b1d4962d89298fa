"""The linear skip path of a forecaster: a linear map of the window that leads past the recurrent layers to the output.

It carries most of the forecast and, unlike a recurrent layer, goes on beyond the range that training saw. In 8 bits it would
be clipped there, and its rounding would be of the size of the errors that a detector looks at; in 16 bits it is neither.
"""

from typing import Any

from ..flatbuffer import FLOAT32, Graph
from ..private_api import schema

MOVED = {"RESHAPE", "SQUEEZE", "EXPAND_DIMS", "STRIDED_SLICE", "SLICE", "TRANSPOSE"}
REACH = 16.0  # how many times further than the representative values the path's 16 bits reach


def linear_skip_path(graph: Graph) -> frozenset[int]:
    """Float tensors on dense layers' ways from an input to an output, past everything that is not linear.

    Args:
        graph: A float model.

    Returns:
        Tensor indices; empty where there is no such way.
    """
    before = _spread(graph, map(int, graph.sub.inputs), forward=True)
    after = _spread(graph, map(int, graph.sub.outputs), forward=False)
    maps = [operator for operator in graph.operators if _is_map(graph, operator, before, after)]
    both = before & after  # the input itself, added to what the layers make of it
    from_ends = _spread(graph, {int(operator.inputs[0]) for operator in maps} | both, forward=False)
    to_ends = _spread(graph, {int(operator.outputs[0]) for operator in maps} | both, forward=True)
    return frozenset((before & from_ends) | (after & to_ends))


def end_tensors(graph: Graph) -> frozenset[int]:
    """Inputs, outputs, and the tensors that ops between an output and its layer only move.

    Args:
        graph: A float model.
    """
    ends = set(map(int, graph.sub.outputs))
    for operator in reversed(graph.operators):
        if graph.name_of(operator) in MOVED and int(operator.outputs[0]) in ends:
            ends.add(int(operator.inputs[0]))
    return frozenset(ends | set(map(int, graph.sub.inputs)))


def _is_map(graph: Graph, operator: Any, before: set[int], after: set[int]) -> bool:
    return (
        graph.name_of(operator) == "FULLY_CONNECTED"
        and int(operator.inputs[0]) in before
        and int(operator.outputs[0]) in after
        and graph.constant(int(operator.inputs[1])) is not None
        and _plain(operator)
    )


def _plain(operator: Any) -> bool:
    return bool(operator.builtinOptions.fusedActivationFunction == schema.ActivationFunctionType.NONE)


def _spread(graph: Graph, start: Any, forward: bool) -> set[int]:
    """Float tensors that moving and adding lead to, or that they came from."""
    reached = {index for index in start if graph.tensors[index].type == FLOAT32}
    for operator in graph.operators if forward else reversed(graph.operators):
        name = graph.name_of(operator)
        if name not in MOVED and not (name == "ADD" and _plain(operator)):
            continue
        sources = [int(index) for index in operator.inputs if index >= 0]
        made = [int(index) for index in operator.outputs]
        ends, others = (sources, made) if forward else (made, sources)
        if any(index in reached for index in ends):
            reached.update(i for i in others if graph.tensors[i].type == FLOAT32 and graph.constant(i) is None)
    return reached
