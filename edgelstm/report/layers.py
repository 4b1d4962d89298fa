"""Where a quantized model loses accuracy: every tensor of it against the same tensor in float."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgelstm.runtime.interpreter import Tensor, backend

BINS = 60
Doubles = npt.NDArray[np.float64]
# Ops that a quantizer adds between others: they compute nothing of their own.
GLUE = {"QUANTIZE", "DEQUANTIZE"}
TITLES = {
    "UNIDIRECTIONAL_SEQUENCE_LSTM": "LSTM",
    "FULLY_CONNECTED": "Dense",
    "CONV_2D": "Conv",
    "DEPTHWISE_CONV_2D": "Depthwise conv",
    "BATCH_MATMUL": "Matmul",
}


@dataclass(frozen=True)
class TensorError:
    """One op's output, float against quantized, over the same windows."""

    name: str
    """Op and its number among its kind, such as `LSTM 2`."""
    error: float
    """RMS difference as a share of the float values' standard deviation."""
    low: float
    """Lowest value that the integers can hold; -inf for a float tensor."""
    high: float
    """Highest value that the integers can hold; inf for a float tensor."""
    clipped: float
    """Share of float values outside that range."""
    edges: Doubles
    """Histogram bin edges of the float values, shape (B + 1,)."""
    counts: Doubles
    """Histogram counts of the float values, shape (B,)."""


def tensor_errors(
    float_model: bytes, quantized_model: bytes, inputs: tuple[npt.NDArray[Any], ...]
) -> tuple[TensorError, ...]:
    """Compare the outputs of all ops of two conversions of one model.

    Args:
        float_model: Flatbuffer of the float32 scheme.
        quantized_model: Flatbuffer of another scheme of the same model.
        inputs: Windows, (N, ...) for each model input.

    Returns:
        One entry an op, in graph order; empty when the two graphs hold different ops, as unrelated
        lowerings do: a comparison by guess would be worse than none.
    """
    exact, quantized = _Probe(float_model), _Probe(quantized_model)
    if [op for op, _ in exact.ops] != [op for op, _ in quantized.ops]:
        return ()
    values, copies = exact.run(inputs), quantized.run(inputs)
    names = _numbered([op for op, _ in exact.ops])
    return tuple(
        _compare(name, value, copy, tensor)
        for name, value, copy, (_, tensor) in zip(names, values, copies, quantized.ops, strict=True)
        if np.issubdtype(value.dtype, np.floating)
    )


def _compare(name: str, value: npt.NDArray[Any], copy: npt.NDArray[Any], tensor: Tensor) -> TensorError:
    counts, edges = np.histogram(value, bins=BINS)
    low, high = -np.inf, np.inf
    if tensor.scale:
        limits = np.iinfo(tensor.dtype)
        low, high = ((limit - tensor.zero_point) * tensor.scale for limit in (limits.min, limits.max))
    half_step = tensor.scale / 2
    clipped = float(np.mean((value < low - half_step) | (value > high + half_step)))
    spread = float(value.std()) or 1.0
    error = float(np.sqrt(np.mean((value.astype(np.float64) - copy) ** 2))) / spread
    return TensorError(name, error, low, high, clipped, edges, counts.astype(np.float64))


def _numbered(ops: list[str]) -> list[str]:
    seen: Counter[str] = Counter()
    names = []
    for op in ops:
        seen[op] += 1
        names.append(f"{TITLES.get(op, op.replace('_', ' ').capitalize())} {seen[op]}")
    return names


class _Probe:
    """An interpreter that keeps every tensor, and the first output of every op that computes."""

    def __init__(self, content: bytes) -> None:
        found = backend("ai_edge_litert")  # tflite-runtime cannot keep intermediate tensors
        self.interpreter = found.interpreter(
            model_content=content,
            experimental_preserve_all_tensors=True,
            experimental_op_resolver_type=found.plain_kernels,
        )
        self.interpreter.allocate_tensors()
        details = {detail["index"]: detail for detail in self.interpreter.get_tensor_details()}
        self.inputs = [Tensor.of(detail) for detail in self.interpreter.get_input_details()]
        self.ops = [(op, Tensor.of(details[index])) for op, index in _ops(content) if op not in GLUE]

    def run(self, inputs: tuple[npt.NDArray[Any], ...]) -> list[npt.NDArray[Any]]:
        """The real values of each op's output over all windows, one array an op."""
        rows: list[list[npt.NDArray[Any]]] = [[] for _ in self.ops]
        for window in zip(*inputs, strict=True):
            self.interpreter.reset_all_variables()
            for tensor, values in zip(self.inputs, window, strict=True):
                self.interpreter.set_tensor(tensor.index, tensor.quantize(values).reshape(tensor.shape))
            self.interpreter.invoke()
            for kept, (_, tensor) in zip(rows, self.ops, strict=True):
                kept.append(tensor.dequantize(self.interpreter.get_tensor(tensor.index)))
        return [np.stack(kept) for kept in rows]


def _ops(content: bytes) -> list[tuple[str, int]]:
    """Name and first output tensor of every op, in order."""
    from tensorflow.lite.python import schema_py_generated as schema

    names = {value: name for name, value in vars(schema.BuiltinOperator).items() if not name.startswith("_")}
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(content, 0))
    codes = [names[max(code.builtinCode, code.deprecatedBuiltinCode)] for code in model.operatorCodes]
    return [(codes[op.opcodeIndex], int(op.outputs[0])) for op in model.subgraphs[0].operators]
