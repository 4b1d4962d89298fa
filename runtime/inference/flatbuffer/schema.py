"""The tables of TensorFlow Lite's schema.fbs (version 3) as classes: the only place where its numbers stand.

`entry` gives a field's number in the schema and its type; `reader` decodes by these. A field that the schema has and that no
model for this runtime uses is named in `ABSENT`: a file that has it is refused.
"""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

from .table import Table

# BuiltinOperator: what recurrent models, their heads and their quantized forms use
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
NEWEST_OP = 209  # of LiteRT 2.3
TYPES = ("float32", "float16", "int32", "uint8", "int64", "string", "bool", "int16", "complex64", "int8",
         "float64", "complex128", "uint64", "resource", "variant", "uint32", "uint16", "int4", "bfloat16")  # fmt: skip
BITS = {"float32": 32, "float16": 16, "int32": 32, "uint8": 8, "int64": 64, "bool": 8, "int16": 16, "complex64": 64,
        "int8": 8, "float64": 64, "complex128": 128, "uint64": 64, "uint32": 32, "uint16": 16, "int4": 4,
        "bfloat16": 16}  # fmt: skip
"""Bits of an element; strings, resources and variants have no fixed size."""
LSTM_OPTIONS, IF_OPTIONS, WHILE_OPTIONS, CALL_ONCE_OPTIONS, NEWEST_OPTIONS = 71, 92, 93, 103, 126
OPTION_VECTORS = {3: {1: "i", 2: "i"}, 8: {5: "i"}, 17: {0: "i"}, 30: {0: "i"}, 111: {0: "B", 1: "B"}, 115: {0: "f"}}
"""Vectors and strings in operators' option tables, by BuiltinOptions number and field; all other fields are scalars."""


class Entry(NamedTuple):
    """Place and type of a field in the schema."""

    number: int
    """Number of the field."""
    kind: str
    """A `struct` code; `text`; `bytes` for (start, length) in the file; `options` for a table of any kind; `[code]` for a
    vector; `table` or `[table]`."""
    default: Any
    """Value when the file leaves it out."""
    table: Any = None
    """Class of a table or of the tables in a vector."""


class Record:
    """A decoded table; not a dataclass, as these take milliseconds to make and are made at every start.

    Args:
        at: Position of the table in the file, bytes.
        values: Value of each field.
    """

    entries: ClassVar[dict[str, Entry]]
    """Fields by name."""
    at: int
    """Position of the table in the file, bytes."""

    def __init_subclass__(cls) -> None:
        """Collect the fields of a table."""
        cls.entries = {name: value for name, value in vars(cls).items() if isinstance(value, Entry)}

    def __init__(self, at: int, values: dict[str, Any]) -> None:
        self.at = at
        self.__dict__.update(values)


def entry(number: int, kind: str | type, default: Any = 0) -> Any:
    """A field of a table.

    Args:
        number: In the schema.
        kind: As in `Entry`, or the class of a table.
        default: Value when the file leaves it out.
    """
    return Entry(number, kind, default) if isinstance(kind, str) else Entry(number, "table", default, kind)


def vector_of(number: int, kind: str | type) -> Any:
    """A vector field.

    Args:
        number: In the schema.
        kind: A `struct` code, or the class of the tables.
    """
    return Entry(number, f"[{kind}]", ()) if isinstance(kind, str) else Entry(number, "[table]", (), kind)


class Quantization(Record):
    """Relation of integers to real values: real = (integer - zero_point) * scale."""

    low: tuple[float, ...] = vector_of(0, "f")
    """Smallest real value, for converters."""
    high: tuple[float, ...] = vector_of(1, "f")
    """Largest real value, for converters."""
    scale: tuple[float, ...] = vector_of(2, "f")
    """Step; one value, or one for each index along `axis`."""
    zero_point: tuple[int, ...] = vector_of(3, "q")
    """Integers that stand for 0, as many as scales."""
    axis: int = entry(6, "i")
    """Axis of per-channel scales."""


class Variant(Record):
    """Element of a variant tensor."""

    shape: tuple[int, ...] = vector_of(0, "i")
    """Shape."""
    type: int = entry(1, "b")
    """Element type, index into TYPES."""
    ranked: bool = entry(2, "?", False)
    """True if the shape is known."""


class Tensor(Record):
    """A constant, a state variable or an activation."""

    shape: tuple[int, ...] = vector_of(0, "i")
    """Shape, batch axis first."""
    type: int = entry(1, "b")
    """Element type, index into TYPES."""
    buffer: int = entry(2, "I")
    """Index of its buffer; an empty buffer means that it is no constant."""
    name: str = entry(3, "text", "")
    """Name, perhaps empty."""
    quantization: Quantization | None = entry(4, Quantization, None)
    """Scale and zero point; None for real values."""
    variable: bool = entry(5, "?", False)
    """True if the interpreter keeps its values from call to call."""
    signature: tuple[int, ...] = vector_of(7, "i")
    """Shape with -1 for axes of any size."""
    ranked: bool = entry(8, "?", False)
    """True if an empty shape is that of a scalar."""
    variants: tuple[Variant, ...] = vector_of(9, Variant)
    """Elements of a variant tensor."""

    @property
    def scales(self) -> tuple[float, ...]:
        """Quantization steps, none for real values."""
        return self.quantization.scale if self.quantization else ()


class Operator(Record):
    """One step of a subgraph."""

    code: int = entry(0, "I")
    """Index into the model's operator codes."""
    inputs: tuple[int, ...] = vector_of(1, "i")
    """Tensor indices; -1 for an optional input that is not there."""
    outputs: tuple[int, ...] = vector_of(2, "i")
    """Tensor indices."""
    options_type: int = entry(3, "B")
    """BuiltinOptions number."""
    options: Table | None = entry(4, "options", None)
    """Table of that kind."""
    custom_options: tuple[int, int] = entry(5, "bytes", (0, 0))
    """Start and length in the file."""
    custom_format: int = entry(6, "b")
    """0, flexbuffers."""
    mutating: tuple[int, ...] = vector_of(7, "?")
    """Inputs that it changes, of old files."""
    intermediates: tuple[int, ...] = vector_of(8, "i")
    """Tensors that carry scales of values inside a fused operator."""
    debug: int = entry(13, "i", -1)
    """Index of debugging notes."""


class Subgraph(Record):
    """A list of operators over a list of tensors."""

    tensors: tuple[Tensor, ...] = vector_of(0, Tensor)
    """All tensors."""
    inputs: tuple[int, ...] = vector_of(1, "i")
    """Tensor indices."""
    outputs: tuple[int, ...] = vector_of(2, "i")
    """Tensor indices."""
    operators: tuple[Operator, ...] = vector_of(3, Operator)
    """Operators in execution order."""
    name: str = entry(4, "text", "")
    """Name, perhaps empty."""
    debug: int = entry(5, "i", -1)
    """Index of debugging notes."""


class OperatorCode(Record):
    """A kind of operation, with the version that the interpreter must know."""

    short: int = entry(0, "b")
    """Builtin number, of old files."""
    custom: str = entry(1, "text", "")
    """Name of an operation that is not built in."""
    version: int = entry(2, "i", 1)
    """Version."""
    number: int = entry(3, "i")
    """Builtin number."""

    @property
    def builtin(self) -> int:
        """BuiltinOperator number."""
        return max(self.short, self.number)

    @property
    def name(self) -> str:
        """Name in schema.fbs, or a custom operation's own."""
        return self.custom or OPS.get(self.builtin, f"BUILTIN_{self.builtin}")


class Buffer(Record):
    """Bytes of a constant."""

    data: tuple[int, int] = entry(0, "bytes", (0, 0))
    """Start and length in the file."""
    offset: int = entry(1, "Q")
    """0 or 1: data behind the flatbuffer, of files above 2 GB, is refused."""
    size: int = entry(2, "Q")
    """0 or 1, see `offset`."""


class Note(Record):
    """Metadata of TensorFlow's own tools."""

    name: str = entry(0, "text", "")
    """Name."""
    buffer: int = entry(1, "I")
    """Index of its buffer."""


class TensorName(Record):
    """Name of an input or output in a signature."""

    name: str = entry(0, "text", "")
    """Name."""
    tensor: int = entry(1, "I")
    """Tensor index."""


class Signature(Record):
    """Names for the inputs and outputs of a subgraph."""

    inputs: tuple[TensorName, ...] = vector_of(0, TensorName)
    """Inputs."""
    outputs: tuple[TensorName, ...] = vector_of(1, TensorName)
    """Outputs."""
    key: str = entry(2, "text", "")
    """Name of the signature."""
    subgraph: int = entry(4, "I")
    """Subgraph index."""


class Model(Record):
    """The root table."""

    version: int = entry(0, "I")
    """3."""
    codes: tuple[OperatorCode, ...] = vector_of(1, OperatorCode)
    """Kinds of operation."""
    subgraphs: tuple[Subgraph, ...] = vector_of(2, Subgraph)
    """The model, then bodies of its branches and loops."""
    description: str = entry(3, "text", "")
    """Free text."""
    buffers: tuple[Buffer, ...] = vector_of(4, Buffer)
    """Constants; the first is empty."""
    note_buffers: tuple[int, ...] = vector_of(5, "i")
    """Buffers of notes, of old files."""
    notes: tuple[Note, ...] = vector_of(6, Note)
    """Notes of converters."""
    signatures: tuple[Signature, ...] = vector_of(7, Signature)
    """Signatures."""
    content: bytes
    """The whole file."""


ABSENT = {
    Quantization: (5,),  # details of custom quantization; its type, field 4, is then 0
    Tensor: (6, 10),  # sparsity, external buffer
    Operator: (9, 10, 12),  # large custom options, StableHLO options
    Model: (8, 9),  # external buffers
}
"""Fields that link to what no model for this runtime has."""
PLAIN = {Quantization: (4,), Operator: (11,), Signature: (3,)}
"""Numbers that may be there and mean nothing without the fields above."""
