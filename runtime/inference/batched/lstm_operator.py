"""The LSTM operator of a file: its numbers, and its input side for all rows at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from ..flatbuffer.schema import Operator
from .fixed_point import UnprovenError
from .graph import BatchedGraph
from .lstm import ORDER, Gates, Hidden, IntegerLstm
from .operators import Port
from .overlap import overlapping, rows_of

Array = npt.NDArray[Any]
Step = Callable[[dict[int, Array]], None]
TANH_ACTIVATION = 4
GATE_STEPS = 4096.0  # of a gate's sum in 1: 16 bits with 3 integer bits


def lstm_step(graph: BatchedGraph, operator: Operator) -> Step:
    """Return the step of a UNIDIRECTIONAL_SEQUENCE_LSTM.

    Args:
        graph: Its model.
        operator: The operator.

    Raises:
        UnprovenError: If it is of another form than the one that the kernel's rounding is known for.
    """
    inputs, options = operator.inputs, operator.options
    source, target, (hidden, cell) = inputs[0], operator.outputs[0], inputs[18:20]
    absent = (*inputs[9:12], *inputs[16:18], *inputs[20:])
    ports = {name: graph.port(index) for name, index in (("source", source), ("hidden", hidden), ("cell", cell))}
    if (
        options is None
        or int(options.scalar(0, "b")) != TANH_ACTIVATION
        or options.scalar(1, "f")
        or options.scalar(2, "f")
        or options.scalar(3, "?")
        or max(absent, default=-1) >= 0
        or [port.type for port in ports.values()] != ["int8", "int8", "int16"]
        or len(operator.intermediates) != 5
    ):
        raise UnprovenError("an unusual LSTM")
    graph.need(source)
    lstm = _layer(graph, operator, ports)
    graph.widest = max(graph.widest, 4 * lstm.units)
    steps = ports["source"].shape[1]

    def step(values: dict[int, Array]) -> None:
        windows = values[source]
        count = len(windows)
        state = np.ones((lstm.units + 1, count))
        state[:-1] = values[hidden].T if hidden in values else ports["hidden"].zero_point
        last = np.array(values[cell].T, np.float64) if cell in values else np.zeros((lstm.units, count))
        out = np.empty((steps, lstm.units, count), np.int8)
        lstm.run(input_places(lstm, windows), state, last, out)
        values[target] = out.transpose(2, 0, 1)
        values[hidden], values[cell] = state[:-1].T, last.T

    graph.made.update((hidden, cell))
    return step


def _layer(graph: BatchedGraph, operator: Operator, ports: dict[str, Port]) -> IntegerLstm:
    exponent = float(np.log2(ports["cell"].scale))
    if exponent != round(exponent) or not -15 <= exponent <= -9 or ports["cell"].zero_point:
        raise UnprovenError("a cell scale that is no power of two")
    output = graph.port(operator.intermediates[4])
    return IntegerLstm(
        _side(graph, operator.inputs[1:5], operator.inputs[12:16], ports["source"]),
        _side(graph, operator.inputs[5:9], (-1,) * 4, ports["hidden"]),
        Hidden.of(output.scale, output.zero_point),
        round(exponent),
    )


def _side(graph: BatchedGraph, kernels: tuple[int, ...], biases: tuple[int, ...], port: Port) -> Gates:
    weights, sums, scales = [], [], []
    for gate in ORDER:
        kernel, bias, scale = graph.constant(kernels[gate]), graph.constant(biases[gate]), graph.scales(kernels[gate])
        if kernel is None or kernel.dtype != np.int8 or len(scale) != 1:
            raise UnprovenError("an LSTM without 8-bit weights")
        offset = -port.zero_point * kernel.astype(np.int64).sum(axis=1)
        weights.append(kernel)
        sums.append(offset if bias is None else offset + bias)
        scales.append(float(np.float32(scale[0]) * np.float32(port.scale)) * GATE_STEPS)
    return Gates.of(weights, sums, scales)


def input_places(lstm: IntegerLstm, windows: Array) -> Callable[[int], npt.NDArray[np.float64]]:
    """Return a function from a step to the input side's places, shape (4, H, N); overlapping windows share those of a row.

    Args:
        lstm: The layer.
        windows: Its input, shape (N, W, F).
    """
    count = len(windows)
    if overlapping(windows):
        rows = rows_of(windows)
        places = lstm.inputs.places(with_ones(rows.T))
        return lambda step: places[..., step : step + count]
    return lambda step: lstm.inputs.places(with_ones(windows[:, step].T))


def with_ones(values: Array) -> npt.NDArray[np.float64]:
    """Return values (F, N) in double precision with a last row of ones."""
    extended = np.ones((len(values) + 1, values.shape[1]))
    extended[:-1] = values
    return extended
