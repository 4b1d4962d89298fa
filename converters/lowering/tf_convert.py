"""TensorFlow functions as float TFLite graphs, with marked functions left whole as custom ops."""

from typing import Any

import numpy as np
import tensorflow as tf

from ..flatbuffer import Graph

PREFIX = "edgelstm"  # of the custom ops' names
FORBIDDEN = ("WHILE", "IF", "CALL_ONCE")


class ForeignOps(Exception):  # noqa: N818 (becomes an error that names the layer)
    """A graph with ops that small interpreters do not have."""


def convert_function(function: Any, specs: list[Any]) -> Graph:
    """Convert a function to a float graph, its inputs and outputs in their order.

    Args:
        function: From tensors to a dictionary `output_00` … of tensors.
        specs: Shapes and types of its arguments, named `input_00` ….

    Raises:
        ForeignOps: If the graph needs ops that small interpreters do not have.
    """
    concrete = tf.function(function, input_signature=specs, autograph=False).get_concrete_function()
    # without a trackable object the converter takes a route that inlines marked functions
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], tf.Module())
    converter.allow_custom_ops = True
    graph = Graph.parse(converter.convert())
    _check_ops(graph)
    _order_ends(graph)
    return graph


def is_marked(graph: Graph, operator: Any) -> bool:
    """Test whether an op stands for a marked function, such as a recurrent layer.

    Args:
        graph: The float graph.
        operator: One of its operators.
    """
    return graph.custom_name(operator).startswith(f"{PREFIX}:")


def _order_ends(graph: Graph) -> None:
    """Sort inputs and outputs by name: the converter orders them as it likes, and its signature holds the names."""
    signature = graph.model.signatureDefs[0]
    for side in ("inputs", "outputs"):
        named = {bytes(entry.name): int(entry.tensorIndex) for entry in getattr(signature, side)}
        setattr(graph.sub, side, np.asarray([named[name] for name in sorted(named)], np.int32))


def _check_ops(graph: Graph) -> None:
    foreign = {name for name in graph.op_names() if name in FORBIDDEN}
    foreign |= {graph.custom_name(item) for item in graph.operators if not is_marked(graph, item)} - {""}
    if foreign or graph.subgraph_count > 1:
        raise ForeignOps(f"it needs {', '.join(sorted(foreign)) or 'a subgraph'}, which small interpreters do not run")
