"""Summary of a TFLite model for people and for state snapshots: its operations, inputs, outputs and state."""

from __future__ import annotations

from dataclasses import dataclass

from .reader import read_model
from .schema import TYPES, Model, Subgraph
from .verifier import verify


@dataclass(frozen=True)
class Op:
    """One kind of operation that a model uses."""

    name: str
    """Name in schema.fbs, or a custom op's own."""
    version: int
    """Version that the interpreter must know."""
    count: int
    """Operators of this kind."""


@dataclass(frozen=True)
class Port:
    """An input or output."""

    name: str
    """Name in the file."""
    shape: tuple[int, ...]
    """Shape with its batch axis."""
    type: str
    """Element type."""


@dataclass(frozen=True)
class Graph:
    """Summary of a model."""

    ops: tuple[Op, ...]
    """Operations by kind, in the file's order."""
    inputs: tuple[Port, ...]
    """Inputs of the first subgraph."""
    outputs: tuple[Port, ...]
    """Outputs of the first subgraph."""
    variables: tuple[int, ...]
    """Indices of the first subgraph's state tensors."""
    parameters: int
    """Bytes of constants."""
    channel_scales: bool = False
    """True if a FULLY_CONNECTED has a weight scale for each of its channels."""


def read_graph(content: bytes, origin: str = "model.tflite") -> Graph:
    """Read, verify and summarize a model.

    Args:
        content: A TFLite flatbuffer; bytes behind it are ignored.
        origin: Name of the file, for errors.

    Raises:
        ModelError: If the flatbuffer is damaged, or is no model that an interpreter should see.
    """
    model = read_model(content, origin)
    verify(model, origin)
    return summarize(model)


def summarize(model: Model) -> Graph:
    """Summarize a verified model."""
    counts = [0] * len(model.codes)
    for subgraph in model.subgraphs:
        for operator in subgraph.operators:
            counts[operator.code] += 1
    used = zip(model.codes, counts, strict=True)
    main = model.subgraphs[0]
    return Graph(
        ops=tuple(Op(code.name, code.version, count) for code, count in used if count),
        inputs=_ports(main, main.inputs),
        outputs=_ports(main, main.outputs),
        variables=tuple(index for index, tensor in enumerate(main.tensors) if tensor.variable),
        parameters=sum(buffer.data[1] for buffer in model.buffers),
        channel_scales=_channel_scales(model),
    )


def _ports(subgraph: Subgraph, indices: tuple[int, ...]) -> tuple[Port, ...]:
    tensors = [subgraph.tensors[index] for index in indices]
    return tuple(Port(tensor.name, tensor.shape, TYPES[tensor.type]) for tensor in tensors)


def _channel_scales(model: Model) -> bool:
    main = model.subgraphs[0]
    dense = [operator for operator in main.operators if model.codes[operator.code].name == "FULLY_CONNECTED"]
    return any(len(main.tensors[operator.inputs[1]].scales) > 1 for operator in dense)
