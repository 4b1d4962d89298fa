"""A Keras stack of LSTM and Dense layers as ONNX: two files, float and with 8-bit weights (ONNX Runtime's dynamic form)."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic


class Builder:
    """Nodes and weights of a growing graph; `last` is the newest tensor's name."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.weights: list[Any] = []
        self.last = "window"

    def node(self, kind: str, constants: list[np.ndarray], outputs: int = 1, **attributes: Any) -> None:
        """A node over the newest tensor and constants; its last output becomes the newest tensor."""
        number = len(self.nodes)
        names = [f"c{number}_{place}" for place in range(len(constants))]
        self.weights += [numpy_helper.from_array(value, name) for value, name in zip(constants, names, strict=True)]
        results = [f"t{number}_{place}" for place in range(outputs)]
        self.nodes.append(helper.make_node(kind, [self.last, *names], results, name=f"n{number}", **attributes))
        self.last = results[-1]

    def lstm(self, layer: Any) -> None:
        """Keras' gates are i, f, g, o; ONNX' are i, o, f, g. Its sequences are (T, directions, 1, U)."""
        kernel, recurrent, bias = (_reordered(np.asarray(part)) for part in layer.get_weights())
        zeros = np.zeros_like(bias)
        constants = [kernel.T[None].copy(), recurrent.T[None].copy(), np.concatenate([bias, zeros])[None]]
        self.node("LSTM", constants, 1 if layer.return_sequences else 2, hidden_size=layer.units)
        # the sequence loses its axis of directions, the last state too
        self.node("Squeeze", [np.array([1 if layer.return_sequences else 0], np.int64)])

    def dense(self, layer: Any) -> None:
        """A product over the last axis."""
        kernel, bias = (np.asarray(part) for part in layer.get_weights())
        self.node("MatMul", [kernel])
        self.node("Add", [bias])


def _reordered(values: np.ndarray) -> np.ndarray:
    enter, forget, candidate, leave = np.split(values, 4, axis=-1)
    return np.concatenate([enter, leave, forget, candidate], axis=-1)


def export(model: Any, path: Path) -> None:
    """Write `path` and, with 8-bit weights, the same with suffix `.dynamic.onnx`."""
    builder = Builder()
    builder.node("Transpose", [], perm=[1, 0, 2])
    sequence = True
    for layer in model.layers[1:]:
        if type(layer).__name__ == "LSTM":
            builder.lstm(layer)
            sequence = layer.return_sequences
        else:
            builder.dense(layer)
    if sequence:
        builder.node("Transpose", [], perm=[1, 0, 2])
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, *shape[1:]])
        for name, shape in (("window", model.input_shape), (builder.last, model.output_shape))
    ]
    graph = helper.make_graph(builder.nodes, "model", ends[:1], ends[1:], builder.weights)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(made)
    onnx.save(made, path)
    quantize_dynamic(path, path.with_suffix(".dynamic.onnx"), weight_type=QuantType.QInt8)
