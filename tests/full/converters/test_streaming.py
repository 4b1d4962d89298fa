"""The one-row form of causal models: the same outputs as the windowed form, for ever."""

import json
from functools import cache

import numpy as np
import pytest
from conftest import F, T, functional, stack, waves
from edgelstm.converters import convert
from edgelstm.converters.lowering.keras_to_tflite import lower
from edgelstm.converters.lowering.streaming import check_causal, endless, keras_stream, over_rows
from edgelstm.converters.quantization.calibrator import run
from edgelstm.converters.validation.limits import relative_rms
from edgelstm.runtime.errors import ConversionError
from keras import layers as L  # noqa: N812
from old_runtime import run_on_tflite_runtime

ROWS = 3000


def skip_and_newest():
    def build(x):
        inner = stack(L.LSTM(6, return_sequences=True), L.LayerNormalization())
        joined = L.Concatenate()([x, inner(x)])
        last = L.LSTM(5, return_sequences=True)(L.Dropout(0.2)(joined))[:, -1]
        return L.Reshape((2, F))(L.Dense(2 * F)(last))

    return functional(build, (T, F))


CAUSAL = {
    "one_layer": lambda: stack(L.LSTM(8), L.Dense(F)),
    "every_step": lambda: stack(L.LSTM(8, return_sequences=True), L.TimeDistributed(L.Dense(F))),
    "normed": lambda: stack(L.Dense(6, "relu"), L.BatchNormalization(), L.LSTM(8), L.Dense(F, "tanh")),
    "wide": lambda: stack(L.Conv1D(6, 1), L.LSTM(12, return_sequences=True), L.LSTM(8, use_bias=False), L.Dense(F)),
    "skip_and_newest": skip_and_newest,
    "simple": lambda: stack(L.SimpleRNN(6, return_sequences=True), L.LSTM(4, activation="relu"), L.Dense(F)),
}
NOT_CAUSAL = {
    "reads the window backwards, too": lambda: stack(L.Bidirectional(L.LSTM(4), name="offending")),
    "reads the window backwards": lambda: stack(L.LSTM(4, go_backwards=True, name="offending")),
    "lays the rows": lambda: stack(L.LSTM(4, return_sequences=True), L.Flatten(name="offending"), L.Dense(F)),
    "looks over several rows": lambda: stack(L.Conv1D(4, 3, padding="same", name="offending"), L.LSTM(4)),
    "looks over several": lambda: stack(L.LSTM(4, return_sequences=True), L.GlobalAveragePooling1D(name="offending")),
    "looks over": lambda: functional(lambda x: L.LSTM(4)(L.Attention(name="offending")([x, x])), (T, F)),
    "works along the window": lambda: stack(L.BatchNormalization(axis=1, name="offending"), L.LSTM(4)),
    "makes a window": lambda: stack(L.LSTM(4), L.RepeatVector(T, name="offending"), L.LSTM(4)),
    "leaves rows out": lambda: stack(L.Masking(name="offending"), L.LSTM(4)),
    "has no TFLite op that": lambda: stack(L.LSTM(4, activation="elu", name="offending"), L.Dense(F)),
    "has no TFLite op": lambda: stack(L.GRU(4, name="offending"), L.Dense(F)),
}


@cache
def rows():
    """One long sequence (N, 1, F), in the shape of single rows."""
    return waves(np.random.default_rng(5), (1, ROWS, F))[0][:, None, :]


@cache
def model(name):
    import keras

    keras.utils.set_random_seed(5)
    return CAUSAL[name]()


@cache
def streamed(name):
    """Its int8 streaming conversion, proven on the later third."""
    return convert(model(name), rows()[:2000], rows()[2000:], lookback=T, starts=(0, 900))["int8"]


@pytest.mark.parametrize("name", CAUSAL)
def test_the_one_row_form_is_the_windowed_form_over_all_rows(name):
    file = lower(over_rows(model(name), 1), streaming=True)
    last = run(file.content, (rows()[:300],), stream=True)[0][-1]
    whole = over_rows(model(name), 300).predict(rows()[None, :300, 0], verbose=0)[0]

    assert np.allclose(last, whole if whole.shape == last.shape else whole[-1:], atol=1e-5)


@pytest.mark.parametrize("name", ["wide", "skip_and_newest"])
def test_int8_keeps_its_accuracy_over_ten_thousand_rows(name):
    validation = streamed(name).validation

    assert validation.steps == 10_000
    assert validation.lowering_error <= 1e-4
    assert validation.error <= 0.03
    assert validation.late_error <= 1.2 * validation.error
    assert 1 <= validation.warmup <= T


def test_keras_and_the_int8_stream_agree_without_the_proof():
    """The figures of the validation again, by another way."""
    held = endless(rows()[2000:])
    ours = run(streamed("wide").flatbuffer, (held,), stream=True)[0]

    assert relative_rms(ours, keras_stream(model("wide"), held)[0]) <= 1.05 * streamed("wide").validation.error + 1e-4


@pytest.mark.parametrize("reason", NOT_CAUSAL)
def test_what_is_not_causal_is_refused_by_name(reason):
    with pytest.raises(ConversionError, match=f"'offending'.*{reason}.*--streaming"):
        check_causal(NOT_CAUSAL[reason]())


def test_a_model_without_a_recurrent_layer_is_refused():
    with pytest.raises(ConversionError, match="no recurrent layer"):
        check_causal(stack(L.Dense(F)))


def test_a_stateful_keras_model_streams():
    """The windowed form must refuse it; here it is right."""
    import keras

    keras.utils.set_random_seed(5)
    stateful = keras.Sequential([keras.Input(batch_shape=(1, 1, F)), L.LSTM(6, stateful=True), L.Dense(F)])

    made = convert(stateful, rows()[:500], rows()[500:800], ("float32",), lookback=T, starts=(0,))

    assert made["float32"].validation.lowering_error <= 1e-4


def test_the_old_interpreter_streams_alike(tmp_path):
    held = rows()[2000:2400]
    ours = run(streamed("wide").flatbuffer, (held,), stream=True)[0]
    theirs = run_on_tflite_runtime(streamed("wide").flatbuffer, (held,), tmp_path, stream=True)[0]

    assert relative_rms(theirs, ours) <= 0.01


def test_state_tensors_can_be_read_and_put_back():
    from edgelstm.runtime.inference.interpreter import TFLiteModel

    first, second = (TFLiteModel(streamed("wide").flatbuffer) for _ in range(2))
    for row in rows()[:50]:
        first.step(row)
    second.set_variables(first.variables())

    assert np.array_equal(first.step(rows()[50])[0], second.step(rows()[50])[0])
    assert json.dumps([part.shape for part in first.variables()]) == "[[1, 12], [1, 12], [1, 8], [1, 8]]"
