"""A subset that every admitted TensorFlow and Keras must pass: `make test-compat` runs it on the oldest ones."""

import numpy as np
import pytest
from conftest import NOT_LSTM, specimen
from edgelstm.converters import convert
from edgelstm.converters.flatbuffer import Graph
from edgelstm.converters.job import Job
from edgelstm.converters.pipeline import convert_all
from edgelstm.converters.quantization.calibrator import run

FUSED = "UNIDIRECTIONAL_SEQUENCE_LSTM"
SUBSET = (
    "autoencoder", "backwards", "bidirectional_concat", "convolution", "encoder_decoder", "gru", "masked", "nested",
    "residual", "shared", "two_outputs",
)  # fmt: skip
# Keras 3.6 warns of the list that its own `predict` wants for several inputs
pytestmark = pytest.mark.filterwarnings("ignore:The structure of `inputs`:UserWarning")


@pytest.mark.parametrize("name", SUBSET)
def test_a_subset_of_the_zoo_converts_on_this_tensorflow(name):
    animal = specimen(name)
    job = Job(animal.file, animal.windows, animal.held, animal.expected, animal.model.count_params())
    made = convert_all(job, ("float32", "dynamic", "int8"))

    assert (FUSED in Graph.parse(made["int8"].flatbuffer).op_names()) == (name not in NOT_LSTM)
    assert made["int8"].validation.lowering_error <= 1e-4
    assert made["int8"].validation.error <= 0.03
    assert made["dynamic"].validation.error <= 0.02


def test_a_saved_model_converts_in_a_child_process(tmp_path, converting_in_a_child):
    animal = specimen("stacked")
    animal.model.save(tmp_path / "model.keras")
    made = convert(tmp_path / "model.keras", animal.windows, animal.held)["int8"]
    ours = run(made.flatbuffer, animal.held)[0]

    assert np.sqrt(np.mean((ours - animal.expected[0]) ** 2)) <= 0.03 * animal.expected[0].std()
