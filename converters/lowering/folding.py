"""Folding of scales and offsets by channel into the layers that read them, as BatchNormalization leaves them between layers.

Two ops less a layer, and two roundings to 8 bits less: a normalization blows up channels that hardly move, and their
rounding with them.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from ..flatbuffer import FLOAT32, Graph
from ..private_api import schema

Array = npt.NDArray[Any]
LSTM, DENSE = "UNIDIRECTIONAL_SEQUENCE_LSTM", "FULLY_CONNECTED"
KERNELS = {LSTM: (1, 2, 3, 4), DENSE: (1,)}
BIASES = {LSTM: (12, 13, 14, 15), DENSE: (2,)}


def fold_channel_scales(graph: Graph) -> None:
    """Fold products and sums with one constant a channel into LSTM and dense layers, wherever nothing else reads them.

    Args:
        graph: A float graph, changed in place.
    """
    for operator in reversed(list(graph.operators)):
        name = graph.name_of(operator)
        if name not in ("MUL", "ADD") or not _plain(operator):
            continue
        source, values = _parts(graph, operator)
        output = int(operator.outputs[0])
        readers = [item for item in graph.operators if output in map(int, item.inputs)]
        if values is None or output in map(int, graph.sub.outputs) or not readers:
            continue
        if all(_takes(graph, reader, output) for reader in readers):
            for reader in readers:
                _fold(graph, reader, name, values)
                reader.inputs = np.asarray([source, *reader.inputs[1:]], np.int32)
            graph.sub.operators = [item for item in graph.operators if item is not operator]


def _plain(operator: Any) -> bool:
    return bool(operator.builtinOptions.fusedActivationFunction == schema.ActivationFunctionType.NONE)


def _parts(graph: Graph, operator: Any) -> tuple[int, Array | None]:
    """The activation of a product or sum, and its constants, one a channel; None where they are something else."""
    first, second = map(int, operator.inputs)
    activation, constant = (second, first) if graph.constant(first) is not None else (first, second)
    values = graph.constant(constant)
    shape = tuple(graph.tensors[activation].shape)
    if graph.tensors[activation].type != FLOAT32 or values is None or not shape:
        return activation, None
    if values.size not in (1, shape[-1]) or (values.size > 1 and values.shape[-1] != shape[-1]):
        return activation, None
    return activation, np.broadcast_to(values.ravel(), shape[-1:])


def _takes(graph: Graph, reader: Any, index: int) -> bool:
    """Test whether a layer multiplies a tensor by constant weights, channel by channel."""
    name = graph.name_of(reader)
    inputs = list(map(int, reader.inputs))
    if name not in KERNELS or inputs[0] != index or inputs.count(index) > 1 or len(inputs) <= max(BIASES[name]):
        return False
    width = int(graph.tensors[index].shape[-1])
    kernels = [graph.constant(int(reader.inputs[place])) for place in KERNELS[name]]
    biases = [index for place in BIASES[name] if (index := int(reader.inputs[place])) >= 0]
    known = all(graph.constant(bias) is not None for bias in biases)
    return known and all(part is not None and part.ndim == 2 and part.shape[1] == width for part in kernels)


def _fold(graph: Graph, reader: Any, name: str, values: Array) -> None:
    """Give a layer the weights with which it makes the same of what was multiplied, or added to, before."""
    kind = graph.name_of(reader)
    inputs = np.array(reader.inputs, np.int32)
    for kernel, bias in zip(KERNELS[kind], BIASES[kind], strict=True):
        weights = np.asarray(graph.constant(int(inputs[kernel])), np.float64)
        if name == "MUL":
            inputs[kernel] = graph.add_tensor(weights.shape, FLOAT32, (weights * values).astype(np.float32))
        else:
            before = graph.constant(int(inputs[bias])) if inputs[bias] >= 0 else None  # zeros are left out
            offsets = weights @ values + (0.0 if before is None else before.ravel())
            inputs[bias] = graph.add_tensor(offsets.shape, FLOAT32, offsets.astype(np.float32))
    reader.inputs = inputs
