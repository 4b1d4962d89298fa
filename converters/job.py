"""A conversion's task and its result: what all schemes of one model share, and one converted model."""

from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from .flatbuffer import TFLiteFile
from .validation.limits import Validation

Windows = tuple[npt.NDArray[Any], ...]
SCHEMES = ("float32", "float16", "dynamic", "int8", "int16x8")


@dataclass(frozen=True)
class Conversion:
    """One converted model."""

    flatbuffer: bytes
    """The file's content, without metadata."""
    validation: Validation
    """Its errors and its size, measured."""

    def __repr__(self) -> str:
        scheme, error = self.validation.scheme, self.validation.error
        return f"Conversion({scheme}, {len(self.flatbuffer):,} bytes, error {error:.2%})"


@dataclass(frozen=True)
class Job:
    """One model, its windows, and the wishes that hold for all of its schemes."""

    lowered: TFLiteFile
    """Float model."""
    windows: Windows
    """Representative windows, (N, ...) an input."""
    held: Windows
    """Later windows, for the validation."""
    keras_outputs: Windows
    """Keras' outputs on the held-back windows."""
    parameters: int
    """Weights in the Keras model."""
    io: str = "auto"
    """Input and output type of the int8 scheme."""
    allow_drop: bool = False
    """Waive the limits on the error."""
    target: str = ""
    """Machine to run on, empty for any: the form that the runtime makes of the file there is the one validated."""
    starts: tuple[int, ...] | None = None
    """Of a streaming model, the representative rows at which a sequence begins; the held-back rows are one sequence."""
    history: float = 0.0
    """See `Validation`."""
    warmup: int = 0
    """See `Validation`."""
    written_out: TFLiteFile | None = None
    """Float model with its recurrent layers step by step, for int16x8."""
    tuned: TFLiteFile | None = None
    """Float model with weights that were fine-tuned for the integer form; None without."""
    like_inputs: bool = False
    """Outputs are in the units of the inputs, channel by channel, as an autoencoder's and a forecaster's are."""
    byte_budget: int = 0
    """Bytes above which an all-integer model's linear skip path has weights of 8 bits if that is accurate enough; 0 for no such."""

    @property
    def streaming(self) -> bool:
        """Keep the state from one sample to the next."""
        return self.starts is not None
