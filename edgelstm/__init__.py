"""Recurrent sensor models on small computers: train, convert to int8 TFLite, detect anomalies.

    import edgelstm
    detector = edgelstm.AnomalyDetector().fit(frame)             # pandas, polars or NumPy
    small = detector.convert("int8")
    small.save("pump.int8.tflite")
    live = edgelstm.load("pump.int8.tflite")                     # NumPy and an interpreter suffice
    live.score_one({"flow": 61.0, "pressure": 3.1})

Importing this package loads nothing heavy: a name is imported when it is first asked for. `load` and `edgelstm.runtime` need
NumPy and a TFLite interpreter; estimators, `convert` and `report` need the `train` extra.
"""

import importlib
from typing import TYPE_CHECKING, Any

from edgelstm.runtime.version import __version__

if TYPE_CHECKING:
    from edgelstm.api.anomaly_detector import AnomalyDetector
    from edgelstm.api.card import card
    from edgelstm.api.classifier import Classifier
    from edgelstm.api.converting import convert
    from edgelstm.api.forecaster import Forecaster
    from edgelstm.api.live import LiveDetector, load
    from edgelstm.api.reports import report
    from edgelstm.runtime.errors import EdgelstmError

__all__ = [
    "AnomalyDetector", "Classifier", "EdgelstmError", "Forecaster", "LiveDetector", "__version__", "card", "convert",
    "load", "report",
]  # fmt: skip

_HOMES = {
    "AnomalyDetector": "edgelstm.api.anomaly_detector",
    "Classifier": "edgelstm.api.classifier",
    "EdgelstmError": "edgelstm.runtime.errors",
    "Forecaster": "edgelstm.api.forecaster",
    "LiveDetector": "edgelstm.api.live",
    "card": "edgelstm.api.card",
    "convert": "edgelstm.api.converting",
    "load": "edgelstm.api.live",
    "report": "edgelstm.api.reports",
}


def __getattr__(name: str) -> Any:
    """Import a public name from its module (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        value = getattr(importlib.import_module(_HOMES[name]), name)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("edgelstm"):
            raise
        raise ModuleNotFoundError(
            f"edgelstm.{name} needs {error.name}, which the base install leaves out. "
            "Install it on a workstation: pip install 'edgelstm[train]'",
            name=error.name,
        ) from error
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Names of the public API."""
    return sorted(__all__)
