"""Recurrent layers beyond the plain LSTM: what each becomes, and that it is Keras' own arithmetic."""

from functools import cache

import numpy as np
import pytest
from conftest import F, L, T, functional, keras, outputs_of, stack, waves
from edgelstm.converters.lowering import rnn_ops as loops
from edgelstm.converters.lowering.keras_to_tflite import in_float32, lower
from edgelstm.converters.quantization.calibrator import observe, run
from edgelstm.converters.quantization.quantizer import quantize
from edgelstm.converters.quantization.scheme import QuantizationScheme
from edgelstm.converters.validation.limits import relative_rms
from edgelstm.runtime.errors import ConversionError

LSTM, RNN = "UNIDIRECTIONAL_SEQUENCE_LSTM", "UNIDIRECTIONAL_SEQUENCE_RNN"
TOKENS = 12


def gaps(count=60):
    """Windows with masked rows before, between and behind the valid ones."""
    data = waves(np.random.default_rng(8), (count, T, F))
    for number, window in enumerate(data):
        window[T - number % 6 :] = 0
        window[: number % 3] = 0
        window[4 : 4 + number % 4] = 0
    return data


def tokens(count=60):
    return (np.abs(gaps(count)[..., 0]) * 4).astype(np.int32) % TOKENS


def states():
    def build(x):
        sequence, h, c = L.LSTM(6, return_sequences=True, return_state=True)(x)
        return [L.Dense(2)(sequence), L.Concatenate()([h, c])]

    return functional(build, (T, F))


def both_ways():
    """A bidirectional encoder whose states a decoder begins with, and that are used again afterwards."""

    def build(x):
        _, h, c, back_h, back_c = L.Bidirectional(L.LSTM(4, return_state=True))(x)
        h, c = L.Concatenate()([h, back_h]), L.Concatenate()([c, back_c])
        decoded = L.LSTM(8)(L.RepeatVector(5)(h), initial_state=[h, c])
        return L.Dense(2)(L.Concatenate()([decoded, h, c]))

    return functional(build, (T, F))


def masked_states():
    def build(x):
        last, h, c = L.LSTM(5, return_state=True)(L.Masking()(x))
        return L.Dense(2)(L.LSTM(5)(L.RepeatVector(4)(last), initial_state=[h, c]))

    return functional(build, (T, F))


def words(layer):
    return keras.Sequential(
        [keras.Input((T,), dtype="int32"), L.Embedding(TOKENS, 5, mask_zero=True), layer, L.Dense(2)]
    )


PLAIN, GAPS, TOKEN = "plain", "gaps", "tokens"
MODELS = {
    "states": (states, PLAIN, {LSTM}),
    "both_ways": (both_ways, PLAIN, {LSTM}),
    "masked": (lambda: stack(L.Masking(), L.LSTM(6, return_sequences=True), L.LSTM(4)), GAPS, {LSTM}),
    "masked_both_ways": (lambda: stack(L.Masking(), L.Bidirectional(L.LSTM(4, return_sequences=True))), GAPS, {LSTM}),
    "masked_words": (lambda: words(L.Bidirectional(L.LSTM(4))), TOKEN, {LSTM}),
    "masked_states": (masked_states, GAPS, {LSTM, "IF"}),
    "masked_gru": (lambda: words(L.GRU(5)), TOKEN, {"IF"}),
    "masked_rnn": (lambda: stack(L.Masking(), L.SimpleRNN(5)), GAPS, {RNN}),
    "relu": (lambda: stack(L.LSTM(5, activation="relu")), PLAIN, {LSTM}),
    "linear": (lambda: stack(L.LSTM(5, activation=None)), PLAIN, {"IF"}),
    "hard_gates": (lambda: stack(L.LSTM(5, recurrent_activation="hard_sigmoid")), PLAIN, {"IF"}),
    "gru": (lambda: stack(L.GRU(5, return_sequences=True), L.GRU(4, go_backwards=True)), PLAIN, {"IF"}),
    "gru_reset_before": (lambda: stack(L.GRU(5, reset_after=False, use_bias=False)), PLAIN, {"IF"}),
    "gru_both_ways": (lambda: stack(L.Bidirectional(L.GRU(4), merge_mode="sum")), PLAIN, {"IF"}),
    "rnn_both_ways": (lambda: stack(L.Bidirectional(L.SimpleRNN(4, return_sequences=True))), PLAIN, {RNN}),
    "rnn_sigmoid": (lambda: stack(L.SimpleRNN(4, activation="sigmoid")), PLAIN, {"IF"}),
    "cells": (lambda: stack(L.RNN([L.LSTMCell(4), L.GRUCell(3)])), PLAIN, {"IF"}),
    "one_row": (lambda: keras.Sequential([keras.Input((1, F)), L.GRU(4), L.Dense(2)]), "row", set()),
    "gelu": (lambda: stack(L.LSTM(4), L.Dense(4, activation="gelu"), L.Dense(2)), PLAIN, {LSTM, "GELU"}),
}


@cache
def lowered(name):
    """Keras model, data, float flatbuffer and Keras' outputs."""
    build, feed, _ = MODELS[name]
    keras.utils.set_random_seed(4)
    model = build()
    plain = waves(np.random.default_rng(8), (60, T, F))
    data = {PLAIN: plain, GAPS: gaps(), TOKEN: tokens(), "row": plain[:, :1]}[feed]
    expected = keras.tree.flatten(outputs_of(model, data))
    return model, data, lower(model), expected


@pytest.mark.parametrize("name", MODELS)
def test_a_recurrent_layer_is_lowered_to_what_keras_computes(name):
    _, data, file, expected = lowered(name)
    names = set(file.graph.op_names())

    assert names & {LSTM, RNN, "IF", "GELU"} == MODELS[name][2]
    for ours, theirs in zip(run(file.content, (data,)), expected, strict=True):
        assert np.abs(ours - theirs).max() <= 1e-5 * theirs.std() + 1e-6 * np.abs(theirs).max()


@pytest.mark.parametrize("name", ["states", "both_ways", "masked", "gru", "rnn_both_ways", "relu"])
def test_its_weights_take_eight_bits(name):
    _, data, file, expected = lowered(name)
    seen = observe(file, (data,))
    errors = [
        min(
            relative_rms(ours, theirs)
            for ours in (run(quantize(file, seen, plan).content, (data,))[number] for plan in PLANS)
        )
        for number, theirs in enumerate(expected)
    ]

    assert max(errors) <= 0.03


PLANS = (QuantizationScheme("full", "headroom"), QuantizationScheme("hybrid"))


@pytest.mark.parametrize("name", ["gru", "gru_reset_before", "rnn_both_ways", "masked", "both_ways"])
def test_sixteen_bit_activations_lose_little_where_the_layers_are_written_out(name):
    """A zero initial state once got a step of 1, and drowned what was subtracted from it."""
    model, data, _, expected = lowered(name)
    file = lower(model, calls=False)
    wide = quantize(file, observe(file, (data,)), QuantizationScheme("full", "headroom", wide=True))

    assert not {LSTM, RNN, "IF"} & set(wide.graph.op_names())
    assert max(map(relative_rms, run(wide.content, (data,)), expected)) <= 0.02


def test_a_loop_costs_little_a_step():
    sizes = [
        len(lower(keras.Sequential([keras.Input((steps, F)), L.GRU(8), L.Dense(1)])).content) for steps in (20, 60)
    ]  # fmt: skip

    assert (sizes[1] - sizes[0]) / 40 <= 128


def test_a_monster_is_refused_with_its_number_of_ops(monkeypatch):
    monkeypatch.setattr(loops, "MAX_OPS", 10)
    with pytest.raises(ConversionError, match=r"takes \d+ ops.*limit is 10.*shorter window"):
        lower(stack(L.GRU(4)))


def test_the_model_itself_stays_as_it_was():
    model, data, _, expected = lowered("states")

    assert np.array_equal(outputs_of(model, data)[0], expected[0])


def transformer(channels):
    """A transformer's encoder block over windows of this many channels, as sensors of one value have it."""

    def build(x):
        attended = L.Add()([L.MultiHeadAttention(2, 4)(x, x), x])
        normal = L.LayerNormalization()(attended)
        dense = L.Conv1D(channels, 1)(L.Conv1D(4, 1, activation="relu")(normal))
        return L.Dense(1)(L.LSTM(4)(L.Add()([attended, dense])))

    return functional(build, (T, channels))


@pytest.mark.parametrize("channels", [1, T])
def test_an_attention_block_over_one_channel_converts(channels):
    """Keras adds windows of one channel as a bias, and along the wrong axis where rows and channels are as many."""
    keras.utils.set_random_seed(1)
    model = transformer(channels)
    data = waves(np.random.default_rng(1), (40, T, channels))
    exact = outputs_of(model, data)

    assert np.abs(run(lower(model).content, (data,))[0] - exact).max() <= 1e-4 * exact.std()


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float64"])
def test_other_precisions_become_single(policy):
    keras.utils.set_random_seed(4)
    model = keras.Sequential(
        [
            keras.Input((T, F)),
            L.LSTM(5, dtype=policy, return_sequences=True),
            L.GRU(4, dtype=policy),
            L.Dense(2, dtype=policy),
        ]
    )
    data = waves(np.random.default_rng(8), (20, T, F))
    theirs = outputs_of(model, data).astype(np.float32)
    ours = run(lower(in_float32(model)).content, (data,))[0]

    assert relative_rms(ours, theirs) <= (1e-5 if policy == "float64" else 0.05)


def test_a_pooled_mean_keeps_its_scale():
    """AVERAGE_POOL_2D does not rescale: an output scale of its own would be taken for the input's."""
    model = stack(L.AveragePooling1D(4))
    data = np.random.default_rng(8).normal(size=(60, T, F)).astype(np.float32)
    file = lower(model)

    ours = run(quantize(file, observe(file, (data,)), QuantizationScheme("full")).content, (data,))[0]
    assert relative_rms(ours, outputs_of(model, data)) <= 0.03
