"""Reading a TFLite flatbuffer without any library: which ops in which version, which tensors keep state.

Only what `inspect`, `doctor` and state snapshots ask for. Field numbers are those of TensorFlow Lite's
schema.fbs (v3a); offsets are checked, so that a damaged file ends in an error.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

from ..errors import ModelError

# BuiltinOperator numbers of schema.fbs; what recurrent models, their heads and their quantized forms use
OPS = {
    0: "ADD", 1: "AVERAGE_POOL_2D", 2: "CONCATENATION", 3: "CONV_2D", 4: "DEPTHWISE_CONV_2D", 6: "DEQUANTIZE",
    7: "EMBEDDING_LOOKUP", 9: "FULLY_CONNECTED", 14: "LOGISTIC", 16: "LSTM", 17: "MAX_POOL_2D", 18: "MUL",
    19: "RELU", 21: "RELU6", 22: "RESHAPE", 25: "SOFTMAX", 28: "TANH", 32: "CUSTOM", 34: "PAD", 35: "UNIDIRECTIONAL_SEQUENCE_RNN",
    36: "GATHER", 39: "TRANSPOSE", 40: "MEAN", 41: "SUB", 42: "DIV", 43: "SQUEEZE", 44: "UNIDIRECTIONAL_SEQUENCE_LSTM",
    45: "STRIDED_SLICE", 47: "EXP", 49: "SPLIT", 52: "BIDIRECTIONAL_SEQUENCE_LSTM", 53: "CAST", 55: "MAXIMUM",
    57: "MINIMUM", 58: "LESS", 59: "NEG", 65: "SLICE", 69: "TILE", 70: "EXPAND_DIMS", 74: "SUM", 76: "RSQRT",
    77: "SHAPE", 78: "POW", 82: "REDUCE_MAX", 83: "PACK", 88: "UNPACK", 94: "FILL", 99: "SQUARED_DIFFERENCE", 102: "SPLIT_V",
    105: "REVERSE_V2", 114: "QUANTIZE", 118: "IF", 119: "WHILE", 123: "SELECT_V2", 126: "BATCH_MATMUL",
    130: "BROADCAST_TO", 142: "VAR_HANDLE", 143: "READ_VARIABLE", 144: "ASSIGN_VARIABLE", 150: "GELU",
}  # fmt: skip
TYPES = ("float32", "float16", "int32", "uint8", "int64", "string", "bool", "int16", "complex64", "int8",
         "float64", "complex128", "uint64", "resource", "variant", "uint32", "uint16", "int4", "bfloat16")  # fmt: skip


@dataclass(frozen=True)
class Op:
    """One kind of operation that a model uses."""

    name: str
    """Name in schema.fbs, or a custom op's own."""
    version: int
    """Version that the interpreter must know."""
    count: int
    """How many of them the model has."""


@dataclass(frozen=True)
class Port:
    """An input or output."""

    name: str
    """Name in the file."""
    shape: tuple[int, ...]
    """Shape with its batch axis; -1 is any size."""
    type: str
    """Element type."""


@dataclass(frozen=True)
class Graph:
    """What a flatbuffer says of itself."""

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
    """Whether a FULLY_CONNECTED has a weight scale for each of its channels."""


def read_graph(content: bytes, origin: str = "model.tflite") -> Graph:
    """Read a model's graph.

    Raises:
        ModelError: If the flatbuffer is damaged.
    """
    try:
        return _graph(Table(content, _uint(content, 0)))
    except (struct.error, IndexError, UnicodeDecodeError, ValueError) as error:
        raise ModelError(f"{origin} is damaged ({error}). Copy the file again.") from error


def _graph(model: Table) -> Graph:
    codes = [_code(table) for table in model.tables(1)]
    counts = [0] * len(codes)
    subgraphs = model.tables(2)
    for subgraph in subgraphs:
        for operator in subgraph.tables(3):
            counts[operator.scalar(0, "I")] += 1
    ops = tuple(Op(name, version, count) for (name, version), count in zip(codes, counts, strict=True) if count)
    if not subgraphs:
        raise ValueError("it has no subgraph")
    main = subgraphs[0]
    tensors = main.tables(0)
    inputs, outputs = (tuple(_port(tensors[index]) for index in main.integers(number)) for number in (1, 2))
    variables = tuple(index for index, tensor in enumerate(tensors) if tensor.scalar(5, "?"))
    dense = {index for index, (name, _) in enumerate(codes) if name == "FULLY_CONNECTED"}
    weights = [operator.integers(1)[1] for operator in main.tables(3) if operator.scalar(0, "I") in dense]
    scales = any(_scales(tensors[index]) > 1 for index in weights)
    return Graph(ops, inputs, outputs, variables, sum(buffer.length(0) for buffer in model.tables(4)), scales)


def _scales(tensor: Table) -> int:
    at = tensor.field(4)
    return Table(tensor.content, at + _uint(tensor.content, at)).length(2) if at else 0


def _port(tensor: Table) -> Port:
    return Port(tensor.string(3), tensor.integers(0), TYPES[tensor.scalar(1, "B")])


def _code(table: Table) -> tuple[str, int]:
    number = max(table.scalar(0, "b"), table.scalar(3, "i"))
    name = table.string(1) or OPS.get(number, f"BUILTIN_{number}")
    return name, table.scalar(2, "i", 1)


class Table:
    """A flatbuffer table: fields are found through its vtable."""

    def __init__(self, content: bytes, at: int) -> None:
        if not 0 < at < len(content):
            raise ValueError(f"offset {at} is outside of the file")
        self.content, self.at = content, at
        self.vtable = at - struct.unpack_from("<i", content, at)[0]
        self.size = struct.unpack_from("<H", content, self.vtable)[0] if self.vtable >= 0 else 0

    def field(self, number: int) -> int:
        """Where field `number` lies, 0 when it is not there."""
        slot = 4 + 2 * number
        if slot + 2 > self.size:
            return 0
        offset = struct.unpack_from("<H", self.content, self.vtable + slot)[0]
        return self.at + offset if offset else 0

    def scalar(self, number: int, code: str, default: int = 0) -> Any:
        """A number."""
        at = self.field(number)
        return struct.unpack_from(f"<{code}", self.content, at)[0] if at else default

    def vector(self, number: int) -> tuple[int, int]:
        """Where a vector's items begin, and how many there are."""
        at = self.field(number)
        if not at:
            return 0, 0
        start = at + _uint(self.content, at)
        return start + 4, _uint(self.content, start)

    def length(self, number: int) -> int:
        """Number of items of a vector."""
        return self.vector(number)[1]

    def tables(self, number: int) -> list[Table]:
        """The items of a vector of tables."""
        start, count = self.vector(number)
        if start + 4 * count > len(self.content):
            raise ValueError(f"a list of {count} items does not fit into the file")
        return [Table(self.content, at + _uint(self.content, at)) for at in range(start, start + 4 * count, 4)]

    def integers(self, number: int) -> tuple[int, ...]:
        """The items of a vector of 32-bit integers."""
        start, count = self.vector(number)
        if start + 4 * count > len(self.content):
            raise ValueError(f"a list of {count} numbers does not fit into the file")
        return struct.unpack_from(f"<{count}i", self.content, start)

    def string(self, number: int) -> str:
        """A text, empty when it is not there."""
        start, count = self.vector(number)
        return self.content[start : start + count].decode()


def _uint(content: bytes, at: int) -> int:
    value: int = struct.unpack_from("<I", content, at)[0]
    return value
