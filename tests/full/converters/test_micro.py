"""Models for microcontrollers, run in TensorFlow Lite Micro's own interpreter and compared with LiteRT."""

import importlib.util

import numpy as np
import pytest
from conftest import specimen
from edgelstm.converters import convert
from edgelstm.converters.flatbuffer import Graph
from edgelstm.converters.quantization.calibrator import observe, run
from edgelstm.converters.quantization.quantizer import quantize
from edgelstm.converters.quantization.scheme import QuantizationScheme
from edgelstm.converters.validation.tflite_micro import portable, validate
from edgelstm.runtime.errors import ConversionError

needs_micro = pytest.mark.skipif(
    importlib.util.find_spec("tflite_micro") is None, reason="tflite-micro is not installed: pip install '.[micro]'"
)


def int8(name):
    """An int8 model of the zoo with the ops that tflite-micro has, quantized without a search; and held-back inputs."""
    animal = specimen(name)
    content = portable(animal.content)
    return quantize(
        content, observe(content, animal.windows), QuantizationScheme("full", "minmax", "int8", narrow=False)
    ), animal.held


@needs_micro
@pytest.mark.parametrize("name", ["dense_head", "autoencoder", "row_autoencoder", "bidirectional_concat", "gru"])
def test_outputs_in_tflite_micro_are_those_of_litert(name):
    validation = validate(*int8(name), stream=False)

    assert validation.calls == 40
    assert validation.difference <= 0.03
    assert 1000 < validation.arena < 200_000


@needs_micro
def test_an_autoencoder_fails_without_the_replaced_op_and_the_op_is_named():
    animal = specimen("autoencoder")

    with pytest.raises(ConversionError, match="tflite-micro has no op TILE"):
        validate(animal.content, animal.held, stream=False)


def test_the_replaced_op_changes_no_output():
    animal = specimen("autoencoder")
    content = portable(animal.content)

    assert "BROADCAST_TO" in Graph.parse(content).op_names()
    assert np.array_equal(run(content, animal.held)[0], run(animal.content, animal.held)[0])


@needs_micro
def test_what_cannot_run_there_is_refused_with_its_op():
    animal = specimen("masked")
    with pytest.raises(ConversionError, match="no op REDUCE_ANY"):
        validate(animal.content, animal.held, stream=False)

    narrow = quantize(specimen("gru").content, specimen("gru").seen, QuantizationScheme("full", "minmax", "int8"))
    with pytest.raises(ConversionError, match="cannot run the op FULLY_CONNECTED"):
        validate(narrow, specimen("gru").held, stream=False)


@needs_micro
def test_schemes_without_kernels_are_refused_before_any_work():
    animal = specimen("dense_head")

    with pytest.raises(ConversionError, match="no kernels for scheme dynamic"):
        convert(animal.model, animal.windows, animal.held, ("dynamic",), target="micro")
