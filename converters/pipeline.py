"""Every scheme of a lowered model, validated; of several ways to quantize the best is kept."""

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property

from edgelstm.runtime.errors import ConversionError
from edgelstm.runtime.inference.x86.lstm_unrolling import unroll

from .flatbuffer import TFLiteFile
from .job import Conversion, Job
from .mixed_precision import final_dense_layers, half_weights, mixtures
from .quantization.calibrator import METHODS, Observations, observe
from .quantization.linear_path import linear_skip_path
from .quantization.quantizer import quantize
from .quantization.scheme import QuantizationScheme
from .quantization.weight_rounding import with_rounded_gates, with_rounded_layers
from .refusal import refusal
from .validator import Candidate, Validator

GOOD_ENOUGH = 0.015  # relative error below which an all-integer model is kept without looking further
EVEN = 0.02  # of the worst channel; above it an all-integer model is no longer kept without looking further
WANTED = 0.01  # of the worst channel; above it 8-bit weights are tried with kernels that compute in float
ROUNDED = 0.02  # above it a dynamic model's weights are rounded by their effect, too, which takes seconds
PROMISED = 0.03  # above it no all-integer model is preferred, and the last dense layers may stay float
SHORT = 1.1  # a smaller model may be this much worse
PREFERENCE = 1.25  # an all-integer model may be this much worse than a mixed one


def convert_all(
    job: Job, schemes: tuple[str, ...], tell: Callable[[str], None] = lambda _: None, search: bool = False
) -> dict[str, Conversion]:
    """Convert to each scheme and validate it.

    Args:
        job: Model, windows and wishes.
        schemes: Schemes, by name.
        tell: Called with the name of each step.
        search: Make mixtures of the schemes, too, and refuse none for its error.

    Raises:
        ConversionError: If a scheme's error is above its limit and `allow_drop` is off.
    """
    converter = _Converter(job)
    results = {}
    for scheme in schemes:
        tell(scheme)
        candidate = converter.make(scheme)
        if job.target == "micro" and (scheme != "float32" or len(schemes) == 1):
            candidate = converter.validator.on_micro(candidate)
        if not (candidate.within or job.allow_drop or search):
            raise ConversionError(refusal(candidate, converter.alternatives(scheme), job))
        if scheme != "float32":
            candidate = converter.validator.out_of_range(candidate)
        results[scheme] = candidate.conversion
    if search:
        candidates = mixtures(job.lowered, converter.observations, job.io, results, converter.finish)
        results |= {name: candidate.conversion for name, candidate in candidates.items()}
    return results


class _Converter:
    """The schemes of one job; the float model is parsed, run and observed once for all.

    Args:
        job: The job.
        validator: Compares with another job's float model, as of weights that were not tuned yet; None compares with this one's.
    """

    def __init__(self, job: Job, validator: Validator | None = None) -> None:
        self.job = job
        self.validator = validator or Validator(job)
        self.made: dict[str, Candidate] = {}
        self.rounded: dict[tuple[bool, bool], TFLiteFile] = {}

    @cached_property
    def observations(self) -> Observations:
        return replace(observe(self.job.lowered, self.job.windows, self.job.starts), open_ends=self.job.like_inputs)

    def make(self, scheme: str) -> Candidate:
        """A scheme's candidate, made once."""
        if scheme not in self.made:
            makers = {
                "float32": self._float32, "float16": self._float16, "dynamic": self._dynamic, "int8": self._int8,
                "int16x8": self._int16x8,
            }  # fmt: skip
            self.made[scheme] = makers[scheme]()
        return self.made[scheme]

    def alternatives(self, refused: str) -> list[Candidate]:
        """Other schemes that keep the limits on this model, the smallest file first; each of them is made."""
        names = ["float32"] if self.job.target == "micro" else ["dynamic", "float16", "float32"]
        candidates = []
        for name in names:
            try:
                candidates += [self.make(name)] if name != refused else []
            except ConversionError:  # no form for this target
                continue
        return [candidate for candidate in candidates if candidate.within]

    def finish(self, scheme: str, file: TFLiteFile, depth: str = "", ranges: str = "") -> Candidate:
        """Validate a file in the form that it has on the target.

        Args:
            scheme: Its scheme.
            file: The model.
            depth: See `Validation`.
            ranges: See `Validation`.
        """
        candidate = self.validator.candidate(scheme, file, depth, ranges)
        if self.job.target == "x86" and not candidate.model.unrolled:
            raise ConversionError(_not_unrolled(scheme, file, self.job.lowered))
        return candidate

    def _float32(self) -> Candidate:
        return self.finish("float32", self.job.lowered)

    def _float16(self) -> Candidate:
        return self.finish("float16", half_weights(self.job.lowered))

    def _dynamic(self) -> Candidate:
        scheme = QuantizationScheme("hybrid", "minmax", "float32")
        plain = self._quantized("dynamic", scheme)
        if plain.within and plain.validation.error <= ROUNDED:
            return plain
        candidates = [plain, self._quantized("dynamic", scheme, rounded=True)]
        if not _best(candidates).within:
            candidates += self._float_ends("dynamic")
        return _best(candidates)

    def _float_ends(self, name: str) -> list[Candidate]:
        """Int8 weights, but for the layers that make the outputs: one scale a matrix drowns its small channels."""
        lifted = final_dense_layers(self.job.lowered.graph)
        scheme = QuantizationScheme("hybrid", "minmax", "float32", lifted=lifted)
        return [self._quantized(name, scheme), self._quantized(name, scheme, rounded=True)]

    def _widened(self) -> Candidate:
        """Int8 weights under float kernels: what is left is the rounding of the weights alone.

        Inputs and outputs are float where the user leaves that open: 8 bits of an input may cost more than all weights.
        """
        io = "float32" if self.job.io == "auto" else self.job.io
        return self._quantized("int8", QuantizationScheme("widened", "headroom", io), rounded=True)

    def _int8(self) -> Candidate:
        """All-integer where that is accurate enough, else the most accurate mixture; fine-tuned weights where they gain."""
        plain = self._untuned_int8()
        if self.job.tuned is None:
            return plain
        lesson = _Converter(replace(self.job, lowered=self.job.tuned, tuned=None), self.validator)
        return _best([plain, *(lesson.best_ranges("full", rounded=rounded) for rounded in (False, True))])

    def _untuned_int8(self) -> Candidate:
        full = _best([self.best_ranges("full", rounded=rounded) for rounded in (False, True)])
        if _good_enough(full):
            return self._shortened(full)
        micro = self.job.target == "micro"  # which has no op with float values and int8 weights
        mixed = [self.best_ranges(depth) for depth in (("weights",) if micro else ("weights", "hybrid"))]
        best = _best([full, *mixed])
        if not micro and (best.worst > WANTED or not best.within):
            best = _best([best, self._widened()])
        if self.job.io == "auto" and not micro and (best.validation.error > PROMISED or not best.within):
            best = _best([best, *self._float_ends("int8")])
        kept = full.within and full.validation.error <= max(PROMISED, best.validation.error)
        kept = kept or not best.within
        kept = kept and full.validation.error <= PREFERENCE * best.validation.error
        kept = kept and full.worst <= PREFERENCE * best.worst
        return self._shortened(full) if kept else best

    def _shortened(self, full: Candidate) -> Candidate:
        """The same with 8-bit weights on the linear skip path where that costs next to nothing, or little and is needed: it is smaller."""
        if self.job.io != "auto" or not linear_skip_path(self.job.lowered.graph):
            return full
        narrow = self.job.target != "micro"
        scheme = QuantizationScheme("full", full.validation.ranges, self.job.io, narrow, coarse_path=True)
        short = self._quantized("int8", scheme, rounded=True)
        needed = 0 < self.job.byte_budget < full.validation.size
        close = short.worst <= SHORT * full.worst or (needed and _good_enough(short))
        return short if short.within and close else full

    def _int16x8(self) -> Candidate:
        """16-bit activations: no recurrent op has them, so the layers are written out."""
        if self.job.streaming or self.job.written_out is None:
            raise ConversionError(
                "Scheme int16x8 has no streaming form: the op that keeps its state has no 16-bit kernel. Use --int8."
            )
        scheme = QuantizationScheme("full", "headroom", self.job.io, wide=True)
        observations = observe(self.job.written_out, self.job.windows)
        file = quantize(self.job.written_out, observations, scheme)
        return self.finish("int16x8", file, scheme.depth, scheme.method)

    def best_ranges(self, depth: str, rounded: bool = False) -> Candidate:
        """The most accurate of the ways to choose ranges."""
        schemes = [QuantizationScheme(depth, method, self.job.io, self.job.target != "micro") for method in METHODS]
        return _best([self._quantized("int8", scheme, rounded) for scheme in schemes])

    def _rounded(self, scheme: QuantizationScheme) -> TFLiteFile:
        """The float model with its weights rounded by their effect for a scheme, made once."""
        key = scheme.depth != "hybrid", scheme.coarse_path or scheme.io != "auto"
        if key not in self.rounded:
            self.rounded[key] = with_rounded_layers(self._rounded_gates, self.observations, *key)
        return self.rounded[key]

    @cached_property
    def _rounded_gates(self) -> TFLiteFile:
        """The float model with its LSTMs' weights rounded: alike in all schemes, and what takes longest."""
        return with_rounded_gates(self.job.lowered, self.observations, self.job.starts)

    def _quantized(self, name: str, scheme: QuantizationScheme, rounded: bool = False) -> Candidate:
        source = self._rounded(scheme) if rounded else self.job.lowered
        file = quantize(source, self.observations, scheme)
        return self.finish(name, file, scheme.depth, "" if scheme.io == "float32" and name != "int8" else scheme.method)


def _good_enough(candidate: Candidate) -> bool:
    return candidate.validation.error <= GOOD_ENOUGH and candidate.validation.channel_error <= EVEN


def _best(candidates: list[Candidate]) -> Candidate:
    """The most accurate of the candidates that keep the limits; where none does, the one with the least largest error.

    Candidates in which no single channel loses much come before others.
    """
    within = [item for item in candidates if item.within] or [min(candidates, key=lambda item: item.worst)]
    even = [item for item in within if item.validation.channel_error <= EVEN]
    return min(even or within, key=lambda candidate: candidate.validation.error)


def _not_unrolled(scheme: str, file: TFLiteFile, lowered: TFLiteFile) -> str:
    if unroll(file.content) is not None:
        return (
            "--target x86 is validated where it runs: on an x86-64 processor with ai-edge-litert 2.2 or later. "
            "Convert there, or leave --target x86 out."
        )
    way_out = "Leave --target x86 out."
    if unroll(lowered.content) is not None:
        way_out = "Leave --target x86 out, or use --scheme dynamic or float32."
    return f"--target x86 unrolls fused LSTMs with float activations; scheme {scheme} of this model has none. {way_out}"
