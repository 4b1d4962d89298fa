"""Calibration: values of the float model's tensors on representative windows, and the ranges chosen from them."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from edgelstm.runtime.inference.interpreter import Tensor, TFLiteModel

from ..flatbuffer import FLOAT32, Graph, TFLiteFile
from ..private_api import preserving_interpreter

Floats = npt.NDArray[np.float32]
METHODS = ("minmax", "headroom", "mse", "percentile")
HEADROOM = 1.2  # values to come may reach further than the representative ones: what saturates is lost
PERCENTILE = 0.9999  # of values on either side
BUDGET = 1 << 26  # values kept in all, 256 MB: fewer windows are observed for a large model
CONSTANT = (
    1e-10  # a narrower range is what rounding left of a constant channel; its steps would overflow kernels' multipliers
)
SAMPLE = 1 << 15  # values of a tensor that the MSE search looks at


@dataclass
class Observations:
    """Values seen in every float activation, and in the cell state of every fused LSTM."""

    values: dict[int, Floats]
    """By tensor index, all values in one row."""
    cells: dict[int, float]
    """Largest absolute cell state by the LSTM's output tensor."""
    ranges: dict[tuple[int, str], tuple[float, float]] = field(default_factory=dict)
    """Ranges chosen so far, by tensor index and method."""
    open_ends: bool = False
    """Inputs and outputs reach beyond what was seen, however ranges are chosen: see `QuantizedGraph.ends`."""

    def range(self, index: int, method: str) -> tuple[float, float]:
        """Lowest and highest value to represent; always holds 0.

        Args:
            index: Tensor index in the float model.
            method: minmax, headroom, percentile or mse.
        """
        key = (index, method)
        if key not in self.ranges:
            self.ranges[key] = choose_range(self.values[index], method)
        return self.ranges[key]


def observe(
    lowered: TFLiteFile, windows: tuple[npt.NDArray[Any], ...], starts: tuple[int, ...] | None = None
) -> Observations:
    """Run the float model over windows, keeping every intermediate tensor.

    Args:
        lowered: Float model.
        windows: (N, ...) for each input.
        starts: Of a streaming model, the windows (of one row each) at which a sequence begins: the state is kept from
            there to the next one. None resets it before every window.
    """
    graph = lowered.graph
    interpreter = preserving_interpreter(lowered.content)
    watched = _activations(graph)
    size = sum(int(np.prod(graph.tensors[index].shape)) for index in watched)
    count = max(8, min(len(windows[0]), BUDGET // max(1, size)))
    spread = np.unique(np.linspace(0, len(windows[0]) - 1, count).astype(int))
    chosen = spread if starts is None else np.arange(min(count, len(windows[0])))
    inputs = [Tensor.of(detail) for detail in interpreter.get_input_details()]
    seen: dict[int, list[Floats]] = {index: [] for index in watched}
    for row in chosen:
        if starts is None or row in starts:
            interpreter.reset_all_variables()
        for tensor, values in zip(inputs, windows, strict=True):
            interpreter.set_tensor(tensor.index, tensor.quantize(values[row]).reshape(tensor.shape))
        interpreter.invoke()
        for index in watched:
            seen[index].append(interpreter.get_tensor(index))
    stacked = {index: np.concatenate(parts) for index, parts in seen.items()}
    initial = _initial_states(graph, stacked)
    cells = {}
    for operator in graph.operators:
        if graph.name_of(operator) == "UNIDIRECTIONAL_SEQUENCE_LSTM":
            source, output = int(operator.inputs[0]), int(operator.outputs[0])
            hidden, cell = (initial.get(int(index)) for index in operator.inputs[18:20])
            sequences = _sequences(stacked[source], starts)
            cells[output] = max(largest_cell(graph, operator, part, hidden, cell) for part in sequences)
            if hidden is not None:
                stacked[output] = np.concatenate([stacked[output].ravel(), hidden.ravel()])
    return Observations({index: values.ravel() for index, values in stacked.items()}, cells)


def _sequences(inputs: Floats, starts: tuple[int, ...] | None) -> list[Floats]:
    """The inputs of an LSTM as sequences (N, T, F) that each begin with a zero state."""
    if starts is None:
        return [inputs]
    cuts = [start for start in starts if 0 < start < len(inputs)]
    return [part.reshape(1, -1, inputs.shape[-1]) for part in np.split(inputs, cuts)]


def _activations(graph: Graph) -> list[int]:
    made = {int(index) for operator in graph.operators for index in operator.outputs}
    entries = {int(index) for index in graph.sub.inputs}
    tensors = graph.tensors
    return sorted(index for index in made | entries if tensors[index].type == FLOAT32 and not tensors[index].isVariable)


def _initial_states(graph: Graph, seen: dict[int, Floats]) -> dict[int, Floats]:
    """Initial states, (N, U) or (1, U), by state tensor; those that begin at 0 are left out."""
    initial = {}
    for operator in graph.operators:
        target = int(operator.outputs[0])
        if graph.tensors[target].isVariable and graph.name_of(operator) != "CAST":
            source = int(operator.inputs[0])
            constant = graph.constant(source)
            initial[target] = seen[source] if constant is None else constant
    return initial


def largest_cell(
    graph: Graph, operator: Any, inputs: Floats, hidden: Floats | None = None, cell: Floats | None = None
) -> float:
    """Largest absolute cell state of a fused LSTM, replayed in NumPy: interpreters do not give it away.

    Args:
        graph: The float model.
        operator: Its UNIDIRECTIONAL_SEQUENCE_LSTM.
        inputs: What went in, shape (N, T, F).
        hidden: Hidden states that it begins with, (N, U); None is 0.
        cell: Likewise its cell states.
    """
    parts = [graph.constant(int(index)) for index in operator.inputs[:16]]
    kernel = np.concatenate([np.asarray(part) for part in parts[1:5]]).T
    recurrent = np.concatenate([np.asarray(part) for part in parts[5:9]]).T
    bias = np.concatenate([np.asarray(part) for part in parts[12:16]])
    zeros = np.zeros((len(inputs), recurrent.shape[0]), np.float32)
    hidden, cell = (zeros if state is None else zeros + state for state in (hidden, cell))
    largest = float(np.abs(cell).max())
    for step in range(inputs.shape[1]):
        # TFLite's gate order: input, forget, cell, output
        i, f, g, o = np.split(inputs[:, step] @ kernel + hidden @ recurrent + bias, 4, axis=1)
        cell = _sigmoid(f) * cell + _sigmoid(i) * np.tanh(g)
        hidden = _sigmoid(o) * np.tanh(cell)
        largest = max(largest, float(np.abs(cell).max()))
    return largest


def _sigmoid(z: Floats) -> Floats:
    half: Floats = 0.5 * (1 + np.tanh(0.5 * z))
    return half


def choose_range(values: Floats, method: str) -> tuple[float, float]:
    """A range for 8-bit integers that holds 0.

    Args:
        values: Observed values, any shape.
        method: `minmax` takes all, `headroom` a fifth more, `percentile` cuts 0.01 % on either side, `mse` the range between the two
            halves and the whole whose rounding and clipping errors together are least.

    >>> choose_range(np.array([0.5, 2.0]), "minmax")
    (0.0, 2.0)
    >>> choose_range(np.array([-1.7e-16, -1.1e-16]), "minmax")
    (0.0, 1.0)
    """
    flat = values.ravel()
    low, high = float(flat.min()), float(flat.max())
    if method == "percentile":
        low, high = (float(limit) for limit in np.quantile(flat, [1 - PERCENTILE, PERCENTILE]))
    low, high = min(low, 0.0), max(high, 0.0)
    if method == "headroom":
        low, high = HEADROOM * low, HEADROOM * high
    if method == "mse" and high - low > CONSTANT:
        sample = flat[:: max(1, len(flat) // SAMPLE)]
        shares = np.linspace(1.0, 0.4, 25)
        errors = [_rounding_error(sample, share * low, share * high) for share in shares]
        best = float(shares[int(np.argmin(errors))])
        low, high = best * low, best * high
    return (low, high) if high - low > CONSTANT else (0.0, 1.0)


def _rounding_error(values: Floats, low: float, high: float) -> float:
    scale = (high - low) / 255
    rounded = np.clip(np.rint((values - low) / scale), 0, 255) * scale + low
    return float(np.mean((rounded - values) ** 2))


def run(
    content: bytes, windows: tuple[npt.NDArray[Any], ...], stream: bool = False, target: str = ""
) -> tuple[npt.NDArray[Any], ...]:
    """Outputs of a converted model over windows, through the runtime's own model object; (N, ...) an output.

    Args:
        content: Flatbuffer.
        windows: (N, ...) for each input.
        stream: Whether they are consecutive samples of one stream; the state is kept between them then.
        target: See `TFLiteModel`.
    """
    return run_model(TFLiteModel(content, target=target), windows, stream)


def run_model(
    model: TFLiteModel, windows: tuple[npt.NDArray[Any], ...], stream: bool = False
) -> tuple[npt.NDArray[Any], ...]:
    """Outputs of a loaded model over windows; (N, ...) an output.

    Args:
        model: The model; a stream begins from a zero state.
        windows: (N, ...) for each input.
        stream: See `run`.
    """
    if not stream and model.batched is not None and len(windows[0]):
        return (model.predict(windows[0]),)
    model.reset()
    call = model.step if stream else model
    rows = [call(*window) for window in zip(*windows, strict=True)]
    return tuple(np.concatenate(parts) for parts in zip(*rows, strict=True))
