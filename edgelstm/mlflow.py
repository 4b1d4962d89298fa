"""MLflow: runs, and a model flavour for detectors, forecasters and classifiers, trained or converted.

    import edgelstm.mlflow
    with mlflow.start_run():
        edgelstm.mlflow.log_run(detector)
        edgelstm.mlflow.log_model(detector.convert("int8"), name="pump")
    live = edgelstm.mlflow.load_model("models:/pump/1")

`mlflow.pyfunc.load_model` works, too; a converted model needs no TensorFlow there. Needs the `mlflow` extra.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlflow import pyfunc
from mlflow.models import Model
from mlflow.models.model import MLMODEL_FILE_NAME
from mlflow.tracking.artifact_utils import _download_artifact_from_uri

from .api.card import card
from .api.live import load
from .runtime.errors import ModelError
from .runtime.version import __version__

if TYPE_CHECKING:
    from mlflow.models.model import ModelInfo

FLAVOR_NAME = "edgelstm"
CARD = "card.md"


def log_run(estimator: Any) -> None:
    """Log a fitted estimator's parameters, losses by epoch, threshold, detection limits and card to the active run.

    Args:
        estimator: Fitted `AnomalyDetector`, `Forecaster` or `Classifier`.
    """
    import mlflow

    metadata, history = estimator.metadata_, estimator.history_
    mlflow.log_params({name: value for name, value in estimator.get_params().items() if value is not None})
    for name, losses in history.items():
        for step, loss in enumerate(losses):
            mlflow.log_metric(name, loss, step=step)
    figures: dict[str, float] = {"parameters": float(estimator.model_.count_params())}
    if metadata.threshold is not None:
        figures["threshold"] = metadata.threshold.value
    for limit in metadata.sections.get("detection_limits", {}).get("channels", ()):
        figures |= {
            f"limit_{kind}/{_key(limit['channel'])}": float(limit[kind])
            for kind in ("offset", "drift", "stuck")
            if limit[kind] is not None
        }
    mlflow.log_metrics(figures)
    mlflow.log_text(card(estimator).markdown, CARD)


def log_model(model: Any, name: str = "model", **options: Any) -> ModelInfo:
    """Log a model to the active run.

    Args:
        model: As of `save_model`.
        name: Name of the logged model.
        options: As of `mlflow.models.Model.log`, such as `registered_model_name`.
    """
    import edgelstm.mlflow

    info: ModelInfo = Model.log(artifact_path=None, name=name, flavor=edgelstm.mlflow, model=model, **options)
    return info


def save_model(model: Any, path: Path | str, mlflow_model: Model | None = None, **options: Any) -> None:
    """Write a model as an MLflow folder: the model's own file, its card, and MLmodel.

    Args:
        model: Fitted estimator, or converted model (what `convert` returns).
        path: Folder to make.
        mlflow_model: MLflow's own; None makes one.
        options: `signature` and `metadata`, as of other flavours; the rest is passed over.

    Raises:
        ModelError: If it is no model of this tool.
    """
    folder = Path(path)
    converted = hasattr(model, "bundle")
    if not (converted or hasattr(model, "trained_")):
        raise ModelError(f"MLflow gets fitted estimators and converted models; received {type(model).__name__}.")
    folder.mkdir(parents=True, exist_ok=True)
    file = "model.tflite" if converted else "model.keras"
    (model.bundle if converted else model).save(folder / file)
    card(model).save(folder / CARD)
    made = mlflow_model or Model()
    made.signature = options.get("signature") or made.signature
    needs = f"edgelstm{'' if converted else '[train]'}=={__version__}"
    (folder / "requirements.txt").write_text(f"{needs}\npandas\n")
    pyfunc.add_to_model(made, loader_module="edgelstm.mlflow", data=file)
    made.add_flavor(FLAVOR_NAME, file=file, edgelstm_version=__version__)
    made.save(folder / MLMODEL_FILE_NAME)


def load_model(model_uri: str) -> Any:
    """Read a logged model: an estimator, or a converted model at work, as `edgelstm.load` returns them.

    Raises:
        ModelError: If it is no model of this flavour.
    """
    folder = Path(_download_artifact_from_uri(model_uri))
    flavour = Model.load(str(folder / MLMODEL_FILE_NAME)).flavors.get(FLAVOR_NAME)
    if flavour is None:
        raise ModelError(f"{model_uri} has no flavour {FLAVOR_NAME}. Log it with edgelstm.mlflow.log_model.")
    return load(folder / Path(flavour["file"]).name)


def _load_pyfunc(path: str) -> _Predictions:
    return _Predictions(load(path))


class _Predictions:
    """A model as `mlflow.pyfunc` calls it: a table goes in, a table comes out.

    Args:
        model: What `edgelstm.load` returns.
    """

    def __init__(self, model: Any) -> None:
        self.model = model

    def predict(self, model_input: Any, params: dict[str, Any] | None = None) -> Any:
        """A score and a decision for each row of a detector; the predictions of other models.

        Args:
            model_input: pandas table.
            params: Not used.
        """
        import pandas as pd

        if not hasattr(self.model, "score_samples"):
            return self.model.predict(model_input)
        decision = self.model.decision_function(model_input)
        return pd.DataFrame({"score": -self.model.score_samples(model_input), "anomaly": decision < 0})


def _key(channel: str) -> str:
    """A channel's name in the letters that MLflow admits."""
    return "".join(letter if letter.isalnum() or letter in "_-. " else "_" for letter in channel)
