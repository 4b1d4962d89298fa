"""Comparison of converted models with their float form, on held-back windows."""

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from edgelstm.runtime.errors import ConversionError
from edgelstm.runtime.inference.interpreter import TFLiteModel

from .flatbuffer import TFLiteFile
from .job import Conversion, Job, Windows
from .quantization.calibrator import run_model
from .validation.channels import channel_deviations, channel_errors, gives_probabilities
from .validation.limits import (
    FLOAT_LIMIT,
    INT8_LIMIT,
    STRETCH,
    Validation,
    lowering_limit,
    relative_largest,
    relative_rms,
    spread,
    within_limits,
)
from .validation.op_support import missing
from .validation.tflite_micro import validate_on_micro

Array = npt.NDArray[Any]
STRETCHED = 1000  # windows, or rows of a stream, of the out-of-range check
RECURRENT = {"UNIDIRECTIONAL_SEQUENCE_LSTM", "UNIDIRECTIONAL_SEQUENCE_RNN"}


@dataclass(frozen=True)
class Candidate:
    """A converted model, measured, and ready to run again."""

    conversion: Conversion
    """The result, should it be chosen."""
    model: TFLiteModel
    """Its interpreter."""

    @property
    def validation(self) -> Validation:
        """Its errors."""
        return self.conversion.validation

    @property
    def within(self) -> bool:
        """Every output and every channel keeps the limit."""
        return within_limits(self.validation)

    @property
    def worst(self) -> float:
        """The largest of its errors, over outputs and channels."""
        return max(self.validation.error, self.validation.channel_error)


class Validator:
    """The float model's outputs on the held-back windows, and what a converted model is compared with them by.

    Args:
        job: The conversion's task.

    Raises:
        ConversionError: If the float form differs from Keras by more than the limit.
    """

    def __init__(self, job: Job) -> None:
        self.job = job
        self.model = TFLiteModel(job.lowered.content)
        self.exact = run_model(self.model, job.held, job.streaming)
        self._ran: dict[bytes, tuple[TFLiteModel, Windows]] = {}
        self.lowering = self._compare_with_keras()

    def _compare_with_keras(self) -> float:
        keras = self.job.keras_outputs
        if not all(np.isfinite(part).all() for part in keras):
            raise ConversionError(
                "The Keras model itself gives NaN or infinity on the held-back windows. Look for a layer that divides by "
                "nothing, such as a mean over a window that is masked in all rows, and for weights that are not finite."
            )
        differences = [relative_largest(ours, theirs) for ours, theirs in zip(self.exact, keras, strict=True)]
        right = all(error <= lowering_limit(theirs) for error, theirs in zip(differences, keras, strict=True))
        if not right and not self.job.allow_drop:
            raise ConversionError(
                f"The float model differs from Keras by {max(differences):.1e} of the output's deviation; the limit is "
                f"{FLOAT_LIMIT:.0e}. Please report the model, or accept it with --allow-drop."
            )
        return max(differences)

    @cached_property
    def deviations(self) -> tuple[Array, ...]:
        """Deviations that the channels' errors are measured by, an array an output."""
        windows = self.job.windows[0] if self.job.like_inputs else None
        graph = self.job.lowered.graph
        return tuple(
            channel_deviations(exact, windows, gives_probabilities(graph, number))
            for number, exact in enumerate(self.exact)
        )

    def candidate(self, scheme: str, file: TFLiteFile, depth: str = "", ranges: str = "") -> Candidate:
        """Measure a converted model.

        Args:
            scheme: Its scheme.
            file: The model.
            depth: See `Validation`.
            ranges: See `Validation`.
        """
        model, outputs = self._run(file)
        pairs = list(zip(outputs, self.exact, strict=True))
        channels = np.concatenate(
            [channel_errors(*pair, scales) for pair, scales in zip(pairs, self.deviations, strict=True)]
        )
        names = file.graph.op_names()
        floors = [
            tensor.scale / np.sqrt(12) / spread(exact) for tensor, exact in zip(model.outputs, self.exact, strict=True)
        ]
        validation = Validation(
            scheme=scheme,
            size=len(file.content),
            parameters=self.job.parameters,
            lowering_error=self.lowering,
            error=max(relative_rms(*pair) for pair in pairs),
            largest_error=max(relative_largest(*pair) for pair in pairs),
            floor=float(max(floors)),
            depth=depth,
            ranges=ranges,
            channel_error=float(channels.max()),
            channel=int(channels.argmax()),
            clipped=_clipped(model, self.job.held),
            recurrent_ops=sum(name in RECURRENT for name in names),
            ops=len(names),
            newer_ops=missing(file.graph),
            **self._stream(pairs),
        )
        return Candidate(Conversion(file.content, validation), model)

    def _run(self, file: TFLiteFile) -> tuple[TFLiteModel, Windows]:
        """A model and its outputs; ways to choose ranges that come to the same file are run once."""
        if file is self.job.lowered and not self.job.target:
            return self.model, self.exact
        digest = hashlib.sha256(file.content).digest()
        if digest not in self._ran:
            model = TFLiteModel(file.content, target=self.job.target)
            self._ran[digest] = model, run_model(model, self.job.held, self.job.streaming)
        return self._ran[digest]

    def _stream(self, pairs: list[tuple[Array, Array]]) -> dict[str, Any]:
        """Figures of a streaming model."""
        if not self.job.streaming:
            return {}
        steps = len(self.job.held[0])
        late = slice(steps * 9 // 10, steps)
        drift = max(relative_rms(ours[late], exact[late]) for ours, exact in pairs)
        return {"steps": steps, "late_error": drift, "history": self.job.history, "warmup": self.job.warmup}

    @cached_property
    def _larger(self) -> tuple[Windows, Windows]:
        """Larger values than any that a scheme was made for, and the float form's outputs for them."""
        larger = tuple(STRETCH * part[:STRETCHED] for part in self.job.held)
        return larger, run_model(self.model, larger, self.job.streaming)

    def out_of_range(self, candidate: Candidate) -> Candidate:
        """The same with its error on larger values; where the inputs are integers there are none."""
        if any(not np.issubdtype(part.dtype, np.floating) for part in self.job.held):
            return candidate
        larger, exact = self._larger
        outputs = run_model(candidate.model, larger, self.job.streaming)
        error = max(relative_rms(ours, theirs) for ours, theirs in zip(outputs, exact, strict=True))
        return _with(candidate, stretched=error)

    def on_micro(self, candidate: Candidate) -> Candidate:
        """The same, run in tflite-micro and compared with LiteRT's outputs.

        Raises:
            ConversionError: If it does not run there, or differs by more than the limit.
        """
        flatbuffer = candidate.conversion.flatbuffer
        result = validate_on_micro(flatbuffer, self.job.held, self.job.streaming)
        if not result.difference <= INT8_LIMIT and not self.job.allow_drop:
            other = "" if candidate.validation.scheme == "float32" else "Use --scheme float32, or accept"
            raise ConversionError(
                f"tflite-micro's outputs differ from LiteRT's by {result.difference:.1%} of the output's deviation (RMS); "
                f"the limit is {INT8_LIMIT:.0%}. {other or 'Accept'} it with --allow-drop."
            )
        return _with(candidate, arena=result.arena, micro_error=result.difference, micro_largest=result.largest)


def _with(candidate: Candidate, **figures: Any) -> Candidate:
    conversion = candidate.conversion
    return replace(candidate, conversion=replace(conversion, validation=replace(conversion.validation, **figures)))


def _clipped(model: TFLiteModel, held: Windows) -> float:
    """Share of input values that the input type cannot hold."""
    shares = [0.0]
    for tensor, values in zip(model.inputs, held, strict=True):
        if tensor.scale:
            limits = np.iinfo(tensor.dtype)
            low, high = ((limit - tensor.zero_point) * tensor.scale for limit in (limits.min, limits.max))
            shares.append(float(np.mean((values < low - tensor.scale / 2) | (values > high + tensor.scale / 2))))
    return max(shares)
