"""Model metadata: the only module that reads or writes them.

Files of schema 1 and 2 load for ever. Schema 2 leaves out fields at their defaults and names the fields of the channels once.
Nothing that varies from run to run (date, path, latency) goes in, so that converting twice gives the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields, replace
from typing import Any

from ..errors import ModelError
from ..scoring.registry import check_scoring
from ..scoring.scorer import Scoring
from ..scoring.threshold import Threshold
from .alarm_reach import check_reach
from .bounded_json import SURROGATES, check_text, load_json
from .field_types import check_fields
from .scaler import Scaler, width_of

SCHEMA = 2
READABLE = (1, 2)
KINDS = ("autoencoder", "forecaster", "classifier", "generic")
TARGETS = ("", "x86", "micro")
CALENDAR = "calendar"  # section of the weekly waves that follow the channels in the model's input
MOST_WAVES = 1000
SECTIONS = (CALENDAR, "classifier", "decision", "forecast", "streaming", "training", "vocabulary")
VOCABULARY = "vocabulary"  # section with words as users write them, never printed
LONGEST_ALARM = 1_000_000  # samples above the threshold before an event opens, or below before it closes
MOST = 1e30  # scaled units; single precision ends at 3e38
SCHEMES = ("float32", "float16", "dynamic", "int8", "int16x8")


@dataclass(frozen=True)
class Channel:
    """One sensor channel."""

    name: str
    """Column name in the training data."""
    unit: str = ""
    """Physical unit, empty when unknown."""
    low: float | None = None
    """Lowest physically possible value, in its unit; None when not stated."""
    high: float | None = None
    """Highest physically possible value, in its unit; None when not stated."""
    train_low: float | None = None
    """Lowest value in the training rows, in its unit."""
    train_high: float | None = None
    """Highest value in the training rows, in its unit."""
    longest_run: int | None = None
    """Longest run of equal values in the training rows, counted as repeats; None when not known."""


@dataclass(frozen=True)
class Metadata:
    """Description of a model for the device: input, scaling, scoring and alarms."""

    kind: str
    """autoencoder, forecaster, classifier or generic."""
    window: int
    """Samples of an input window, W (look-back); 1 for a streaming model."""
    horizon: int = 0
    """Samples that are forecast, H; 0 for an autoencoder."""
    channels: tuple[Channel, ...] = ()
    """Input channels, F of them, in order."""
    period: float | None = None
    """Seconds between samples; None for an index."""
    scaler: Scaler | None = None
    """Scaling of the input channels; None when the model takes raw values."""
    scheme: str = "float32"
    """Quantization scheme: float32, float16, dynamic, int8 or int16x8."""
    target: str = ""
    """Target of the conversion: empty for anything, x86 for LSTMs that are unrolled when the model is loaded, micro for
    TensorFlow Lite Micro."""
    stateful: bool = False
    """True if the interpreter keeps the LSTM state from one sample to the next."""
    source: str = ""
    """SHA-256 of the Keras model file this was converted from, hex; empty in a `.keras` file."""
    tools: Mapping[str, str] = field(default_factory=dict)
    """Versions of the tools that made the file."""
    scoring: Scoring | None = None
    """Anomaly score of an output, fitted on the outputs of this model."""
    threshold: Threshold | None = None
    """Alarm threshold, fitted on the scores of this model."""
    accuracy: Mapping[str, Any] | None = None
    """Loss of accuracy by the conversion, measured on held-back windows."""
    sections: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """Further sections by name (forecast, vocabulary, training, …); unknown ones are kept and ignored."""
    schema: int = SCHEMA
    """Schema version of this record."""

    def with_(self, **changes: Any) -> Metadata:
        """Return a copy with some fields changed."""
        return replace(self, **changes)

    def __repr__(self) -> str:
        return f"Metadata({self.kind}, {self.scheme}, window {self.window}, {len(self.channels)} channels)"

    @property
    def names(self) -> tuple[str, ...]:
        """Channel names, in order."""
        return tuple(channel.name for channel in self.channels)

    @property
    def width(self) -> int:
        """Numbers in a row of the model's input: one a channel, then two a wave of its calendar, where it has one."""
        waves: int = self.sections.get(CALENDAR, {}).get("waves", 0)
        return len(self.channels) + 2 * waves


_NESTED = {"scaler": Scaler, "scoring": Scoring, "threshold": Threshold}
_CORE = {item.name for item in fields(Metadata)} - {"sections"}


def to_record(metadata: Metadata) -> dict[str, Any]:
    """Return metadata as plain JSON types, every field in it, for people and for other programs; `from_json` reads it, too."""
    record = {name: value for name, value in asdict(metadata).items() if name != "sections"}
    record.update(metadata.sections)
    plain: dict[str, Any] = json.loads(_encode(record))
    return plain


def to_json(metadata: Metadata) -> bytes:
    """Encode metadata as canonical JSON, as small as that can be: equal metadata are equal bytes."""
    channels = [_told(channel) for channel in metadata.channels]
    names = sorted({name for channel in channels for name in channel})
    record = _told(metadata) | {
        "schema": SCHEMA,
        "channels": {name: [channel.get(name) for channel in channels] for name in names},
        **{name: _told(part) for name in _NESTED if (part := getattr(metadata, name)) is not None},
        **metadata.sections,
    }
    record.pop("sections", None)
    return _encode(record)


def _told(part: Any) -> dict[str, Any]:
    """Return the fields of a dataclass that differ from their defaults."""
    told = {}
    for item in fields(part):
        usual = item.default if item.default_factory is MISSING else item.default_factory()
        if getattr(part, item.name) != usual:  # a field without a default differs from MISSING
            told[item.name] = getattr(part, item.name)
    return told


def _encode(record: dict[str, Any]) -> bytes:
    return json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def from_json(text: bytes | str, origin: str = "metadata") -> Metadata:
    """Read metadata; unknown sections are kept.

    Args:
        text: Output of `to_json`.
        origin: Name of the file it came from, for errors.

    Raises:
        ModelError: If it is not valid metadata, or of a schema that this version does not know.
    """
    try:
        record = load_json(text)
        schema = record.get("schema")
        if schema not in READABLE:
            known = " and ".join(map(str, READABLE))
            raise ModelError(
                f"{origin} has metadata schema {str(schema)[:40]!r}; this edgelstm knows {known}. Update edgelstm on this machine."
            )
        check_text({name: value for name, value in record.items() if name != VOCABULARY})
        check_text(record.get(VOCABULARY), SURROGATES)
        core: dict[str, Any] = {name: value for name, value in record.items() if name in _CORE}
        for name, kind in _NESTED.items():
            if core.get(name) is not None:
                core[name] = _build(kind, core[name])
        core["channels"] = tuple(_build(Channel, channel) for channel in _channels(core.get("channels", ())))
        core["schema"] = SCHEMA
        core["sections"] = {name: value for name, value in record.items() if name not in _CORE}
        metadata = Metadata(**core)
        _check(metadata)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError) as error:
        raise ModelError(f"{origin} has damaged metadata ({str(error)[:300]}). Convert the model again.") from error
    try:
        _check_alarms(metadata)
    except ValueError as error:
        raise ModelError(f"{origin} could never raise an alarm: it has {error}. Convert the model again.") from error
    return metadata


def _channels(written: Any) -> list[Any]:
    """Return a record a channel, of a list of them (schema 1) or of a list a field; None is a field's default."""
    if not isinstance(written, dict):
        return list(written)
    columns = {name: list(values) for name, values in written.items()}
    if len({len(values) for values in columns.values()}) > 1:
        raise ValueError("channels of different lengths")
    rows = zip(*columns.values(), strict=True)
    records = (zip(columns, row, strict=True) for row in rows)
    return [{name: value for name, value in record if value is not None} for record in records]


def _build(kind: Any, record: Mapping[str, Any]) -> Any:
    """Make a dataclass from its record; keys of a later minor version are ignored, lists become tuples."""
    known = {item.name for item in fields(kind)}
    built = kind(**{name: _frozen(value) for name, value in record.items() if name in known})
    check_fields(built)
    return built


def _frozen(value: Any) -> Any:
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value


def _check(metadata: Metadata) -> None:
    check_fields(metadata)
    if metadata.kind not in KINDS:
        raise ValueError(f"kind {metadata.kind!r} is none of {', '.join(KINDS)}")
    if metadata.scheme not in SCHEMES:
        raise ValueError(f"scheme {metadata.scheme!r} is none of {', '.join(SCHEMES)}")
    if metadata.target not in TARGETS:
        raise ValueError(f"target {metadata.target!r} is none of {', '.join(TARGETS[1:])}")
    if not 0 < metadata.window <= 1_000_000 or not 0 <= metadata.horizon <= 1_000_000:
        raise ValueError(f"window {metadata.window!r} and horizon {metadata.horizon!r} are not sensible counts")
    if metadata.period is not None and metadata.period <= 0:
        raise ValueError(f"period {metadata.period!r} is not a time")
    if len(set(metadata.names)) < len(metadata.channels):
        raise ValueError("two channels have the same name")
    for name in SECTIONS:
        if not isinstance(metadata.sections.get(name, {}), dict):
            raise ValueError(f"{name} is {str(metadata.sections[name])[:40]!r}, not a record")
    waves = metadata.sections.get(CALENDAR, {"waves": 1}).get("waves")
    if not (isinstance(waves, int) and 0 < waves < MOST_WAVES):
        raise ValueError(f"a calendar of {str(waves)[:40]} waves")
    _check_numbers(metadata)


def _check_numbers(metadata: Metadata) -> None:
    """Check that scaler, scoring and threshold fit the number of channels."""
    channels, scaler, scoring = len(metadata.channels), metadata.scaler, metadata.scoring
    if scaler and (len(scaler.offset), len(scaler.scale)) != (channels, channels):
        raise ValueError(f"{len(scaler.offset)} scalings for {channels} channels")
    if scaler and not all(scale > 0 for scale in scaler.scale):
        raise ValueError("a scale that is not above 0")
    for channel, offset, scale in zip(metadata.channels, scaler.offset, scaler.scale, strict=True) if scaler else ():
        if not all(abs((end or 0.0) - offset) < MOST * scale for end in (channel.train_low, channel.train_high)):
            raise ValueError(f"a scaling of {channel.name} beyond all numbers")
    fitted = (len(scoring.center), len(scoring.scale)) if scoring else (0, 0)
    errors = channels * (scoring.witnesses if scoring else 1)
    if fitted not in ((errors, errors), (0, 0)):  # a style that is not fitted yet has none
        raise ValueError(f"{fitted[1]} error scales for {channels} channels")
    if scoring and not (all(scale > 0 for scale in scoring.scale) and scoring.rows > 0 and 0 < scoring.smoothing <= 1):
        raise ValueError("score statistics that are none")
    if scoring:
        check_scoring(scoring)
    if metadata.threshold and metadata.threshold.value < 0:
        raise ValueError(f"threshold {metadata.threshold.value!r}")


def _check_alarms(metadata: Metadata) -> None:
    """Check that the model can raise an alarm at all."""
    rules = metadata.sections.get("decision", {})
    counts = [rules.get(name) for name in ("minimum", "cooldown")] if isinstance(rules, dict) else []
    if any(isinstance(count, (int, float)) and count > LONGEST_ALARM for count in counts):
        raise ValueError(f"alarm rules of more than {LONGEST_ALARM:,} samples")
    if metadata.scoring and metadata.scoring.scale and metadata.threshold and metadata.scaler:
        check_reach(metadata.scoring, metadata.threshold.value, training_widths(metadata))


def training_widths(metadata: Metadata) -> dict[str, float]:
    """Return the width of each channel's training range, scaled units: a constant channel's level, 1 where it is unknown."""
    widths = {}
    for channel, scale in zip(metadata.channels, metadata.scaler.scale if metadata.scaler else (), strict=True):
        if channel.train_low is None or channel.train_high is None:
            widths[channel.name] = 1.0
        else:
            widths[channel.name] = width_of(channel.train_low, channel.train_high) / scale
    return widths


def scaled_ranges(metadata: Metadata, unknown: tuple[float, float]) -> list[tuple[float, float]]:
    """Lowest and highest value of each channel in the training rows, scaled units.

    Args:
        metadata: A model's description.
        unknown: Range of a channel whose training range or scaling is not known.
    """
    if metadata.scaler is None:
        return [unknown] * len(metadata.channels)
    offsets, scales = metadata.scaler.offset, metadata.scaler.scale
    return [
        unknown
        if channel.train_low is None or channel.train_high is None
        else ((channel.train_low - offset) / scale, (channel.train_high - offset) / scale)
        for channel, offset, scale in zip(metadata.channels, offsets, scales, strict=True)
    ]
