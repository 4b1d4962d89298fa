"""Keras 3 models to small, correct TFLite: lowering, quantization, validation.

from edgelstm.converters import convert
conversions = convert("pump.keras", windows, held, schemes=("int8",))
"""

from .convert import convert
from .job import SCHEMES, Conversion
from .validation.limits import RepresentativeCheck, Validation, check_representative

__all__ = ["SCHEMES", "Conversion", "RepresentativeCheck", "Validation", "check_representative", "convert"]
