"""The slim device side: NumPy and a TFLite interpreter, nothing else.

from edgelstm.runtime import Detector
detector = Detector.load("pump.int8.tflite")
for time, sample in stream:                     # sample: (F,) in sensor units
    result = detector.update(sample, time)
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .alarms.events import Event, Result
    from .detector import Detector
    from .errors import EdgelstmError
    from .model_file.bundle import Bundle, load_bundle
    from .model_file.metadata import Metadata

__all__ = ["Bundle", "Detector", "EdgelstmError", "Event", "Metadata", "Result", "load_bundle"]

# Loaded when first asked for: `edgelstm --version` needs neither NumPy nor an interpreter.
_HOMES = {
    "Bundle": ".model_file.bundle",
    "Detector": ".detector",
    "EdgelstmError": ".errors",
    "Event": ".alarms.events",
    "Metadata": ".model_file.metadata",
    "Result": ".alarms.events",
    "load_bundle": ".model_file.bundle",
}


def __getattr__(name: str) -> Any:
    """Import a public name of the runtime from its module."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name], __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Names of the public API."""
    return sorted(__all__)
