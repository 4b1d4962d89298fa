"""The converter's promises, on trained models: a few in the ordinary tests, all of them by `make test-zoo`."""

from functools import cache

import numpy as np
import pytest
from edgelstm.converters.flatbuffer import Graph
from edgelstm.converters.job import Job
from edgelstm.converters.lowering.keras_to_tflite import lower
from edgelstm.converters.pipeline import convert_all
from edgelstm.converters.quantization.calibrator import run
from edgelstm.converters.validation.limits import relative_rms, spread
from edgelstm.runtime.model_file.bundle import Bundle
from edgelstm.runtime.model_file.metadata import Channel, Metadata
from edgelstm.runtime.model_file.scaler import Scaler
from old_runtime import run_on_tflite_runtime
from zoo import FEW, LOOPED, ZOO, F, T, specimen

pytestmark = pytest.mark.slow(reason="whole trainings")
FUSED = "UNIDIRECTIONAL_SEQUENCE_LSTM"
FLOATING = {"DEQUANTIZE", "SOFTMAX"}  # ops that compute in float, whose last bits may differ and tip a rounding
SCHEMES = ("float32", "float16", "dynamic", "int8")


@cache
def conversions(name):
    """All schemes of an animal."""
    animal = specimen(name)
    content = lower(animal.model)
    return convert_all(Job(content, animal.windows, animal.held, animal.expected, animal.model.count_params()), SCHEMES)


@pytest.fixture(params=[name if name in FEW else pytest.param(name, marks=pytest.mark.zoo) for name in ZOO])
def name(request):
    """Each animal in turn."""
    return request.param


def test_it_has_learned(name):
    assert specimen(name).gain < 0.5


def test_the_float_form_is_keras(name):
    animal = specimen(name)
    for ours, theirs in zip(run(conversions(name)["float32"].flatbuffer, animal.held), animal.expected, strict=True):
        limit = 1e-5 * theirs.std() + 1e-6 * np.abs(theirs).max()

        assert np.abs(ours - theirs).max() <= limit


def test_its_lstms_are_fused_where_the_op_has_their_semantics(name):
    graph = Graph.parse(conversions(name)["int8"].flatbuffer)

    assert (FUSED in graph.op_names()) == (name not in LOOPED)
    assert "WHILE" not in graph.op_names()
    assert graph.subgraph_count == 1 or name in LOOPED  # the body of a loop's steps


def test_int8_costs_three_percent_at_most(name):
    assert conversions(name)["int8"].validation.error <= 0.03


def test_dynamic_and_float16_cost_less(name):
    made = conversions(name)

    assert made["dynamic"].validation.error <= 0.02
    assert made["float16"].validation.error <= 0.002


def test_int8_is_small_with_its_metadata(name):
    if name in LOOPED:
        pytest.skip("looped: the promise is for fused models")
    conversion = conversions(name)["int8"]
    validation = conversion.validation
    scaler = Scaler("standard", tuple(np.random.default_rng(1).normal(size=F)), (1 / 3,) * F)
    channels = tuple(Channel(f"channel_{i}", "unit", train_low=-1 / 3, train_high=2 / 3) for i in range(F))
    metadata = Metadata("generic", T, channels=channels, scaler=scaler, scheme="int8", accuracy=validation.record())
    limit = (
        1.06 * validation.parameters
        + 2048 * validation.recurrent_ops
        + 512 * (validation.ops - validation.recurrent_ops)
        + 2048
    )

    assert len(Bundle(conversion.flatbuffer, metadata).to_bytes()) <= limit


def test_the_oldest_interpreter_gives_the_same_bits(name, tmp_path):
    content, held = conversions(name)["int8"].flatbuffer, tuple(part[:25] for part in specimen(name).held)
    older, newer = run_on_tflite_runtime(content, held, tmp_path), run(content, held)
    floating = bool(FLOATING & set(Graph.parse(content).op_names()))
    computed_in_float = conversions(name)["int8"].validation.depth == "widened"

    for old, new in zip(older, newer, strict=True):
        if computed_in_float:
            assert np.abs(old - new).max() <= 1e-5 * new.std() + 1e-6 * np.abs(new).max()
            continue
        assert np.array_equal(old, new) or (floating and np.mean(old != new) <= 0.01)


@pytest.mark.parametrize("scheme", ["float32", "float16"])
def test_the_oldest_interpreter_gives_the_same_floats(name, scheme, tmp_path):
    content, held = conversions(name)[scheme].flatbuffer, tuple(part[:25] for part in specimen(name).held)

    for old, new in zip(run_on_tflite_runtime(content, held, tmp_path), run(content, held), strict=True):
        assert np.abs(old - new).max() <= 1e-5 * new.std() + 1e-6 * np.abs(new).max()


def test_the_oldest_interpreter_differs_by_less_than_dynamic_costs(name, tmp_path):
    """Activations are rounded on the fly: a last bit that differs may move one by a whole step, but seldom.

    As for floats, 2e-5 of the largest output are granted beside: an output that hardly varies has no deviation to speak of.
    """
    conversion, held = conversions(name)["dynamic"], tuple(part[:25] for part in specimen(name).held)

    for old, new in zip(
        run_on_tflite_runtime(conversion.flatbuffer, held, tmp_path), run(conversion.flatbuffer, held), strict=True
    ):
        granted = 2e-5 * np.abs(new).max() / spread(new)

        assert relative_rms(old, new) <= conversion.validation.error + granted


def test_every_file_is_said_to_run_on_the_oldest_interpreter(name):
    assert {scheme: made.validation.newer_ops for scheme, made in conversions(name).items()} == dict.fromkeys(
        SCHEMES, ()
    )


@pytest.mark.zoo
def test_the_median_animal_costs_half_of_that():
    errors = [conversions(name)["int8"].validation.error for name in ZOO]
    for name, error in zip(ZOO, errors, strict=True):
        print(f"{name:22}{error:8.2%}")

    assert len(errors) >= 25
    assert np.median(errors) <= 0.015
