"""Models for microcontrollers, run in TensorFlow Lite Micro's own interpreter and compared with LiteRT."""

import importlib.util

import numpy as np
import pytest
from conftest import specimen
from edgelstm.converters import convert
from edgelstm.converters.quantization.calibrator import observe, run
from edgelstm.converters.quantization.quantizer import quantize
from edgelstm.converters.quantization.scheme import QuantizationScheme
from edgelstm.converters.validation.tflite_micro import portable, validate_on_micro
from edgelstm.runtime.errors import ConversionError

needs_micro = pytest.mark.skipif(
    importlib.util.find_spec("tflite_micro") is None, reason="tflite-micro is not installed: pip install '.[micro]'"
)


def int8(name):
    """An int8 model of the zoo with the ops that tflite-micro has, quantized without a search; and held-back inputs."""
    animal = specimen(name)
    file = portable(animal.file)
    scheme = QuantizationScheme("full", "minmax", "int8", narrow=False)
    return quantize(file, observe(file, animal.windows), scheme).content, animal.held


@needs_micro
@pytest.mark.parametrize("name", ["dense_head", "autoencoder", "row_autoencoder", "bidirectional_concat", "gru"])
def test_outputs_in_tflite_micro_are_those_of_litert(name):
    validation = validate_on_micro(*int8(name), stream=False)

    assert validation.calls == 40
    assert validation.difference <= 0.03
    assert 1000 < validation.arena < 200_000


@needs_micro
def test_an_autoencoder_fails_without_the_replaced_op_and_the_op_is_named():
    animal = specimen("autoencoder")

    with pytest.raises(ConversionError, match="tflite-micro has no op TILE"):
        validate_on_micro(animal.file.content, animal.held, stream=False)


def test_the_replaced_op_changes_no_output():
    animal = specimen("autoencoder")
    file = portable(animal.file)

    assert "BROADCAST_TO" in file.graph.op_names()
    assert np.array_equal(run(file.content, animal.held)[0], run(animal.file.content, animal.held)[0])


@needs_micro
def test_what_cannot_run_there_is_refused_with_its_op():
    animal = specimen("masked")
    with pytest.raises(ConversionError, match="no op REDUCE_ANY"):
        validate_on_micro(animal.file.content, animal.held, stream=False)

    narrow = quantize(specimen("gru").file, specimen("gru").seen, QuantizationScheme("full", "minmax", "int8"))
    with pytest.raises(ConversionError, match="cannot run the op FULLY_CONNECTED"):
        validate_on_micro(narrow.content, specimen("gru").held, stream=False)


@needs_micro
def test_schemes_without_kernels_are_refused_before_any_work():
    animal = specimen("dense_head")

    with pytest.raises(ConversionError, match="no kernels for scheme dynamic"):
        convert(animal.model, animal.windows, animal.held, ("dynamic",), target="micro")
