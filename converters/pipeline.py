"""From a float flatbuffer to every scheme, each with its validation; the best of several quantization plans is kept."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from edgelstm.runtime.errors import ConversionError
from edgelstm.runtime.inference.interpreter import TFLiteModel
from edgelstm.runtime.inference.x86.lstm_unrolling import unroll

from .flatbuffer import Graph
from .mixed_precision import half_weights, mixtures
from .quantization.calibrator import METHODS, Observations, observe, run
from .quantization.op_rules import LSTM
from .quantization.quantizer import quantize
from .quantization.scheme import QuantizationScheme
from .validation.op_support import missing
from .validation.report import (  # fmt: skip
    FLOAT_LIMIT,
    INT8_LIMIT,
    STRETCH,
    Validation,
    channel_errors,
    lowering_limit,
    relative_largest,
    relative_rms,
    spread,
)
from .validation.tflite_micro import validate

Array = npt.NDArray[Any]
Windows = tuple[Array, ...]
GOOD_ENOUGH = 0.015  # relative error below which an all-integer model is kept without looking further
STRETCHED = 1000  # windows, or rows of a stream, that are looked at beyond their range
PREFERENCE = 1.25  # an all-integer model may be this much worse than a mixed one
SCHEMES = ("float32", "float16", "dynamic", "int8", "int16x8")
RECURRENT = {LSTM, "UNIDIRECTIONAL_SEQUENCE_RNN"}


@dataclass(frozen=True)
class Conversion:
    """One converted model."""

    flatbuffer: bytes
    """The file's content, without metadata."""
    validation: Validation
    """What it costs."""


@dataclass(frozen=True)
class Job:
    """All that the schemes of one model share."""

    content: bytes
    """Float flatbuffer."""
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
    """Whether limits on the error are waived."""
    target: str = ""
    """Where it is to run, empty for anywhere: what the runtime makes of the file there is what is proven."""
    starts: tuple[int, ...] | None = None
    """Of a streaming model, the representative rows at which a sequence begins; the held-back rows are one sequence."""
    history: float = 0.0
    """See `Validation`."""
    warmup: int = 0
    """See `Validation`."""
    written_out: bytes = b""
    """Float flatbuffer with its recurrent layers step by step, for int16x8."""

    @property
    def streaming(self) -> bool:
        """Whether the state is kept from one sample to the next."""
        return self.starts is not None


def convert_all(
    job: Job, schemes: tuple[str, ...], tell: Callable[[str], None] = lambda _: None, search: bool = False
) -> dict[str, Conversion]:
    """Convert to each scheme and prove it; in a search to mixtures of them too, and without limits.

    Raises:
        ConversionError: If a scheme's error is above its limit and `allow_drop` is off.
    """
    content = job.content
    if not all(np.isfinite(part).all() for part in job.keras_outputs):
        raise ConversionError(
            "The Keras model itself gives NaN or infinity on the held-back windows. Look for a layer that divides by "
            "nothing, such as a mean over a window that is masked in all rows, and for weights that are not finite."
        )
    exact = run(content, job.held, job.streaming)
    differences = [relative_largest(ours, theirs) for ours, theirs in zip(exact, job.keras_outputs, strict=True)]
    lowering = max(differences)
    right = all(found <= lowering_limit(k) for found, k in zip(differences, job.keras_outputs, strict=True))
    if not right and not job.allow_drop:
        raise ConversionError(
            f"The float model differs from Keras by {lowering:.1e} of the output's deviation; the limit is "
            f"{FLOAT_LIMIT:.0e}. Please report the model, or accept it with --allow-drop."
        )
    context = _Context(job, content, exact, lowering)
    results = {}
    for scheme in schemes:
        tell(scheme)
        results[scheme] = _MAKERS[scheme](context)
        if job.target == "micro" and (scheme != "float32" or len(schemes) == 1):
            results[scheme] = _on_micro(results[scheme], job)
        _refuse(results[scheme].validation, job.allow_drop or search)
        if scheme != "float32":
            results[scheme] = context.stretched(results[scheme])
    if search:
        results |= mixtures(content, context.observations, job.io, results, context.finish)
    return results


def _on_micro(conversion: Conversion, job: Job) -> Conversion:
    """The same, seen to run on tflite-micro with LiteRT's outputs."""
    seen = validate(conversion.flatbuffer, job.held, job.streaming)
    if not seen.difference <= INT8_LIMIT and not job.allow_drop:
        raise ConversionError(
            f"tflite-micro's outputs differ from LiteRT's by {seen.difference:.1%} of the output's deviation (RMS); the limit "
            f"is {INT8_LIMIT:.0%}. Use --scheme float32, or accept it with --allow-drop."
        )
    validation = replace(
        conversion.validation, arena=seen.arena, micro_error=seen.difference, micro_largest=seen.largest
    )  # fmt: skip
    return replace(conversion, validation=validation)


@dataclass
class _Context:
    job: Job
    content: bytes
    exact: Windows
    lowering: float

    @cached_property
    def observations(self) -> Observations:
        return observe(self.content, self.job.windows, self.job.starts)

    @cached_property
    def larger(self) -> tuple[Windows, Windows]:
        """Larger values than any that a scheme was made for, and the float form's outputs for them."""
        larger = tuple(STRETCH * part[:STRETCHED] for part in self.job.held)
        return larger, run(self.content, larger, self.job.streaming)

    def stretched(self, conversion: Conversion) -> Conversion:
        """The same, seen on them; where the inputs are integers there are none."""
        if any(not np.issubdtype(part.dtype, np.floating) for part in self.job.held):
            return conversion
        larger, exact = self.larger
        outputs = run(conversion.flatbuffer, larger, self.job.streaming, self.job.target)
        error = max(relative_rms(ours, theirs) for ours, theirs in zip(outputs, exact, strict=True))
        return replace(conversion, validation=replace(conversion.validation, stretched=error))

    def finish(self, scheme: str, flatbuffer: bytes, depth: str = "", ranges: str = "") -> Conversion:
        model, graph = TFLiteModel(flatbuffer, target=self.job.target), Graph.parse(flatbuffer)
        if self.job.target == "x86" and not model.unrolled:
            raise ConversionError(_not_unrolled(scheme, self.job.target, flatbuffer))
        outputs = run(flatbuffer, self.job.held, self.job.streaming, self.job.target)
        pairs = list(zip(outputs, self.exact, strict=True))
        channels = np.concatenate([channel_errors(ours, exact) for ours, exact in pairs])
        names = graph.op_names()
        floors = [
            tensor.scale / np.sqrt(12) / spread(exact) for tensor, exact in zip(model.outputs, self.exact, strict=True)
        ]
        return Conversion(
            flatbuffer,
            Validation(
                scheme=scheme,
                size=len(flatbuffer),
                parameters=self.job.parameters,
                lowering_error=self.lowering,
                error=max(relative_rms(ours, exact) for ours, exact in pairs),
                largest_error=max(relative_largest(ours, exact) for ours, exact in pairs),
                floor=float(max(floors)),
                depth=depth,
                ranges=ranges,
                channel_error=float(channels.max()),
                channel=int(channels.argmax()),
                clipped=_clipped(model, self.job.held),
                recurrent_ops=sum(name in RECURRENT for name in names),
                ops=len(names),
                newer_ops=missing(graph),
                **self._stream(pairs),
            ),
        )

    def _stream(self, pairs: list[tuple[Array, Array]]) -> dict[str, Any]:
        """What a validation says of a streaming model."""
        if not self.job.streaming:
            return {}
        steps = len(self.job.held[0])
        late = slice(steps * 9 // 10, steps)
        drift = max(relative_rms(ours[late], exact[late]) for ours, exact in pairs)
        return {"steps": steps, "late_error": drift, "history": self.job.history, "warmup": self.job.warmup}


def _not_unrolled(scheme: str, target: str, flatbuffer: bytes) -> str:
    if unroll(flatbuffer) is None:
        return (
            f"--target {target} unrolls fused LSTMs with float activations; scheme {scheme} of this model has none. "
            f"Leave --target {target} out, or use --scheme dynamic or float32."
        )
    return (
        f"--target {target} is proven where it runs: on an x86-64 processor with ai-edge-litert 2.2 or later. "
        f"Convert there, or leave --target {target} out."
    )


def _clipped(model: TFLiteModel, held: Windows) -> float:
    """Share of input values that the input type cannot hold."""
    shares = [0.0]
    for tensor, values in zip(model.inputs, held, strict=True):
        if tensor.scale:
            limits = np.iinfo(tensor.dtype)
            low, high = ((limit - tensor.zero_point) * tensor.scale for limit in (limits.min, limits.max))
            shares.append(float(np.mean((values < low - tensor.scale / 2) | (values > high + tensor.scale / 2))))
    return max(shares)


def _refuse(validation: Validation, allow_drop: bool) -> None:
    if allow_drop or validation.error <= INT8_LIMIT:
        return
    raise ConversionError(
        f"Scheme {validation.scheme} differs from float by {validation.error:.1%} of the output's deviation (RMS); the limit is "
        f"{INT8_LIMIT:.0%}. Give more representative windows, try --scheme dynamic, or accept it with --allow-drop."
    )


def _float32(context: _Context) -> Conversion:
    return context.finish("float32", context.content)


def _float16(context: _Context) -> Conversion:
    return context.finish("float16", half_weights(context.content))


def _dynamic(context: _Context) -> Conversion:
    scheme = QuantizationScheme("hybrid", "minmax", "float32")
    return context.finish("dynamic", quantize(context.content, context.observations, scheme), scheme.depth)


def _int8(context: _Context) -> Conversion:
    """The best scheme: all-integer where that is accurate enough, else the most accurate mixture."""
    full = _best(context, "full")
    if full.validation.error <= GOOD_ENOUGH:
        return full
    # tflite-micro has no op with float values and int8 weights
    mixed = [
        _best(context, depth) for depth in ("weights", "hybrid") if context.job.target != "micro" or depth != "hybrid"
    ]
    best = min([full, *mixed], key=lambda conversion: conversion.validation.error)
    return full if full.validation.error <= PREFERENCE * best.validation.error else best


def _int16x8(context: _Context) -> Conversion:
    """16-bit activations: no recurrent op has them, so the layers are written out."""
    content = context.job.written_out
    if context.job.streaming:
        raise ConversionError(
            "Scheme int16x8 has no streaming form: the op that keeps its state has no 16-bit kernel. Use int8 or dynamic."
        )
    scheme = QuantizationScheme("full", "headroom", context.job.io, wide=True)
    flatbuffer = quantize(content, observe(content, context.job.windows), scheme)
    return context.finish("int16x8", flatbuffer, scheme.depth, scheme.method)


def _best(context: _Context, depth: str) -> Conversion:
    tried = []
    for method in METHODS:
        scheme = QuantizationScheme(depth, method, context.job.io, context.job.target != "micro")
        tried.append(context.finish("int8", quantize(context.content, context.observations, scheme), depth, method))
    return min(tried, key=lambda conversion: conversion.validation.error)


_MAKERS = {"float32": _float32, "float16": _float16, "dynamic": _dynamic, "int8": _int8, "int16x8": _int16x8}
