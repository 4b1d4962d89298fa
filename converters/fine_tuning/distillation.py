"""Fine-tuning of a Keras model in integer arithmetic, so that it gives the outputs that it gives in float: no labels are needed."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from ..lowering.keras_to_tflite import structured
from ..private_api import replaced_calls
from ..quantization.effect_rounding import round_dense
from ..quantization.weight_rounding import round_gates
from .integer_layers import GATES, Simulation

Array = npt.NDArray[Any]
Arrays = tuple[Array, ...]
MOST_WINDOWS = 2048
HELD = 0.15  # of the windows, the last ones: they say when to stop
BATCH = 32
CHECKED = 256  # held windows
RATE = 1e-4  # a step of an 8-bit weight is some 50 times as much
UPDATES, EVERY, PATIENCE = (
    400,
    20,
    6,
)  # updates in all, updates between two checks, checks without a gain before the end
SMALLEST = 1e-4  # of a channel's largest value: a smaller deviation is no scale to measure errors by


@dataclass(frozen=True)
class Lesson:
    """Windows with the float model's outputs for them."""

    inputs: Arrays
    """(N, ...) an input."""
    targets: Arrays
    """(N, ...) an output."""

    def part(self, rows: Any) -> tuple[list[Any], list[Any]]:
        """Some of the windows as tensors."""
        inputs, targets = ([tf.constant(part[rows]) for part in side] for side in (self.inputs, self.targets))
        return inputs, targets

    @property
    def weights(self) -> list[Array]:
        """Reciprocal deviation of each channel of each output."""
        scales = []
        for target in self.targets:
            rows = target.reshape(-1, target.shape[-1])
            least = SMALLEST * np.abs(rows).max() + 1e-12
            scales.append((1 / np.maximum(rows.std(axis=0), least)).astype(np.float32))
        return scales


def fine_tune(model: Any, windows: Arrays, tell: Callable[[str], None] = lambda _: None) -> bool:
    """Change a model's weights so that its integer form gives what its float form gives now.

    Args:
        model: A Keras model; its weights are changed in place.
        windows: Representative windows, (N, ...) an input.
        tell: Called with a line on the progress.

    Returns:
        Whether the integer form gained by it on windows that were held back; where it did not, the weights are as they were.
    """
    simulation = Simulation(model)
    if not simulation.lstms:
        return False
    before = model.get_weights()
    count = min(len(windows[0]), MOST_WINDOWS)
    chosen = tuple(part[np.linspace(0, len(part) - 1, count).astype(int)] for part in windows)
    with replaced_calls(simulation.calls()):
        lesson = Lesson(chosen, _outputs(model, chosen))
        simulation.integer = True
        pupil = _Pupil(model, lesson)
        plain = pupil.error()
        _round_all(simulation)
        best, weights = pupil.error(), model.get_weights()
        for number, error in pupil.learn():
            if error < best:
                best, weights = error, model.get_weights()
            tell(f"fine-tuning, {number} of {UPDATES} updates, error {min(best, plain):.2%} (before {plain:.2%})")
    gained = best < plain
    model.set_weights(weights if gained else before)
    return gained


class _Pupil:
    """The model in integer arithmetic, while it learns."""

    def __init__(self, model: Any, lesson: Lesson) -> None:
        self.model, self.lesson = model, lesson
        count = len(lesson.inputs[0])
        self.cut = max(1, int((1 - HELD) * count))
        self.held = lesson.part(np.arange(min(self.cut, count - 1), count)[:CHECKED])
        self.scales = lesson.weights
        self.variables = list(model.trainable_variables)
        self.check, self.gradients = tf.function(self._loss), tf.function(self._with_gradients)

    def _loss(self, inputs: list[Any], targets: list[Any]) -> Any:
        """Mean squared error of the outputs, in units of the channels' deviations."""
        made = keras.tree.flatten(self.model(structured(self.model, tuple(inputs)), training=False))
        parts = [
            tf.reduce_mean(tf.square((ours - exact) * scale))
            for ours, exact, scale in zip(made, targets, self.scales, strict=True)
        ]
        return tf.add_n(parts) / len(parts)

    def _with_gradients(self, inputs: list[Any], targets: list[Any]) -> Any:
        values = [variable.value for variable in self.variables]
        with tf.GradientTape() as tape:
            tape.watch(values)
            loss = self._loss(inputs, targets)
        return tape.gradient(loss, values, unconnected_gradients=tf.UnconnectedGradients.ZERO)

    def error(self) -> float:
        """RMS error on the held windows, a share of the channels' deviations."""
        squared: float = float(self.check(*self.held))
        return math.sqrt(squared)

    def learn(self) -> Iterator[tuple[int, float]]:
        """Update the weights; yields the number of updates and the error, now and then, until nothing is gained."""
        order = np.random.default_rng(0)
        optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(RATE, max(1, UPDATES)))
        optimizer.build(self.variables)
        best, waited = self.error(), 0
        for number in range(1, UPDATES + 1):
            rows = np.sort(order.choice(self.cut, min(BATCH, self.cut), replace=False))
            optimizer.apply(self.gradients(*self.lesson.part(rows)), self.variables)
            if number % EVERY:
                continue
            error = self.error()
            yield number, error
            best, waited = (error, 0) if error < best else (best, waited + 1)
            if waited >= PATIENCE:
                return


def _outputs(model: Any, windows: Arrays) -> Arrays:
    """Outputs of the float form; the simulation observes on the way."""
    batches = []
    for start in range(0, len(windows[0]), CHECKED):
        batch = tuple(tf.constant(part[start : start + CHECKED]) for part in windows)
        batches.append(
            [np.asarray(part) for part in keras.tree.flatten(model(structured(model, batch), training=False))]
        )
    return tuple(np.concatenate(parts) for parts in zip(*batches, strict=True))


def _round_all(simulation: Simulation) -> None:
    """Begin with weights that are rounded by their effect."""
    for layer in [layer for layer in simulation.lstms if f"{layer.path}:hidden" in simulation.seen]:
        cell, units = layer.cell, layer.cell.units
        seen = (simulation.seen[f"{layer.path}:{part}"] for part in ("inputs", "hidden"))
        rows, hidden = ([sequence for batch in part for sequence in batch.astype(np.float64)] for part in seen)
        parts = [np.asarray(part, np.float64) for part in (cell.kernel, cell.recurrent_kernel)]
        kernels, recurrents = (part.T.reshape(GATES, units, -1) for part in parts)
        bias = np.asarray(cell.bias, np.float64) if cell.use_bias else np.zeros(GATES * units)
        made = round_gates(kernels, recurrents, bias.reshape(GATES, units), rows, hidden)
        cell.kernel.assign(made[0].reshape(GATES * units, -1).T)
        cell.recurrent_kernel.assign(made[1].reshape(GATES * units, -1).T)
        if cell.use_bias:
            cell.bias.assign(made[2].ravel())
    for layer in [layer for layer in simulation.denses if f"{layer.path}:inputs" in simulation.seen]:
        moments = np.concatenate(simulation.seen[f"{layer.path}:inputs"]).astype(np.float64)
        kernel, shift = round_dense(np.asarray(layer.kernel, np.float64).T, moments.reshape(-1, moments.shape[-1]))
        layer.kernel.assign(kernel.T)
        if layer.use_bias:
            layer.bias.assign_add(shift)
