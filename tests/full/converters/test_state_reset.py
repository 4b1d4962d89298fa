"""A windowed file begins every call with a zero state, also in an interpreter that nobody resets."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import specimen
from edgelstm.converters.job import Job
from edgelstm.converters.pipeline import convert_all
from edgelstm.runtime.inference.interpreter import TFLiteModel
from old_runtime import VARIABLE

SCRIPT = Path(__file__).with_name("bare_interpreter.py")
NAMES = ["stacked", "autoencoder", "bidirectional_concat", "masked", "simple_rnn", "encoder_decoder"]
ON_MICRO = ["stacked", "bidirectional_concat"]


def python_of(module):
    """A Python that has an interpreter, or a skip."""
    if module == "tflite_runtime":
        if not os.environ.get(VARIABLE):
            pytest.skip(f"{VARIABLE} names no Python with tflite-runtime 2.14")
        return os.environ[VARIABLE]
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"{module} is not installed")
    return sys.executable


@pytest.mark.parametrize(
    ("module", "name"),
    [(module, name) for module in ("ai_edge_litert", "tflite_runtime") for name in NAMES]
    + [("tflite_micro", name) for name in ON_MICRO],
)
@pytest.mark.parametrize("scheme", ["float32", "int8"])
def test_a_bare_interpreter_needs_no_reset_between_windows(module, name, scheme, tmp_path):
    """Without it the last window's state would cost 35 to 216 % of the output's deviation."""
    python, animal = python_of(module), specimen(name)
    job = Job(animal.file, animal.windows, animal.held, animal.expected, animal.model.count_params(), allow_drop=True)
    content = convert_all(job, (scheme,))[scheme].flatbuffer
    model = TFLiteModel(content)
    inputs = np.stack([model.inputs[0].quantize(window).reshape(model.inputs[0].shape) for window in animal.held[0]])
    np.save(tmp_path / "inputs.npy", inputs)
    (tmp_path / "model.tflite").write_bytes(content)
    outputs = []
    for reset in ("reset", "none"):
        files = [tmp_path / file for file in ("model.tflite", "inputs.npy", f"{reset}.npy")]
        subprocess.run([python, SCRIPT, module, *files, reset], check=True, capture_output=True)
        outputs.append(np.load(files[-1]))

    assert np.array_equal(*outputs)
    if scheme == "float32":
        assert np.allclose(outputs[1][:, 0], animal.expected[0], atol=1e-5)


def test_a_streaming_form_keeps_its_state():
    from edgelstm.converters.lowering.keras_to_tflite import lower

    graph = lower(specimen("stacked").model, streaming=True).graph

    assert "CAST" not in graph.op_names()
    assert "CAST" in specimen("stacked").graph.op_names()
