"""Training steps with Keras' LSTM, as a loop, unrolled and fused: processor time a step, side by side in one run.

    python benchmarks/fused_lstm.py [--turns 3]

Each row is a network that `train` makes; the windows are noise. The losses after the same steps are printed beside the times:
they differ by rounding alone.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from unittest import mock

import keras
import numpy as np
import tensorflow as tf

from edgelstm.training import epochs
from edgelstm.training.architectures import Architecture, build
from edgelstm.training.batches import Layout
from edgelstm.training.epochs import Learner, learner_of
from edgelstm.training.witnesses import build_recurrent

CHANNELS, STEPS, CALLS = 5, 16, 4
FORMS = ("loop", "unrolled", "fused")


@dataclass(frozen=True)
class Case:
    """A network and its windows."""

    name: str
    """Its shape, in words."""
    make: Callable[[], Any]
    """Builds the Keras model."""
    window: int
    """Rows, W."""
    horizon: int
    """Rows to forecast; 0 for an autoencoder."""
    batch: int
    """Windows a step."""


CASES = (
    Case("forecaster, 24 units, 8 patches, 32 windows", lambda: build_recurrent(Architecture(), 32, CHANNELS), 32, 1, 32),
    Case("the same, 256 windows", lambda: build_recurrent(Architecture(), 32, CHANNELS), 32, 1, 256),
    Case("forecaster, 48 and 24 units, 48 rows, 85 windows", lambda: build(Architecture(units=(48, 24)), 48, CHANNELS), 48, 1, 85),
    Case("autoencoder, 16 units, 24 rows, 85 windows", lambda: build(Architecture("autoencoder", units=(16,)), 24, CHANNELS), 24, 0, 85),
)  # fmt: skip


def unrolled(layer: Any) -> Any:
    """Return a copy of a layer, unrolled where it is an LSTM."""
    config = layer.get_config()
    if isinstance(layer, keras.layers.LSTM):
        config["unroll"] = True
    return type(layer).from_config(config)


def learner(case: Case, form: str) -> Learner:
    """Make a learner of one form, always with the same weights."""
    keras.utils.set_random_seed(0)
    model = case.make()
    layout = Layout(case.window, case.horizon, CHANNELS)
    quick = unrolled if form == "unrolled" else lambda layer: type(layer).from_config(layer.get_config())
    fuse = epochs.fuse if form == "fused" else lambda _: []
    with mock.patch.multiple(epochs, _quick=quick, fuse=fuse):
        made = learner_of(model, keras.optimizers.Adam(3e-3, clipnorm=1.0), layout, layout)
    made.model.set_weights(model.get_weights())
    return made


def measure(case: Case, turns: int) -> None:
    """Print milliseconds a step by form: trace, learning, loss."""
    rows = np.random.default_rng(0).normal(size=(4000, CHANNELS)).astype(np.float32)
    starts = np.arange(STEPS * case.batch, dtype=np.int32) % (len(rows) - case.window - case.horizon)
    traces, times, losses = {}, {form: [] for form in FORMS}, {}
    learners = {form: learner(case, form) for form in FORMS}
    for form, made in learners.items():
        begin = time.process_time()
        made.step(rows, starts, case.batch)
        traces[form] = time.process_time() - begin
    for _ in range(turns):
        for form, made in learners.items():
            begin = time.process_time()
            for _ in range(CALLS):
                losses[form] = float(made.step(rows, starts, case.batch)) / len(starts)
            times[form].append((time.process_time() - begin) / (CALLS * STEPS) * 1000)
    for form in FORMS:
        print(
            f"{case.name:50}  {form:9} {np.median(times[form]):7.2f} ms a step ({min(times[form]):.2f} to {max(times[form]):.2f}), "
            f"first call {traces[form]:5.2f} s, loss {losses[form]:.5f}",
            flush=True,
        )


def main() -> None:
    """Measure all cases."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=3)
    options = parser.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    for case in CASES:
        measure(case, options.turns)


if __name__ == "__main__":
    main()
