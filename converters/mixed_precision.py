"""Models whose layers differ in precision: what lies between the schemes in size and error."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from .flatbuffer import FLOAT16, FLOAT32, Graph, TFLiteFile
from .quantization.calibrator import Observations
from .quantization.op_rules import LSTM
from .quantization.quantizer import quantize
from .quantization.scheme import QuantizationScheme

MOST_LAYERS = 6  # the heaviest are tried one by one: at most 6 + 4 models a base
NAMES = {LSTM: "LSTM", "FULLY_CONNECTED": "dense"}
# a base's depth, and what a lifted layer has there
BASES = {"int8": ("full", "float activations"), "dynamic": ("hybrid", "float16 weights")}


def mixtures(
    lowered: TFLiteFile, seen: Observations, io: str, whole: Mapping[str, Any], finish: Callable[..., Any]
) -> dict[str, Any]:
    """Mixtures of int8 and dynamic, and of dynamic and float16, by a greedy order.

    Each heavy layer is lifted alone; then the layers that gain most are lifted together, one more each time.

    Args:
        lowered: Float model.
        seen: Its observed ranges.
        io: Input and output type of int8 models.
        whole: Conversions that are there already, for the best way to choose ranges.
        finish: Validates a file, see `pipeline`.

    Returns:
        Candidates by a name that says which layers were lifted.
    """
    layers = heavy_layers(lowered.graph)
    if len(layers) < 2:
        return {}

    def lift(base: str, chosen: tuple[str, ...]) -> Any:
        depth, gain = BASES[base]
        ranges = whole["int8"].validation.ranges if base == "int8" else "minmax"
        numbers = tuple(layers[name] for name in chosen)
        mixed = quantize(
            lowered, seen, QuantizationScheme(depth, ranges, io if base == "int8" else "float32", lifted=numbers)
        )
        mixed = half_weights(mixed) if base == "dynamic" else mixed
        return finish(base, mixed, f"mixed ({' and '.join(chosen)} with {gain})", ranges if base == "int8" else "")

    made: dict[str, Any] = {}
    for base in BASES:
        single = {(layer,): lift(base, (layer,)) for layer in layers}
        order = tuple(layer for (layer,) in sorted(single, key=lambda chosen: single[chosen].validation.error))
        together = {order[:count]: lift(base, order[:count]) for count in range(2, len(order))}
        made |= {f"{base}, {' and '.join(c)} with {BASES[base][1]}": m for c, m in (single | together).items()}
    return made


def heavy_layers(graph: Graph) -> dict[str, int]:
    """Operator numbers of the heaviest layers by a name such as `LSTM 2`, in the order of execution."""
    sizes: dict[str, tuple[int, int]] = {}
    counts = dict.fromkeys(NAMES, 0)
    for number, operator in enumerate(graph.operators):
        kind = graph.name_of(operator)
        weights = [graph.constant(int(index)) for index in operator.inputs[1:] if index >= 0] if kind in NAMES else []
        if any(part is not None for part in weights):
            counts[kind] += 1
            size = sum(part.size for part in weights if part is not None)
            sizes[f"{NAMES[kind]} {counts[kind]}"] = (number, size)
    heaviest = sorted(sizes, key=lambda name: -sizes[name][1])[:MOST_LAYERS]
    return {name: number for name, (number, _) in sizes.items() if name in heaviest}


def final_dense_layers(graph: Graph) -> tuple[int, ...]:
    """Operator numbers of the dense layers that make the outputs, past ops without weights.

    Args:
        graph: A float graph.
    """
    layers = []
    wanted = set(map(int, graph.sub.outputs))
    for number in reversed(range(len(graph.operators))):
        operator = graph.operators[number]
        if not wanted & set(map(int, operator.outputs)):
            continue
        if graph.name_of(operator) == "FULLY_CONNECTED":
            layers.append(number)
        elif graph.name_of(operator) != LSTM:
            wanted |= {int(index) for index in operator.inputs}
    return tuple(sorted(layers))


def half_weights(file: TFLiteFile) -> TFLiteFile:
    """A model with its float weights in half precision, widened when the model is loaded."""
    graph = file.graph.copy()
    for part in (graph, *graph.bodies()):
        _halve(part)
    return graph.finished()


def _halve(graph: Graph) -> None:
    widened: dict[int, int] = {}
    openings = []
    for operator in graph.operators:
        inputs = np.array(operator.inputs, np.int32)
        for place, index in enumerate(map(int, inputs)):
            values = graph.constant(index) if index >= 0 else None
            if values is None or values.dtype != np.float32 or values.size < 8:
                continue
            if index not in widened:
                narrow = graph.add_tensor(values.shape, FLOAT16, np.clip(values, -65504, 65504).astype(np.float16))
                widened[index] = graph.add_tensor(values.shape, FLOAT32)
                openings.append(graph.operator("DEQUANTIZE", [narrow], [widened[index]], 3))
            inputs[place] = widened[index]
        operator.inputs = inputs
    graph.sub.operators = [*openings, *graph.operators]
