"""Work that one conversion does: the float graph is parsed once, every candidate is written and loaded once."""

from collections import Counter

import pytest
from conftest import specimen
from edgelstm.converters.convert import convert
from edgelstm.converters.flatbuffer import Graph
from edgelstm.converters.job import Job
from edgelstm.converters.lowering.keras_to_tflite import lower
from edgelstm.converters.pipeline import convert_all
from edgelstm.converters.quantization.calibrator import METHODS
from edgelstm.runtime.inference.interpreter import TFLiteModel


@pytest.fixture
def calls(monkeypatch):
    """Counts of the calls that cost most."""
    counts = Counter()

    def counted(owner, name):
        original = getattr(owner, name)
        plain = original.__func__ if hasattr(original, "__func__") else original

        def wrapper(*arguments, **options):
            counts[name] += 1
            return plain(*arguments, **options)

        monkeypatch.setattr(owner, name, classmethod(wrapper) if hasattr(original, "__func__") else wrapper)

    counted(Graph, "parse")
    counted(Graph, "serialize")
    counted(TFLiteModel, "__init__")
    return counts


def test_an_int8_conversion_parses_its_float_graph_once(calls):
    animal = specimen("stacked")
    calls.clear()
    lowered = lower(animal.model)
    job = Job(lowered, animal.windows, animal.held, animal.expected, animal.model.count_params())
    convert_all(job, ("int8", "float32"))

    assert calls["parse"] == 1
    candidates = 2 * len(METHODS)  # weights to the nearest step, and by their effect
    assert calls["serialize"] == 3 + candidates  # the float model, with rounded LSTMs, and with rounded layers
    assert calls["__init__"] == 1 + candidates


def test_a_copy_of_a_graph_can_be_changed_alone():
    graph = specimen("stacked").file.graph
    before = graph.copy().serialize()
    changed = graph.copy()
    changed.code("SVDF", 1)
    changed.sub.operators = []
    changed.tensors[0].isVariable = True

    assert graph.copy().serialize() == before


def test_a_conversion_in_this_process_tells_its_steps_and_nothing_else(capfd):
    animal, steps = specimen("stacked"), []
    convert(animal.model, animal.windows, animal.held, ("float32",), tell=steps.append, apart=False)
    said = capfd.readouterr()

    assert "lowering" in steps
    assert said.out == ""
    assert "WARNING" not in said.err
