"""The estimator for a model that was trained already."""

from __future__ import annotations

from pathlib import Path

from edgelstm.runtime.errors import ModelError

from ..keras_file import model_parts
from .anomaly_detector import AnomalyDetector
from .classifier import Classifier
from .estimator import Estimator
from .forecaster import Forecaster

ESTIMATORS: tuple[type[Estimator], ...] = (AnomalyDetector, Forecaster, Classifier)


def load_estimator(path: Path | str) -> Estimator:
    """Read a `.keras` file of `edgelstm train`.

    Raises:
        ModelError: If it is none.
    """
    metadata, _ = model_parts(Path(path))
    for kind in ESTIMATORS:
        if kind.takes(metadata):
            return kind.load(path)
    raise ModelError(
        f"{Path(path).name} is a {metadata.kind} model, which no estimator takes. Convert it with edgelstm.convert."
    )
