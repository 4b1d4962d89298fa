"""MLflow with a real file store: a run's figures, the flavour, and the same scores after a round trip."""

import numpy as np
import pandas as pd
import pytest
from commands import PUMP
from edgelstm.runtime.errors import ModelError

import edgelstm

mlflow = pytest.importorskip("mlflow", reason="needs the mlflow extra")
pytestmark = pytest.mark.filterwarnings("ignore")  # of MLflow's own dependencies


@pytest.fixture(scope="module")
def rows():
    return pd.read_csv(PUMP / "pump_normal.csv", nrows=700)


@pytest.fixture(scope="module")
def detector(rows):
    return edgelstm.AnomalyDetector("linear", epochs=2, limits=False).fit(rows)


@pytest.fixture(scope="module")
def small(detector):
    return detector.convert("int8")


@pytest.fixture(scope="module")
def run(tmp_path_factory, detector, small):
    import edgelstm.mlflow

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
        mlflow.set_tracking_uri(tmp_path_factory.mktemp("mlruns").as_uri())
        mlflow.set_experiment("pump")
        with mlflow.start_run() as started:
            edgelstm.mlflow.log_run(detector)
            edgelstm.mlflow.log_model(detector, name="keras")
            edgelstm.mlflow.log_model(small, name="int8")
        yield mlflow.get_run(started.info.run_id), started.info.run_id


def test_a_run_holds_parameters_losses_threshold_and_card(run, detector):
    data = run[0].data

    assert data.params["kind"] == "linear"
    assert data.metrics["threshold"] == detector.threshold_
    assert "val_loss" in data.metrics
    assert mlflow.artifacts.load_text(f"runs:/{run[1]}/card.md") == edgelstm.card(detector).markdown


@pytest.mark.parametrize("name", ["keras", "int8"])
def test_a_logged_model_scores_to_the_same_bit_by_flavour_and_by_pyfunc(run, detector, small, rows, name):
    import edgelstm.mlflow

    own = detector if name == "keras" else edgelstm.LiveDetector(small.bundle)
    flavour = edgelstm.mlflow.load_model(f"runs:/{run[1]}/{name}")
    general = mlflow.pyfunc.load_model(f"runs:/{run[1]}/{name}").predict(rows)

    np.testing.assert_array_equal(flavour.score_samples(rows), own.score_samples(rows))
    np.testing.assert_array_equal(general["score"], -own.score_samples(rows))
    assert general["anomaly"].dtype == bool


def test_something_else_is_refused(tmp_path):
    import edgelstm.mlflow

    with pytest.raises(ModelError, match="received dict"):
        edgelstm.mlflow.save_model({}, tmp_path)
