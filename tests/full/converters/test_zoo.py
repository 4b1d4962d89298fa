"""Promises of every conversion, over small architectures."""

from functools import cache

import numpy as np
import pytest
from conftest import NOT_LSTM, specimen
from edgelstm.converters.flatbuffer import Graph
from edgelstm.converters.job import Job
from edgelstm.converters.pipeline import convert_all
from edgelstm.converters.quantization.calibrator import run
from edgelstm.converters.validation.limits import relative_rms

FUSED = "UNIDIRECTIONAL_SEQUENCE_LSTM"


@cache
def int8(name):
    """The int8 conversion of a model of the zoo."""
    return convert_all(job(specimen(name)), ("int8",))["int8"]


def job(animal):
    return Job(animal.file, animal.windows, animal.held, animal.expected, animal.model.count_params())


def test_the_float_form_agrees_with_keras(animal):
    for ours, theirs in zip(run(animal.file.content, animal.held), animal.expected, strict=True):
        limit = 1e-5 * theirs.std() + 1e-6 * np.abs(theirs).max()

        assert np.abs(ours - theirs).max() <= limit


def test_lstms_are_fused_wherever_the_op_has_their_semantics(animal):
    names = animal.graph.op_names()

    assert (FUSED in names) == (animal.name not in NOT_LSTM)
    assert not {"WHILE", "CUSTOM"} & set(names)


def test_int8_stays_within_three_percent(animal):
    assert int8(animal.name).validation.error <= 0.03


def test_int8_is_as_small_as_promised(animal):
    if animal.name == "gru":
        pytest.skip("the promise is for fused models")
    validation = int8(animal.name).validation
    limit = (
        1.06 * validation.parameters
        + 2048 * validation.recurrent_ops
        + 512 * (validation.ops - validation.recurrent_ops)
        + 2048
    )

    assert validation.size <= limit


@pytest.mark.parametrize("scheme", ["float16", "dynamic"])
def test_the_other_schemes_stay_close_too(scheme):
    conversion = convert_all(job(specimen("stacked")), (scheme,))[scheme]

    assert conversion.validation.error <= (0.002 if scheme == "float16" else 0.02)
    assert conversion.validation.size < len(specimen("stacked").file.content)


def test_dynamic_quantizes_tiny_layers():
    """TensorFlow leaves tensors below 1024 elements in float, and a tiny model does not shrink at all."""
    conversion = convert_all(job(specimen("dense_head")), ("dynamic",))["dynamic"]
    graph = Graph.parse(conversion.flatbuffer)
    kinds = {
        graph.tensors[int(index)].type
        for operator in graph.operators
        for index in operator.inputs[1:9]
        if graph.name_of(operator) == FUSED and index >= 0
    }

    assert kinds == {9}  # INT8


def test_the_same_model_gives_the_same_bytes():
    first, second = (convert_all(job(specimen("stacked")), ("int8",))["int8"].flatbuffer for _ in range(2))

    assert first == second


def test_windows_do_not_leak_into_each_other():
    animal = specimen("autoencoder")
    flatbuffer = int8(animal.name).flatbuffer
    forwards = run(flatbuffer, animal.held)[0]
    backwards = run(flatbuffer, tuple(part[::-1] for part in animal.held))[0][::-1]

    assert np.array_equal(forwards, backwards)


def test_the_median_error_over_the_zoo_is_small():
    names = ["dense_head", "stacked", "autoencoder", "row_autoencoder", "backwards", "bidirectional_concat", "residual"]
    errors = [int8(name).validation.error for name in names]

    assert np.median(errors) <= 0.02


def test_relative_rms_is_a_share_of_the_deviation():
    reference = np.array([0.0, 2.0])

    assert relative_rms(reference + 0.1, reference) == pytest.approx(0.1)
