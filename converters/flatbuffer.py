"""The TFLite flatbuffer as objects: reading, editing and writing it small and reproducibly."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .private_api import schema
from .sharing_builder import SharingBuilder

Array = npt.NDArray[Any]
FLOAT32, FLOAT16, INT8, INT16, INT32, INT64, BOOL = (
    schema.TensorType.FLOAT32, schema.TensorType.FLOAT16, schema.TensorType.INT8, schema.TensorType.INT16,
    schema.TensorType.INT32, schema.TensorType.INT64, schema.TensorType.BOOL,
)  # fmt: skip
DTYPES: dict[int, Any] = {
    FLOAT32: np.float32, FLOAT16: np.float16, INT8: np.int8, INT16: np.int16, INT32: np.int32, INT64: np.int64,
    BOOL: np.bool_,
}  # fmt: skip
OPS: dict[str, int] = {name: code for name, code in vars(schema.BuiltinOperator).items() if not name.startswith("_")}
NAMES: dict[int, str] = {code: name for name, code in OPS.items()}


@dataclass(frozen=True)
class Quantization:
    """Affine map from integers to real values: real = (integer - zero_point) * scale."""

    scale: tuple[float, ...]
    """Step; one value, or one a channel along `axis`."""
    zero_point: int = 0
    """Integer that stands for 0."""
    axis: int = 0
    """Channel axis of per-channel scales."""


class Graph:
    """A subgraph of a model, with short names for what a quantizer does to it: the main one, or the body of a loop.

    Args:
        model: Decoded model, a `ModelT` of the schema.
        number: Of the subgraph; 0 is the main one.
    """

    def __init__(self, model: Any, number: int = 0) -> None:
        self.model = model
        self.sub = model.subgraphs[number]

    @classmethod
    def parse(cls, content: bytes) -> Graph:
        """Read a flatbuffer."""
        return cls(schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(bytearray(content), 0)))

    @property
    def subgraph_count(self) -> int:
        """Subgraphs in the file; all but the first are bodies of loops."""
        return len(self.model.subgraphs)

    def bodies(self) -> list[Graph]:
        """The subgraphs that the main one calls."""
        return [Graph(self.model, number) for number in range(1, self.subgraph_count)]

    def add_body(self) -> Graph:
        """Append an empty subgraph."""
        body = schema.SubGraphT()
        body.tensors, body.operators, body.inputs, body.outputs = [], [], [], []
        self.model.subgraphs.append(body)
        return Graph(self.model, self.subgraph_count - 1)

    @property
    def operators(self) -> list[Any]:
        """Operators in execution order."""
        return self.sub.operators  # type: ignore[no-any-return]

    @property
    def tensors(self) -> list[Any]:
        """All tensors."""
        return self.sub.tensors  # type: ignore[no-any-return]

    def op_names(self) -> list[str]:
        """Name of each operator, in execution order."""
        return [self.name_of(operator) for operator in self.operators]

    def name_of(self, operator: Any) -> str:
        """Name of an operator, such as FULLY_CONNECTED."""
        code = self.model.operatorCodes[operator.opcodeIndex]
        return NAMES[max(code.builtinCode, code.deprecatedBuiltinCode)]

    def custom_name(self, operator: Any) -> str:
        """A custom op's own name, empty for a built-in one."""
        name = self.model.operatorCodes[operator.opcodeIndex].customCode
        return bytes(name).decode() if name else ""

    def constant(self, index: int) -> Array | None:
        """A constant tensor's values, None for an activation."""
        tensor = self.tensors[index]
        data = self.model.buffers[tensor.buffer].data
        if data is None or len(data) == 0 or tensor.isVariable:
            return None
        values: Array = np.frombuffer(bytes(data), DTYPES[tensor.type]).reshape(tensor.shape)
        return values

    def add_tensor(
        self, shape: Any, kind: int, values: Array | None = None, quantization: Quantization | None = None
    ) -> int:
        """Append a tensor, with constant values unless None; returns its index.

        Args:
            shape: Shape with the batch axis.
            kind: Type number of the schema.
            values: Values of a constant.
            quantization: Scale and zero point.
        """
        tensor = schema.TensorT()
        tensor.shape, tensor.type, tensor.name = np.asarray(shape, np.int32), kind, b""
        tensor.buffer = 0
        if values is not None:
            tensor.buffer = self._add_buffer(values)
        if quantization is not None:
            tensor.quantization = _parameters(quantization)
        self.tensors.append(tensor)
        return len(self.tensors) - 1

    def replace_constant(self, index: int, values: Array) -> None:
        """Give a constant other values.

        Args:
            index: Its tensor.
            values: Of the tensor's shape; cast to its type.
        """
        self.tensors[index].buffer = self._add_buffer(values.astype(DTYPES[self.tensors[index].type]))

    def _add_buffer(self, values: Array) -> int:
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(np.ascontiguousarray(values).tobytes(), np.uint8)
        self.model.buffers.append(buffer)
        return len(self.model.buffers) - 1

    def operator(self, name: str, inputs: list[int], outputs: list[int], version: int = 1, options: Any = None) -> Any:
        """A new operator, not yet placed; `options` is one of the schema's option objects.

        Args:
            name: Name in schema.fbs.
            inputs: Tensor indices, -1 for an optional one that is not there.
            outputs: Tensor indices.
            version: Version that the interpreter must know.
            options: One of the schema's option objects.
        """
        operator = schema.OperatorT()
        operator.opcodeIndex = self.code(name, version)
        if options is not None:
            operator.builtinOptions = options
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, type(options).__name__[:-1])
        operator.inputs, operator.outputs = np.asarray(inputs, np.int32), np.asarray(outputs, np.int32)
        return operator

    def code(self, name: str, version: int) -> int:
        """Index of an operator code, added when it is new.

        Args:
            name: Name in schema.fbs.
            version: Version that the interpreter must know.
        """
        for index, code in enumerate(self.model.operatorCodes):
            same = max(code.builtinCode, code.deprecatedBuiltinCode) == OPS[name] and code.version == version
            if same and not code.customCode:
                return index
        code = schema.OperatorCodeT()
        code.builtinCode, code.version = OPS[name], version
        code.deprecatedBuiltinCode = min(OPS[name], 127)
        self.model.operatorCodes.append(code)
        return len(self.model.operatorCodes) - 1

    def copy(self) -> Graph:
        """A graph that can be changed without changing this one; both share the values of constants."""
        model = copy.copy(self.model)
        model.operatorCodes, model.buffers = list(model.operatorCodes), list(model.buffers)
        model.subgraphs = [_copied_subgraph(sub) for sub in model.subgraphs]
        return Graph(model)

    def finished(self) -> TFLiteFile:
        """The graph with the file that it makes; nothing may change the graph afterwards."""
        return TFLiteFile(self, self.serialize())

    def serialize(self) -> bytes:
        """Write the flatbuffer: unused and repeated parts, names and converter notes are dropped, here too."""
        _strip(self)
        builder = SharingBuilder(1 << 16)
        builder.Finish(self.model.Pack(builder), file_identifier=b"TFL3")
        return bytes(builder.Output())


@dataclass(frozen=True)
class TFLiteFile:
    """A graph and the file that it makes; both number their tensors alike."""

    graph: Graph
    """The parsed form."""
    content: bytes
    """The flatbuffer."""

    @classmethod
    def parse(cls, content: bytes) -> TFLiteFile:
        """Read a flatbuffer."""
        return cls(Graph.parse(content), content)


def _copied_subgraph(sub: Any) -> Any:
    copied = copy.copy(sub)
    copied.tensors = [copy.copy(tensor) for tensor in sub.tensors]
    copied.operators = [copy.copy(operator) for operator in sub.operators]
    for operator in copied.operators:
        operator.builtinOptions = copy.copy(operator.builtinOptions)
    return copied


def _parameters(quantization: Quantization) -> Any:
    parameters = schema.QuantizationParametersT()
    parameters.scale = np.asarray(quantization.scale, np.float32)
    parameters.zeroPoint = np.full(len(quantization.scale), quantization.zero_point, np.int64)
    parameters.quantizedDimension = quantization.axis
    return parameters


def _strip(graph: Graph) -> None:
    """Drop what an interpreter does not need."""
    model = graph.model
    model.metadata, model.metadataBuffer, model.signatureDefs, model.description = None, None, None, None
    _drop_unused_codes(model)
    seen: dict[bytes, int] = {b"": 0}
    buffers = [schema.BufferT()]
    for part in (graph, *graph.bodies()):
        part.sub.name = None
        _drop_unused_tensors(part)
        for tensor in part.tensors:
            # shape signatures, names and float ranges serve converters only
            tensor.shapeSignature, tensor.name = None, None
            if tensor.quantization is not None and tensor.quantization.scale is None:
                tensor.quantization = None
            data = model.buffers[tensor.buffer].data
            content = b"" if data is None else bytes(bytearray(data))
            if content not in seen:
                buffer = schema.BufferT()
                buffer.data = np.frombuffer(content, np.uint8)
                buffers.append(buffer)
                seen[content] = len(buffers) - 1
            tensor.buffer = seen[content]
    model.buffers = buffers
    _name_ends(graph.sub)


def _name_ends(sub: Any) -> None:
    for number, index in enumerate(sub.inputs):
        sub.tensors[index].name = f"input_{number}".encode()
    for number, index in enumerate(sub.outputs):
        if index not in sub.inputs:
            sub.tensors[index].name = f"output_{number}".encode()


def _drop_unused_tensors(graph: Graph) -> None:
    sub = graph.sub
    used = {int(index) for index in (*sub.inputs, *sub.outputs)}
    for operator in sub.operators:
        for part in (operator.inputs, operator.outputs, operator.intermediates):
            used |= {int(index) for index in (() if part is None else part) if index >= 0}
    order = sorted(used)
    place = {old: new for new, old in enumerate(order)} | {-1: -1}
    sub.tensors = [sub.tensors[index] for index in order]

    def moved(part: Any) -> Any:
        return None if part is None else np.asarray([place[int(index)] for index in part], np.int32)

    for operator in sub.operators:
        operator.inputs, operator.outputs = moved(operator.inputs), moved(operator.outputs)
        operator.intermediates = moved(operator.intermediates)
    sub.inputs, sub.outputs = moved(sub.inputs), moved(sub.outputs)


def _drop_unused_codes(model: Any) -> None:
    operators = [operator for sub in model.subgraphs for operator in sub.operators]
    order = sorted({operator.opcodeIndex for operator in operators})
    model.operatorCodes = [model.operatorCodes[index] for index in order]
    for operator in operators:
        operator.opcodeIndex = order.index(operator.opcodeIndex)
