"""A forecaster holds a linear and a recurrent forecast that learn apart."""

from dataclasses import replace

import numpy as np
import pytest
from edgelstm.runtime.detector import Detector
from edgelstm.runtime.errors import TrainingError

from edgelstm.data.series import Series
from edgelstm.deployment.convert import convert_file
from edgelstm.training.architectures import Architecture
from edgelstm.training.options import Options
from edgelstm.training.train import train

ROWS = 900
TIME = np.arange(float(ROWS))
VALUES = np.stack([np.sin(TIME / 7), np.cos(TIME / 11)], axis=1) + np.random.default_rng(0).normal(0, 0.05, (ROWS, 2))
SERIES = Series(VALUES, TIME, ("flow", "pressure"), 1.0, ((0, ROWS),))
OPTIONS = Options(Architecture(units=(8,)), epochs=2, seed=1)


@pytest.fixture(scope="module")
def said():
    return []


@pytest.fixture(scope="module")
def trained(said):
    return train(SERIES, OPTIONS, tell=said.append)


def test_each_row_of_the_output_is_a_forecast_of_its_own(trained):
    windows = np.zeros((1, 32, 2), np.float32)
    moved = windows.copy()
    moved[:, :8] = 3.0  # beyond what the linear forecast reads
    before, after = trained.model.predict(windows, verbose=0)[0], trained.model.predict(moved, verbose=0)[0]

    assert before.shape == (2, 2)
    assert np.array_equal(before[0], after[0])
    assert not np.allclose(before[1], after[1])


def test_the_comparison_is_said_and_kept(trained, said):
    comparison = trained.metadata.sections["training"]["witnesses"]

    assert any("error on held-back rows: linear" in sentence for sentence in said)
    assert trained.metadata.scoring.trusted == int(comparison["recurrent"] <= 1.05 * comparison["linear"])
    assert trained.metadata.threshold.method == "limits"


@pytest.mark.parametrize(("kind", "score"), [("forecaster", None), ("linear", None), ("linear", "ewma")])
def test_it_goes_to_the_device_and_finds_a_level_that_stays_off(tmp_path, kind, score):
    trained = train(SERIES, replace(OPTIONS, architecture=Architecture(kind, units=(8,)), score=score))
    trained.save(tmp_path / "model.keras")
    converted = convert_file(tmp_path / "model.keras", ("int8",))["int8"]
    converted.bundle.save(tmp_path / "model.int8.tflite")
    detector = Detector.load(tmp_path / "model.int8.tflite")
    normal = [detector.update(row).anomaly for row in VALUES[:300].tolist()]
    faulty = [detector.update([flow, pressure + 1.0]).anomaly for flow, pressure in VALUES[300:400].tolist()]

    assert converted.bundle.metadata.scoring.method == (score or "witnesses")
    assert converted.conversion.validation.recurrent_ops == (kind == "forecaster")
    assert sum(normal) == 0
    assert sum(faulty) > 10


def test_a_linear_model_forecasts_one_row_alone():
    with pytest.raises(TrainingError, match="one row; received a horizon of 2"):
        Options(Architecture("linear"), horizon=2)
