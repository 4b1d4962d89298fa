"""A detector's inputs and outputs reach beyond what was seen, however ranges are chosen: a clipped output looks like an anomaly."""

from dataclasses import replace

import numpy as np
import pytest
from conftest import F, L, T, functional, keras, waves
from edgelstm.converters.lowering.keras_to_tflite import lower
from edgelstm.converters.quantization.calibrator import HEADROOM, METHODS, observe
from edgelstm.converters.quantization.quantizer import quantize
from edgelstm.converters.quantization.scheme import QuantizationScheme


@pytest.fixture(scope="module")
def autoencoder():
    """A compressed window, its output behind a reshape, and what it was seen to do."""
    keras.utils.set_random_seed(5)
    file = lower(functional(lambda x: L.Reshape((T, F))(L.Dense(T * F)(L.Dense(8)(L.LSTM(8)(x)))), (T, F)))
    return file, observe(file, (waves(np.random.default_rng(5), (80, T, F)),))


def width(graph, index):
    """Width of the range that an 8-bit tensor can hold."""
    return 255 * float(graph.tensors[int(index)].quantization.scale[0])


@pytest.mark.parametrize("method", METHODS)
def test_ends_have_headroom_by_every_method(autoencoder, method):
    file, seen = autoencoder
    graph = quantize(file, replace(seen, open_ends=True), QuantizationScheme("full", method)).graph

    for ours, theirs in (
        (graph.sub.inputs[0], file.graph.sub.inputs[0]),
        (graph.sub.outputs[0], file.graph.sub.outputs[0]),
    ):
        low, high = seen.range(int(theirs), "minmax")
        assert width(graph, ours) == pytest.approx(HEADROOM * (high - low), rel=1e-3)


def test_tensors_within_have_the_range_of_the_method(autoencoder):
    file, seen = autoencoder
    forms = [
        quantize(file, replace(seen, open_ends=open_ends), QuantizationScheme("full", "percentile")).graph
        for open_ends in (False, True)
    ]
    hidden = [next(op.outputs[0] for op in graph.operators if "LSTM" in graph.name_of(op)) for graph in forms]

    assert width(forms[0], hidden[0]) == width(forms[1], hidden[1])
    assert width(forms[0], forms[0].sub.outputs[0]) < width(forms[1], forms[1].sub.outputs[0])
