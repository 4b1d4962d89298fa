"""The slim device side: NumPy and a TFLite interpreter, nothing else.

from edgelstm.runtime import Detector
detector = Detector.load("pump.int8.tflite")
for time, sample in stream:                     # sample: (F,) in sensor units
    result = detector.update(sample, time)
"""

from .alarms.events import Event, Result
from .detector import Detector
from .errors import EdgelstmError
from .model_file.bundle import Bundle, load_bundle
from .model_file.metadata import Metadata

__all__ = ["Bundle", "Detector", "EdgelstmError", "Event", "Metadata", "Result", "load_bundle"]
