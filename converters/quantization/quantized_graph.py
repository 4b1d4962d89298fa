"""Integer twins of a float graph's tensors, and the ops that lead from one to the other."""

from typing import Any

import numpy as np
import numpy.typing as npt

from ..flatbuffer import FLOAT32, INT8, INT16, INT32, INT64, Graph, Quantization
from .calibrator import Observations
from .linear_path import REACH, straight_path
from .params import asymmetric, symmetric, to_integers, wide
from .scheme import Plan

UNIT = Quantization((1 / 32768,))  # 16 bits within -1 and 1
BIAS_LIMIT = 1 << 30  # an int32 accumulator keeps half its range for the products


class Twins:
    """The graph under work: each float tensor gets an integer twin when somebody asks for it.

    Rules append their operators to `done`, in execution order.
    """

    def __init__(self, graph: Graph, observations: Observations, plan: Plan) -> None:
        self.graph, self.seen, self.plan = graph, observations, plan
        self.twins: dict[int, tuple[int, Quantization]] = {}
        self.floats: set[int] = {int(index) for index in graph.sub.inputs}
        self.done: list[Any] = []
        self.states: dict[int, int] = {}
        self.rows = _loop_rows(graph)
        self.kind = INT16 if plan.wide else INT8
        self.straight = straight_path(graph) if plan.io == "auto" and not plan.wide else frozenset()
        self.narrowed: dict[int, tuple[int, Quantization]] = {}

    def parameters(self, index: int) -> Quantization:
        """Parameters of a float tensor in integers, by the plan's method."""
        if index in self.straight:
            low, high = self.seen.range(index, "minmax")
            return wide(REACH * low, REACH * high)
        return self.fit(*self.seen.range(index, self.plan.method))

    def fit(self, low: float, high: float) -> Quantization:
        """Parameters for a range in the plan's width."""
        return wide(low, high) if self.plan.wide else asymmetric(low, high)

    def new_twin(self, index: int, quantization: Quantization) -> int:
        """An integer tensor that stands for a float activation, to be filled by the caller's operator."""
        kind = INT16 if index in self.straight else self.kind
        twin = self.graph.add_tensor(self.graph.tensors[index].shape, kind, None, quantization)
        self.twins[index] = (twin, quantization)
        return twin

    def integer(self, index: int, wanted: Quantization | None = None) -> tuple[int, Quantization]:
        """The integer twin of a float tensor, made when it is not there; requantized when another scale is wanted."""
        if index not in self.twins:
            constant = self.graph.constant(index)
            if constant is not None:
                quantization = wanted or self.fit(min(0.0, float(constant.min())), max(0.0, float(constant.max())))
                if max(quantization.scale) <= 1e-12:
                    # zeros; a large step would drown what they are added to
                    quantization = UNIT
                values = to_integers(constant, quantization, self.kind)
                twin = self.graph.add_tensor(constant.shape, self.kind, values, quantization)
                return twin, quantization
            quantization = self.parameters(index)
            self.done.append(self.graph.operator("QUANTIZE", [index], [self.new_twin(index, quantization)], 2))
        twin, quantization = self.twins[index]
        if index in self.straight:
            return self._narrowed(index, twin, wanted)
        if wanted is not None and wanted != quantization:
            again = self.graph.add_tensor(self.graph.tensors[index].shape, self.kind, None, wanted)
            self.done.append(self.graph.operator("QUANTIZE", [twin], [again], 2))
            return again, wanted
        return twin, quantization

    def _narrowed(self, index: int, twin: int, wanted: Quantization | None) -> tuple[int, Quantization]:
        """What the other ops see of a tensor on the straight path: 8 bits of the range that the plan chooses."""
        if wanted is None and index in self.narrowed:
            return self.narrowed[index]
        quantization = wanted or self.fit(*self.seen.range(index, self.plan.method))
        narrow = self.graph.add_tensor(self.graph.tensors[index].shape, INT8, None, quantization)
        self.done.append(self.graph.operator("QUANTIZE", [twin], [narrow], 2))
        if wanted is None:
            self.narrowed[index] = (narrow, quantization)
        return narrow, quantization

    def as_float(self, index: int) -> None:
        """Make sure that a float tensor is computed."""
        if index in self.twins and index not in self.floats:
            self.done.append(self.graph.operator("DEQUANTIZE", [self.twins[index][0]], [index], 3))
            self.floats.add(index)

    def is_activation(self, index: int) -> bool:
        """Whether a tensor is a float one that an op computes or the model is given."""
        return (
            index >= 0 and self.graph.tensors[index].type == FLOAT32 and self.graph.constant(index) is None
        ) and not self.graph.tensors[index].isVariable

    def quantized_inputs(self, operator: Any) -> bool:
        """Whether an op's activations are at hand in int8: ops without weights follow their inputs."""
        activations = [int(index) for index in operator.inputs if self.is_activation(int(index))]
        return bool(activations) and all(index in self.twins for index in activations)

    def new_state(self, index: int, kind: int, quantization: Quantization) -> None:
        """An integer state tensor in place of a float one."""
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
        """An integer tensor in another shape; as the twin of a float tensor if that is named."""
        sizes = self.graph.add_tensor([len(shape)], INT32, np.asarray(shape, np.int32))
        if stands_for is None:
            target = self.graph.add_tensor(shape, kind, None, quantization)
        else:
            target = self.new_twin(stands_for, quantization)
        self.done.append(self.graph.operator("RESHAPE", [index, sizes], [target]))
        return target

    def weighted(self, inputs: list[Any], given: Quantization, axis: int | None) -> list[int]:
        """Inputs (activation, kernel, bias) with kernel and bias in integers, a scale a channel."""
        channels = self.constant(inputs[1]).shape[axis or 0]
        # a bias always: tflite-runtime 2.14 on Arm reads one in its per-channel kernels
        bias = self.bias_values(inputs, channels)
        least = 0.0 if self.plan.wide or axis is None else np.abs(bias) / (given.scale[0] * BIAS_LIMIT)
        index, kernel = self.weights(inputs[1], axis, least)
        return [int(inputs[0]), index, self.bias(bias, given.scale[0], kernel)]

    def bias_values(self, inputs: Any, channels: int) -> npt.NDArray[Any]:
        """A layer's bias, zeros where it has none."""
        there = len(inputs) > 2 and inputs[2] >= 0
        return self.constant(inputs[2]).ravel() if there else np.zeros(channels, np.float32)

    def constant(self, index: Any) -> npt.NDArray[Any]:
        """A constant's values."""
        values = self.graph.constant(int(index))
        assert values is not None, "weights and biases of a lowered model are constants"
        return values

    def weights(self, index: Any, axis: int | None = None, least: Any = 0.0) -> tuple[int, Quantization]:
        """A constant as int8 weights: its new tensor and parameters; see `symmetric`."""
        values = self.constant(index)
        quantization = symmetric(values, axis, least)
        return self.graph.add_tensor(values.shape, INT8, to_integers(values, quantization), quantization), quantization

    def bias(self, bias: npt.NDArray[Any], scale: float, kernel: Quantization, kind: int | None = None) -> int:
        """A bias in steps of input times weight: its new tensor."""
        product = Quantization(tuple(scale * step for step in kernel.scale))
        kind = kind or (INT64 if self.plan.wide else INT32)
        return self.graph.add_tensor(bias.shape, kind, to_integers(bias, product, kind), product)


def _loop_rows(graph: Graph) -> set[int]:
    """What goes into loops, back to the layer that made it: their bodies take floats, so 8 bits would only lose."""
    found: set[int] = set()
    for operator in reversed(graph.operators):
        name = graph.name_of(operator)
        if name == "IF" or (name in ("UNPACK", "RESHAPE") and any(int(index) in found for index in operator.outputs)):
            found.update(map(int, operator.inputs))
    return found
