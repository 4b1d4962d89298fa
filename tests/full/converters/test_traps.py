"""Faults of other quantizers that nothing reports, each reproduced."""

import numpy as np
import pytest
from conftest import F, L, T, functional, keras, outputs_of, stack, waves
from edgelstm.converters import convert
from edgelstm.converters.flatbuffer import INT16, Graph
from edgelstm.converters.job import Job
from edgelstm.converters.lowering.keras_to_tflite import lower
from edgelstm.converters.pipeline import convert_all
from edgelstm.converters.quantization.calibrator import observe, run
from edgelstm.converters.quantization.quantizer import quantize
from edgelstm.converters.quantization.scheme import QuantizationScheme
from edgelstm.runtime.errors import ConversionError

FUSED = "UNIDIRECTIONAL_SEQUENCE_LSTM"


def smooth(count=100, scale=1.0):
    return scale * waves(np.random.default_rng(5), (count, T, F))


def cell_scales(content):
    graph = Graph.parse(content)
    return [
        float(tensor.quantization.scale[0])
        for tensor in graph.tensors
        if tensor.type == INT16 and tensor.isVariable
    ]  # fmt: skip


def quantized(model, data):
    expected = outputs_of(model, data)
    file = lower(model)
    result = quantize(file, observe(file, (data,)), QuantizationScheme("full"))
    return result.content, run(result.content, (data,))[0], expected


@pytest.mark.parametrize("scale", [0.1, 1.0, 3.0])
def test_tiny_and_large_cell_ranges_stay_right(scale):
    """A cell scale below 2^-15 has no case in the kernel: its output is garbage."""
    keras.utils.set_random_seed(1)
    model = stack(L.LSTM(8), L.Dense(2))
    model.layers[0].set_weights([weight * scale for weight in model.layers[0].get_weights()])

    content, ours, expected = quantized(model, smooth())

    assert min(cell_scales(content)) >= 2.0**-15
    assert np.sqrt(np.mean((ours - expected) ** 2)) <= 0.03 * expected.std()


def test_where_the_integer_kernel_is_too_coarse_weights_alone_are_quantized():
    """Gates are 16-bit steps of 2^-12: weights that move them by less than a hundred steps lose accuracy there."""
    keras.utils.set_random_seed(1)
    model = stack(L.LSTM(8), L.Dense(2))
    model.layers[0].set_weights([weight * 1e-2 for weight in model.layers[0].get_weights()])
    data = smooth()
    expected = (outputs_of(model, data),)

    validation = convert_all(Job(lower(model), (data,), (data,), expected, model.count_params()), ("int8",))[
        "int8"
    ].validation

    assert validation.depth == "hybrid"
    assert validation.error <= 0.03


def test_cells_beyond_ten_are_not_clipped():
    """TFLite's fuser adds a clip of the cell state at 10 that Keras does not have."""
    keras.utils.set_random_seed(1)
    model = stack(L.LSTM(1))
    kernel, recurrent, _ = (np.zeros_like(weight) for weight in model.layers[0].get_weights())
    # forget nothing, write +1 a step: the cell counts the steps, up to 16
    model.layers[0].set_weights([kernel, recurrent, np.array([9.0, 20.0, 9.0, -2.0], np.float32)])
    data = smooth(4)

    expected = outputs_of(model, data)
    file = lower(model)
    ours = run(file.content, (data,))[0]
    graph = file.graph

    assert all(op.builtinOptions.cellClip == 0 for op in graph.operators if graph.name_of(op) == FUSED)
    assert np.allclose(ours, expected, atol=1e-6)
    assert max(observe(file, (data,)).cells.values()) > 15


def test_a_concatenation_keeps_the_hidden_state_s_scale():
    keras.utils.set_random_seed(2)

    def build(x):
        first = L.LSTM(6, return_sequences=True)(x)
        return L.LSTM(6)(L.Concatenate()([first, L.Rescaling(4.0)(x)]))

    _, ours, expected = quantized(functional(build, (T, F)), smooth())

    assert np.sqrt(np.mean((ours - expected) ** 2)) <= 0.03 * expected.std()


def test_a_lambda_is_refused_by_name(tmp_path):
    model = stack(L.Lambda(lambda x: x * 2, output_shape=(T, F), name="doubled"), L.LSTM(4))

    with pytest.raises(ConversionError, match="doubled"):
        lower(model)


def test_a_stateful_layer_is_refused_by_name():
    model = keras.Sequential([keras.Input(batch_shape=(1, T, F)), L.LSTM(4, stateful=True, name="keeper")])

    with pytest.raises(ConversionError, match="keeper"):
        lower(model)


def test_an_open_time_axis_asks_for_the_lookback():
    model = keras.Sequential([keras.Input((None, F)), L.LSTM(4), L.Dense(1)])

    with pytest.raises(ConversionError, match="--lookback"):
        lower(model)

    data = smooth(3)
    expected = outputs_of(model, data)
    closed = lower(model, lookback=T)
    assert np.allclose(run(closed.content, (data,))[0], expected, atol=1e-6)


def test_a_conversion_runs_in_a_child_process_and_leaves_nothing(tmp_path, monkeypatch, converting_in_a_child):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    model = stack(L.LSTM(4), L.Dense(1))
    steps = []

    made = convert(model, smooth(60), smooth(20), ("int8", "float32"), tell=steps.append)

    assert set(made) == {"int8", "float32"}
    assert made["float32"].validation.lowering_error < 1e-4
    assert steps[-1] == "float32"
    assert list(tmp_path.iterdir()) == []


def test_a_crash_of_the_child_becomes_one_sentence(tmp_path, converting_in_a_child):
    broken = tmp_path / "broken.keras"
    broken.write_bytes(b"PK not a model")

    with pytest.raises(ConversionError) as caught:
        convert(broken, smooth(60), smooth(20))

    assert "\n" not in str(caught.value)


def test_windows_with_nan_are_refused():
    data = smooth(60)
    data[3, 2, 1] = np.nan

    with pytest.raises(ConversionError, match="finite"):
        convert("unused.keras", data, smooth(20))


def test_inputs_by_name_are_fed_by_name():
    """Keras sorts a dictionary's inputs by their names; both have the same shape here."""
    keras.utils.set_random_seed(1)
    late, early = keras.Input((T, F), name="z"), keras.Input((T, F), name="a")
    model = keras.Model({"z": late, "a": early}, L.Dense(2)(L.Concatenate()([L.LSTM(4)(late), L.GRU(3)(early)])))
    data = {"a": smooth(), "z": smooth(scale=3.0)[::-1]}

    made = convert(model, tuple(data.values()), tuple(data.values()), ("float32",), apart=False)["float32"]

    ours = run(made.flatbuffer, tuple(data.values()))[0]
    assert np.allclose(ours, outputs_of(model, data), atol=1e-6)


class Erf(L.Layer):
    """Of TensorFlow's ops one that TFLite has not."""

    def call(self, x):
        return keras.ops.erf(x)


def test_a_layer_without_a_tflite_form_is_named_within_a_nested_model():
    offending = keras.Sequential([keras.Input((4,)), L.Dense(3), Erf(name="bell")])
    with pytest.raises(ConversionError, match=r"'bell' \(Erf\).*needs Erf.*afterwards"):
        lower(functional(lambda x: L.Dense(2)(offending(L.LSTM(4)(x))), (T, F)))


def test_larger_inputs_than_the_representative_ones_are_tried():
    keras.utils.set_random_seed(3)
    made = convert(stack(L.LSTM(6), L.Dense(2)), smooth(60), smooth(20), ("int8", "dynamic"), apart=False)

    assert made["dynamic"].validation.stretched <= 0.03 < made["int8"].validation.stretched
