"""Results print in a line or a few, however many rows they hold."""

from pathlib import Path

import numpy as np
import pytest
from edgelstm.runtime.classification.tokenizer import fit_vocabulary
from edgelstm.runtime.model_file.bundle import load_bundle
from edgelstm.runtime.model_file.metadata import Metadata

from edgelstm.classification.data import Texts
from edgelstm.data.series import Series
from edgelstm.evaluation.replaying import Replay
from edgelstm.keras_file import Representative

MODEL = Path(__file__).parent / "models/auto.int8.tflite"
ROWS = 5000
RANDOM = np.random.default_rng(0)
WORDS = tuple(f"word{number} another{number}" for number in range(ROWS))


def results():
    """Results with many rows, and a piece of text that each print shows."""
    values = RANDOM.normal(size=(ROWS, 2))
    segments = tuple((start, start + 5) for start in range(0, ROWS, 10))
    alarms = tuple((start, start + 5) for start in range(0, ROWS, 10))
    bundle = load_bundle(MODEL)
    vocabulary = Metadata("classifier", 4, sections={"vocabulary": fit_vocabulary(WORDS, least=1).record()})
    return {
        "Bundle": (bundle, "auto.int8.tflite"),
        "Metadata": (bundle.metadata, "autoencoder"),
        "Metadata of a text model": (vocabulary, "classifier"),
        "Series": (Series(values, np.arange(ROWS), ("flow", "level"), 1.0, segments), "5000 rows"),
        "Replay": (Replay(values[:, 0], values[:, 0] > 3, alarms, (), 3.0), "500 alarms"),
        "Texts": (Texts(WORDS, ("on", "off") * (ROWS // 2)), "2 classes"),
        "Representative": (Representative(tuple(values[None].repeat(50, 0)), (values,)), "250000 rows"),
    }


@pytest.mark.parametrize("name", results())
def test_a_result_prints_shortly_and_names_what_it_is(name):
    result, piece = results()[name]

    assert piece in repr(result)
    assert len(repr(result)) < 2000
