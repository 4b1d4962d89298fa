"""Quantized tensors of a float graph, and the ops that convert between the two."""

from typing import Any

import numpy as np
import numpy.typing as npt

from ..flatbuffer import FLOAT32, INT8, INT16, INT32, INT64, Graph, Quantization
from ..private_api import schema
from .calibrator import Observations
from .linear_path import REACH, end_tensors, linear_skip_path
from .params import asymmetric, symmetric, to_integers, wide
from .scheme import QuantizationScheme

UNIT = Quantization((1 / 32768,))  # 16 bits within -1 and 1
BIAS_LIMIT = 1 << 30  # an int32 accumulator keeps half its range for the products


class QuantizedGraph:
    """A graph while it is quantized: each float tensor gets a quantized tensor when a rule asks for it.

    Rules append their operators to `done`, in execution order.

    Args:
        graph: The float graph.
        observations: Values of its tensors on representative windows.
        scheme: Widths of weights, activations and ends.
    """

    def __init__(self, graph: Graph, observations: Observations, scheme: QuantizationScheme) -> None:
        self.graph, self.seen, self.scheme = graph, observations, scheme
        self.quantized: dict[int, tuple[int, Quantization]] = {}
        self.floats: set[int] = {int(index) for index in graph.sub.inputs}
        self.done: list[Any] = []
        self.states: dict[int, int] = {}
        self.loop_rows = _loop_rows(graph)
        self.kind = INT16 if scheme.wide else INT8
        self.skip_path = linear_skip_path(graph) if scheme.io == "auto" and not scheme.wide else frozenset()
        # of a model whose outputs are compared with its raw inputs: an output that is clipped where the input is not looks
        # like an anomaly, so no way to choose ranges may cut them
        self.ends = end_tensors(graph) - self.skip_path if observations.open_ends else frozenset()
        self.narrowed: dict[int, tuple[int, Quantization]] = {}
        # a sum of 16-bit integers overflows, and the interpreter aborts, where its own range is this much below another's
        widest = max((np.abs(self.seen.range(index, "minmax")).max() for index in self.skip_path), default=0.0)
        self._least = float(widest or 1.0) / 4096

    def parameters(self, index: int) -> Quantization:
        """Parameters of a float tensor in integers, by the scheme's method."""
        if index in self.skip_path:
            low, high = self.seen.range(index, "minmax")
            return wide(REACH * min(low, -self._least), REACH * max(high, self._least))
        return self.fit(*self.seen.range(index, "headroom" if index in self.ends else self.scheme.method))

    def fit(self, low: float, high: float) -> Quantization:
        """Parameters for a range in the scheme's width.

        Args:
            low: Smallest real value.
            high: Largest real value.
        """
        return wide(low, high) if self.scheme.wide else asymmetric(low, high)

    def new_quantized(self, index: int, quantization: Quantization) -> int:
        """An integer tensor that stands for a float activation, to be filled by the caller's operator.

        Args:
            index: Float tensor.
            quantization: Scale and zero point of the new one.
        """
        kind = INT16 if index in self.skip_path else self.kind
        integer = self.graph.add_tensor(self.graph.tensors[index].shape, kind, None, quantization)
        self.quantized[index] = (integer, quantization)
        return integer

    def integer(self, index: int, wanted: Quantization | None = None) -> tuple[int, Quantization]:
        """The quantized tensor of a float tensor, made on first use; requantized for another scale.

        Args:
            index: Float tensor.
            wanted: Scale and zero point to requantize to; None for the tensor's own.
        """
        if index not in self.quantized:
            constant = self.graph.constant(index)
            if constant is not None:
                quantization = wanted or self.fit(min(0.0, float(constant.min())), max(0.0, float(constant.max())))
                if max(quantization.scale) <= 1e-12:
                    # zeros; a large step would drown what they are added to
                    quantization = UNIT
                values = to_integers(constant, quantization, self.kind)
                integer = self.graph.add_tensor(constant.shape, self.kind, values, quantization)
                return integer, quantization
            quantization = self.parameters(index)
            self.done.append(self.graph.operator("QUANTIZE", [index], [self.new_quantized(index, quantization)], 2))
        integer, quantization = self.quantized[index]
        if index in self.skip_path:
            return self._narrowed(index, integer, wanted)
        if wanted is not None and wanted != quantization:
            again = self.graph.add_tensor(self.graph.tensors[index].shape, self.kind, None, wanted)
            self.done.append(self.graph.operator("QUANTIZE", [integer], [again], 2))
            return again, wanted
        return integer, quantization

    def _narrowed(self, index: int, integer: int, wanted: Quantization | None) -> tuple[int, Quantization]:
        """The int8 form of a tensor on the linear skip path, for ops beside the path; its range is the scheme's."""
        if wanted is None and index in self.narrowed:
            return self.narrowed[index]
        quantization = wanted or self.fit(*self.seen.range(index, self.scheme.method))
        narrow = self.graph.add_tensor(self.graph.tensors[index].shape, INT8, None, quantization)
        self.done.append(self.graph.operator("QUANTIZE", [integer], [narrow], 2))
        if wanted is None:
            self.narrowed[index] = (narrow, quantization)
        return narrow, quantization

    def as_float(self, index: int) -> None:
        """Make sure that a float tensor is computed."""
        if index in self.quantized and index not in self.floats:
            self.done.append(self.graph.operator("DEQUANTIZE", [self.quantized[index][0]], [index], 3))
            self.floats.add(index)

    def is_activation(self, index: int) -> bool:
        """Test whether a tensor is a float activation: an input of the model or the output of an op."""
        return (
            index >= 0 and self.graph.tensors[index].type == FLOAT32 and self.graph.constant(index) is None
        ) and not self.graph.tensors[index].isVariable

    def quantized_inputs(self, operator: Any) -> bool:
        """Test whether all activations that an op reads are quantized: ops without weights follow their inputs."""
        activations = [int(index) for index in operator.inputs if self.is_activation(int(index))]
        return bool(activations) and all(index in self.quantized for index in activations)

    def new_state(self, index: int, kind: int, quantization: Quantization) -> None:
        """An integer state tensor in place of a float one.

        Args:
            index: Float state tensor.
            kind: Type number of the schema.
            quantization: Scale and zero point.
        """
        state = self.graph.add_tensor(self.graph.tensors[index].shape, kind, None, quantization)
        self.graph.tensors[state].isVariable = True
        self.states[index] = state

    def scale_of(self, index: Any) -> Quantization:
        """Parameters that a tensor has."""
        parameters = self.graph.tensors[int(index)].quantization
        return Quantization(tuple(map(float, parameters.scale)), int(parameters.zeroPoint[0]))

    def reshaped(
        self, index: int, shape: Any, quantization: Quantization, stands_for: int | None = None, kind: int = INT8
    ) -> int:
        """An integer tensor in another shape; it stands for a float tensor if that is named.

        Args:
            index: Integer tensor.
            shape: New shape.
            quantization: Scale and zero point of both.
            stands_for: Float tensor that the new one replaces.
            kind: Type number of the schema.
        """
        options = schema.ReshapeOptionsT()
        options.newShape = np.asarray(shape, np.int32)
        if stands_for is None:
            target = self.graph.add_tensor(shape, kind, None, quantization)
        else:
            target = self.new_quantized(stands_for, quantization)
        self.done.append(self.graph.operator("RESHAPE", [index], [target], options=options))
        return target

    def weighted(self, inputs: list[Any], source_scale: Quantization, axis: int | None) -> list[int]:
        """Inputs (activation, kernel, bias) with kernel and bias in integers, a scale a channel.

        Args:
            inputs: Tensor indices of activation, kernel and, perhaps, bias.
            source_scale: Scale of the activation.
            axis: Axis of the output channels; None for one scale.
        """
        channels = self.constant(inputs[1]).shape[axis or 0]
        # a bias always: tflite-runtime 2.14 on Arm reads one in its per-channel kernels
        bias = self.bias_values(inputs, channels)
        least = 0.0 if self.scheme.wide or axis is None else np.abs(bias) / (source_scale.scale[0] * BIAS_LIMIT)
        index, kernel = self.weights(inputs[1], axis, least)
        offsets = self.bias(bias, source_scale.scale[0], kernel)
        if axis is not None and not self.scheme.wide:
            self.graph.tensors[offsets].quantization = None  # kernels take input times weight
        return [int(inputs[0]), index, offsets]

    def bias_values(self, inputs: Any, channels: int) -> npt.NDArray[Any]:
        """A layer's bias, zeros where it has none.

        Args:
            inputs: Tensor indices of activation, kernel and, perhaps, bias.
            channels: Output channels.
        """
        there = len(inputs) > 2 and inputs[2] >= 0
        return self.constant(inputs[2]).ravel() if there else np.zeros(channels, np.float32)

    def constant(self, index: Any) -> npt.NDArray[Any]:
        """A constant's values."""
        values = self.graph.constant(int(index))
        assert values is not None, "weights and biases of a lowered model are constants"
        return values

    def weights(self, index: Any, axis: int | None = None, least: Any = 0.0) -> tuple[int, Quantization]:
        """A constant as int8 weights: its new tensor and parameters; see `symmetric`.

        Args:
            index: Constant float tensor.
            axis: Axis of per-channel scales; None for one scale.
            least: Smallest scale, see `symmetric`.
        """
        values = self.constant(index)
        quantization = symmetric(values, axis, least)
        return self.graph.add_tensor(values.shape, INT8, to_integers(values, quantization), quantization), quantization

    def bias(self, bias: npt.NDArray[Any], scale: float, kernel: Quantization, kind: int | None = None) -> int:
        """A bias in steps of input times weight: its new tensor.

        Args:
            bias: Real values.
            scale: Scale of the input.
            kernel: Scales of the weights.
            kind: Type number of the schema; None for the scheme's.
        """
        product = Quantization(tuple(scale * step for step in kernel.scale))
        kind = kind or (INT64 if self.scheme.wide else INT32)
        return self.graph.add_tensor(bias.shape, kind, to_integers(bias, product, kind), product)


def _loop_rows(graph: Graph) -> set[int]:
    """Tensors that feed loops, back to the layer that made them: loop bodies take floats, so 8 bits would only lose."""
    rows: set[int] = set()
    for operator in reversed(graph.operators):
        name = graph.name_of(operator)
        if name == "IF" or (name in ("UNPACK", "RESHAPE") and any(int(index) in rows for index in operator.outputs)):
            rows.update(map(int, operator.inputs))
    return rows
