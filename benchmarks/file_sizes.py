"""Bytes of int8 files beside `dynamic` ones, without metadata: `python benchmarks/file_sizes.py` (needs the train extra, half a minute).

The models of the latency benchmark and what `train` builds with no option on 1, 3 and 8 channels. Their weights are random, biases too, as after
a training: an untrained model's equal biases would be stored once. Prints rows for a table of Markdown.
"""

import os

os.environ |= {"OMP_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}

from collections.abc import Iterator
from typing import Any

import numpy as np
from latency import MODELS, series

NOISE = 0.05  # added to every weight
ROWS, WINDOWS = 32, 100
CHANNELS = (1, 3, 8)


def specimens() -> Iterator[tuple[str, Any, int, int]]:
    """Yield name, Keras model, rows of its window and channels."""
    import keras

    from edgelstm.training.architectures import Architecture
    from edgelstm.training.witnesses import build_witnesses

    keras.utils.set_random_seed(1)
    for name, (steps, channels, units) in MODELS.items():
        both = name.startswith("autoencoder")
        inputs = keras.Input((steps, channels))
        hidden = keras.layers.LSTM(units, return_sequences=True)(inputs)
        hidden = keras.layers.Dense(4)(hidden) if both else hidden
        outputs = keras.layers.Dense(channels)(keras.layers.LSTM(units, return_sequences=both)(hidden))
        yield name, keras.Model(inputs, outputs), steps, channels
    for channels in CHANNELS:
        yield f"`train`, {channels} channels", build_witnesses(Architecture(), ROWS, 8, channels), ROWS, channels


def sizes(model: Any, steps: int, channels: int) -> list[int]:
    """Bytes of the `dynamic` and of the int8 file.

    Args:
        model: Keras model; its weights change.
        steps: Rows of its window, W.
        channels: Its channels, F.
    """
    from edgelstm.converters.lowering.keras_to_tflite import lower
    from edgelstm.converters.quantization.calibrator import observe
    from edgelstm.converters.quantization.quantizer import quantize
    from edgelstm.converters.quantization.scheme import QuantizationScheme

    random = np.random.default_rng(5)
    model.set_weights([part + random.normal(0, NOISE, part.shape).astype(np.float32) for part in model.get_weights()])
    windows = np.lib.stride_tricks.sliding_window_view(series(steps, channels), steps, axis=0)[:WINDOWS]
    lowered = lower(model)
    observations = observe(lowered, (windows.transpose(0, 2, 1).copy(),))
    schemes = (QuantizationScheme("hybrid", io="float32"), QuantizationScheme("full", coarse_path=True))
    return [len(quantize(lowered, observations, scheme).content) for scheme in schemes]


def main() -> None:
    """Print the table."""
    for name, model, steps, channels in specimens():
        dynamic, integer = sizes(model, steps, channels)
        print(f"| {name} | {dynamic:,} | {integer:,} | {integer - dynamic:,} |", flush=True)


if __name__ == "__main__":
    main()
