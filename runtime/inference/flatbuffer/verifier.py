"""Rules that a TFLite model keeps before an interpreter sees it.

An interpreter trusts its file: an index out of range or a constant that is too short ends the process with a segmentation
fault. `reader` has checked that the file can be read; here the graph is checked: indices, shapes, sizes, quantization, and
that every operator reads only what is there by its turn. What the kernels of single operations ask for beyond that is
found by a trial in a process of its own, see `model_file.trial`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from ...errors import ModelError
from .schema import (
    BITS,
    CALL_ONCE_OPTIONS,
    IF_OPTIONS,
    NEWEST_OP,
    OPS,
    TYPES,
    WHILE_OPTIONS,
    Model,
    Operator,
    OperatorCode,
    Quantization,
    Subgraph,
    Tensor,
)  # fmt: skip
from .table import DamagedError

MOST_AXES = 8
MOST_ELEMENTS = 1 << 28
ACTIVATIONS = 64 << 20  # bytes of all activations of a subgraph together
ACTIVATIONS_FOR_A_BYTE = 16  # as many more for each byte of the file
LEAST_SCALE, LARGEST_SCALE = 1e-30, 1e30  # kernels abort on what single precision holds with few digits only
INTEGER_TYPES = {"int8": 127, "uint8": 255, "int16": 32767, "int32": 2**31 - 1, "int64": 2**63 - 1, "int4": 7}
STATE_WRITERS = {"CAST", "CONCATENATION", "QUANTIZE"}  # put the values into a state that it begins with
MAY_LACK: dict[str, frozenset[int]] = {
    "FULLY_CONNECTED": frozenset({2}),
    "CONV_2D": frozenset({2}),
    "DEPTHWISE_CONV_2D": frozenset({2}),
    "LSTM": frozenset({1, 5, 9, 10, 11, 12, 16, 17, 20, 21, 22, 23}),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": frozenset({1, 5, 9, 10, 11, 12, 16, 17, 20, 21, 22, 23}),
}
"""Inputs that may be -1, by operation; the other operations in OPS have none."""
UNLISTED = ("CUSTOM", "BIDIRECTIONAL_SEQUENCE_LSTM")  # but for these, whose kernels check their inputs
INPUTS: dict[str, tuple[int, int]] = {
    "ADD": (2, 2), "SUB": (2, 2), "MUL": (2, 2), "DIV": (2, 2), "MAXIMUM": (2, 2), "MINIMUM": (2, 2), "LESS": (2, 2),
    "POW": (2, 2), "SQUARED_DIFFERENCE": (2, 2), "LOGISTIC": (1, 1), "TANH": (1, 1), "RELU": (1, 1), "RELU6": (1, 1),
    "EXP": (1, 1), "NEG": (1, 1), "RSQRT": (1, 1), "SOFTMAX": (1, 1), "GELU": (1, 1), "CAST": (1, 1), "QUANTIZE": (1, 1),
    "DEQUANTIZE": (1, 1), "SHAPE": (1, 1), "SQUEEZE": (1, 1), "UNPACK": (1, 1), "AVERAGE_POOL_2D": (1, 1),
    "MAX_POOL_2D": (1, 1), "RESHAPE": (1, 2), "FULLY_CONNECTED": (2, 3), "CONV_2D": (2, 3), "DEPTHWISE_CONV_2D": (2, 3),
    "SLICE": (3, 3), "STRIDED_SLICE": (4, 4), "TRANSPOSE": (2, 2), "GATHER": (2, 2), "EMBEDDING_LOOKUP": (2, 2),
    "PAD": (2, 2), "MEAN": (2, 2), "SUM": (2, 2), "REDUCE_MAX": (2, 2), "TILE": (2, 2), "EXPAND_DIMS": (2, 2),
    "FILL": (2, 2), "REVERSE_V2": (2, 2), "SPLIT": (2, 2), "SPLIT_V": (3, 3), "BATCH_MATMUL": (2, 2), "SELECT_V2": (3, 3),
    "BROADCAST_TO": (2, 2), "LSTM": (5, 24), "UNIDIRECTIONAL_SEQUENCE_LSTM": (20, 24), "BIDIRECTIONAL_SEQUENCE_LSTM": (48, 48),
    "UNIDIRECTIONAL_SEQUENCE_RNN": (5, 5), "CONCATENATION": (1, 4096), "PACK": (1, 4096),
}  # fmt: skip
"""Fewest and most inputs, by operation."""


def verify(model: Model, origin: str = "model.tflite") -> None:
    """Check a model as `reader` decoded it.

    Args:
        model: The model.
        origin: Name of the file, for errors.

    Raises:
        ModelError: If it breaks a rule of this module.
    """
    try:
        if model.version != 3 or not model.subgraphs or not model.buffers:
            raise DamagedError("it is not a TFLite model of version 3 with a subgraph and a buffer")
        for code in model.codes:
            if not 0 <= code.builtin <= NEWEST_OP or not 1 <= code.version <= 100:
                raise DamagedError(f"operation {code.builtin}, version {code.version}, is not known")
        if any(buffer.offset > 1 or buffer.size > 1 for buffer in model.buffers):
            raise DamagedError("a constant lies behind the flatbuffer")
        for subgraph in model.subgraphs:
            _Checker(model, subgraph).check()
    except DamagedError as error:
        raise ModelError(
            f"{origin} is damaged: {error}. Copy the file again, or convert the Keras model again."
        ) from error


class _Checker:
    """The rules for one subgraph."""

    def __init__(self, model: Model, subgraph: Subgraph) -> None:
        self.model, self.subgraph, self.tensors = model, subgraph, subgraph.tensors
        self.stored: set[int] = set()
        """Tensors with data from the start, or without elements."""
        self.written: set[int] = set()
        """Tensors that have their values by the operator's turn: states, inputs, outputs of operators before."""

    def check(self) -> None:
        """Check tensors, then operators in their order.

        Raises:
            DamagedError: If a rule is broken.
        """
        self._check_tensors()
        self._check_ends()
        for number, operator in enumerate(self.subgraph.operators):
            self._check_operator(number, operator)
        if not self.stored.union(self.written).issuperset(self.subgraph.outputs):
            raise DamagedError("no operator writes an output")

    def _check_tensors(self) -> None:
        activations = 0
        for index, tensor in enumerate(self.tensors):
            if self._check_tensor(index, tensor):
                self.stored.add(index)
            else:
                activations += _bytes(tensor)
            if tensor.variable:
                self.written.add(index)
        if activations > ACTIVATIONS + ACTIVATIONS_FOR_A_BYTE * len(self.model.content):
            raise DamagedError(f"its activations need {activations >> 20} MiB")

    def _check_ends(self) -> None:
        inputs, outputs = self.subgraph.inputs, self.subgraph.outputs
        self._check_indices(inputs, "an input")
        self._check_indices(outputs, "an output")
        if not outputs:
            raise DamagedError("a subgraph has no output")
        if not self.stored.isdisjoint(inputs) or len(set(inputs)) < len(inputs):
            raise DamagedError("an input is a constant, or there twice")
        self.written.update(inputs)

    def _check_tensor(self, index: int, tensor: Tensor) -> bool:
        """Check a tensor by itself; tell whether it holds data from the start, or has no elements."""
        if not 0 <= tensor.type < len(TYPES):
            raise DamagedError(f"tensor {index} has the unknown type {tensor.type}")
        if len(tensor.shape) > MOST_AXES or any(size < 0 for size in tensor.shape):
            raise DamagedError(f"tensor {index} has the impossible shape {tensor.shape[: MOST_AXES + 1]}")
        if math.prod(tensor.shape) > MOST_ELEMENTS:
            raise DamagedError(f"tensor {index} has the impossible shape {tensor.shape}")
        if tensor.signature and len(tensor.signature) != len(tensor.shape):
            raise DamagedError(f"tensor {index} has two different shapes")
        if tensor.quantization is not None:
            _check_quantization(index, tensor, tensor.quantization)
        if tensor.buffer >= len(self.model.buffers):
            raise DamagedError(f"tensor {index} has no buffer")
        size = self.model.buffers[tensor.buffer].data[1]
        if not size:
            return not math.prod(tensor.shape)
        if tensor.variable or (TYPES[tensor.type] in BITS and size != _bytes(tensor)):
            raise DamagedError(f"tensor {index} of shape {tensor.shape} does not fit its {size} bytes")
        return True

    def _check_operator(self, number: int, operator: Operator) -> None:
        if operator.code >= len(self.model.codes):
            raise DamagedError(f"operator {number} is of no known operation")
        code = self.model.codes[operator.code]
        who = f"operator {number} ({code.name})"
        _check_inputs(code, operator, who)
        taken = [index for index in operator.inputs if index != -1]
        self._check_indices((*taken, *operator.outputs), who)
        self._check_indices((index for index in operator.intermediates if index != -1), who)
        for index in taken:
            if index not in self.stored and index not in self.written:
                raise DamagedError(f"{who} reads tensor {index} before it is written")
        for index in operator.outputs:
            begins = self.tensors[index].variable and code.name in STATE_WRITERS  # the values that a state begins with
            if index in self.stored or (index in self.written and not begins):
                raise DamagedError(f"{who} writes tensor {index}, which has its values already")
        self.written.update(operator.outputs)
        self._check_bodies(number, operator)

    def _check_bodies(self, number: int, operator: Operator) -> None:
        """Branches, loops and initializers name subgraphs that exist and take as many tensors."""
        fields = {IF_OPTIONS: 2, WHILE_OPTIONS: 2, CALL_ONCE_OPTIONS: 1}.get(operator.options_type, 0)
        for field in range(fields):
            body = int(operator.options.scalar(field, "i")) if operator.options else 0
            if not 0 < body < len(self.model.subgraphs):
                raise DamagedError(f"operator {number} calls subgraph {body}, which is not there")
            passed = len(operator.inputs) - (operator.options_type == IF_OPTIONS)
            if fields == 2 and len(self.model.subgraphs[body].inputs) != passed:
                raise DamagedError(f"operator {number} calls a subgraph with {passed} inputs, which takes others")

    def _check_indices(self, indices: Iterable[int], who: str) -> None:
        if not all(0 <= index < len(self.tensors) for index in indices):
            raise DamagedError(f"{who} names a tensor that is not there")


def _check_inputs(code: OperatorCode, operator: Operator, who: str) -> None:
    """Check the number of inputs, and that none is left out but optional ones."""
    fewest, most = INPUTS.get(code.name, (0, len(operator.inputs)))
    if not fewest <= len(operator.inputs) <= most or not operator.outputs:
        raise DamagedError(f"{who} has {len(operator.inputs)} inputs and {len(operator.outputs)} outputs")
    if code.builtin in OPS and code.name not in UNLISTED:
        lacking = {place for place, index in enumerate(operator.inputs) if index == -1}
        if not MAY_LACK.get(code.name, frozenset()).issuperset(lacking):
            raise DamagedError(f"{who} lacks an input")


def _check_quantization(index: int, tensor: Tensor, quantization: Quantization) -> None:
    scales, zeros = quantization.scale, quantization.zero_point
    if not scales:
        return
    axis = quantization.axis
    channels = tensor.shape[axis] if 0 <= axis < len(tensor.shape) else 1
    if len(scales) not in (1, channels) or len(zeros) not in (0, len(scales)):
        raise DamagedError(f"tensor {index} has {len(scales)} scales and {len(zeros)} zero points")
    if not all(LEAST_SCALE < scale < LARGEST_SCALE for scale in scales):
        raise DamagedError(f"tensor {index} has a scale that is not a positive number")
    most = INTEGER_TYPES.get(TYPES[tensor.type], 0)
    if any(not -most - 1 <= zero <= most for zero in zeros):
        raise DamagedError(f"tensor {index} has a zero point beyond its type")


def _bytes(tensor: Tensor) -> int:
    """Size of a tensor's values; 0 where the type has no fixed size."""
    return _size(tensor.shape, BITS.get(TYPES[tensor.type], 0))


def _size(shape: Sequence[int], bits: int) -> int:
    return (math.prod(shape) * bits + 7) // 8
