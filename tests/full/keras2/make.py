"""Writes the files of Keras 2 in this folder: `pip install --target tf_keras_folder tf_keras`, then run with it in PYTHONPATH."""

import os
from pathlib import Path

os.environ["TF_USE_LEGACY_KERAS"] = "1"

import numpy as np
import tf_keras as keras
from tf_keras import layers as L  # noqa: N812

FOLDER = Path(__file__).parent
T, F = 6, 2


def both_ways():
    return keras.Sequential(
        [keras.Input((T, F)), L.Bidirectional(L.LSTM(3, return_sequences=True)), L.Dropout(0.2),
         L.Bidirectional(L.GRU(2), merge_mode="sum"), L.BatchNormalization(), L.Dense(2)]
    )  # fmt: skip


def autoencoder():
    return keras.Sequential(
        [
            L.LSTM(3, input_shape=(T, F)),
            L.RepeatVector(T),
            L.LSTM(3, return_sequences=True),
            L.TimeDistributed(L.Dense(F)),
        ]
    )


def with_states():
    entry = keras.Input((T, F))
    last, *states = L.LSTM(3, return_state=True)(entry)
    return keras.Model(entry, L.Dense(2)(L.LSTM(3)(L.RepeatVector(4)(last), initial_state=states)))


def nested_and_sliced():
    entry = keras.Input((T, F))
    inner = keras.Sequential([keras.Input((T, F)), L.LSTM(3, return_sequences=True)])
    return keras.Model(entry, L.Dense(2)(inner(entry)[:, -1]))


def attention():
    entry = keras.Input((T, 1))
    rows = L.LSTM(3, return_sequences=True)(entry)
    rows = L.Add()([rows, L.MultiHeadAttention(1, 2)(rows, rows)])
    return keras.Model(entry, L.Dense(1)(L.GlobalAveragePooling1D()(L.Attention()([rows, rows]))))


if __name__ == "__main__":
    for build in (both_ways, autoencoder, with_states, nested_and_sliced, attention):
        keras.utils.set_random_seed(1)
        model = build()
        windows = np.random.default_rng(0).normal(size=(40, *model.inputs[0].shape[1:])).astype("float32")
        for ending in ("h5", "keras"):
            model.save(FOLDER / f"{build.__name__}.{ending}")
        np.savez_compressed(
            FOLDER / f"{build.__name__}.npz", windows=windows, outputs=model.predict(windows, verbose=0)
        )
