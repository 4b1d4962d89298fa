"""What a report holds: plain frozen data, from which every form of it (HTML, Markdown, CSV, terminal) is made."""

import json
import types
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, Union, get_args, get_origin, get_type_hints

from edgelstm.classification.evaluate import Quality
from edgelstm.runtime.diagnostics.benchmark import Benchmark, Machine
from edgelstm.runtime.errors import ModelError

SCHEMA = 1
KERAS = "keras"  # the reference's place among schemes
Span = tuple[int, int]


@dataclass(frozen=True)
class Drop:
    """A scheme's figure less that of Keras on the same rows."""

    value: float
    """Scheme minus Keras, in the metric's unit."""
    low: float | None
    """Lower end of the 95 % interval of a paired block bootstrap; None where too few blocks are there."""
    high: float | None
    """Upper end."""

    @property
    def certain(self) -> bool | None:
        """Whether the interval leaves 0 out; None without an interval."""
        return None if self.low is None or self.high is None else not self.low <= 0 <= self.high


@dataclass(frozen=True)
class Resampling:
    """How intervals were made."""

    blocks: int
    """Stretches of consecutive rows that were drawn with replacement."""
    least: int
    """Shortest stretch, rows (or examples): rows that far apart hardly depend on each other."""
    replicates: int
    """Draws."""
    seed: int
    """Of the draws."""
    unit: str
    """What is drawn: rows, windows or texts."""


@dataclass(frozen=True)
class Scheme:
    """One scheme, measured; `keras` is the reference itself."""

    scheme: str
    """keras or a quantization scheme."""
    refused: str = ""
    """Why there is no such file; empty when there is one."""
    file: str = ""
    """File name beside the report."""
    size: int | None = None
    """File size, bytes, with metadata."""
    parameters: int | None = None
    """Weights of the Keras model."""
    validation: Mapping[str, Any] | None = None
    """What the converter found on held-back windows."""
    bench: Benchmark | None = None
    """Measured on this machine."""
    metrics: Mapping[str, float | None] = field(default_factory=dict)
    """Figures by name, see `metrics.METRICS`; None where one is not defined."""
    drops: Mapping[str, Drop] = field(default_factory=dict)
    """Differences from Keras by metric."""
    confusion: Quality | None = None
    """Of a classifier."""
    notes: tuple[str, ...] = ()
    """What a reader should know, one sentence each."""


@dataclass(frozen=True)
class Model:
    """The Keras model in question."""

    name: str
    """File name."""
    source: str
    """SHA-256 of the file, hex."""
    kind: str
    """autoencoder, forecaster, classifier or generic."""
    parameters: int
    """Weights."""
    window: int
    """Rows that go in, W."""
    horizon: int
    """Rows that are forecast, H; 0 for other kinds."""
    channels: tuple[str, ...]
    """Input channels with their unit, where known."""
    period: float | None
    """Seconds between rows; None for an index."""
    layers: str
    """Its layers in words."""


@dataclass(frozen=True)
class Data:
    """The rows that the schemes were judged on."""

    description: str
    """In words."""
    rows: int
    """Rows, windows or texts judged."""
    labelled: bool
    """Whether there are labels."""
    anomalies: int
    """Labelled anomalies."""
    resampling: Resampling | None
    """How the intervals of drops were made; None where there are none."""


@dataclass(frozen=True)
class Measured:
    """A bench result from another machine."""

    file: str
    """Name of the JSON file."""
    results: tuple[Benchmark, ...]
    """One a scheme."""

    @property
    def machine(self) -> Machine:
        """Where it was measured."""
        return self.results[0].machine


@dataclass(frozen=True)
class Verdict:
    """Which scheme for a target, in plain words."""

    target: str
    """Such as a Raspberry Pi."""
    scheme: str
    """The choice; empty when there is none."""
    reason: str
    """Why."""
    measured: bool
    """Whether it was timed on such a target."""
    command: str = ""
    """What measures it; empty where it was measured."""


@dataclass(frozen=True)
class Curve:
    """A line thinned for drawing."""

    x: tuple[float, ...]
    """Row numbers."""
    y: tuple[float | None, ...]
    """Values; None where there is none."""


@dataclass(frozen=True)
class Scores:
    """Scores over time."""

    rows: int
    """Rows of the series."""
    period: float | None
    """Seconds between rows; None for an index."""
    curves: Mapping[str, Curve]
    """By scheme."""
    thresholds: Mapping[str, float]
    """By scheme."""
    alarms: Mapping[str, tuple[Span, ...]]
    """First and last row of each alarm, by scheme."""
    labels: tuple[Span, ...]
    """First and last row of each labelled anomaly."""


@dataclass(frozen=True)
class TensorError:
    """One tensor, float against quantized."""

    name: str
    """Layer and its number among its kind, and the weight's name: `LSTM 2`, `LSTM 2 kernel`."""
    error: float
    """RMS difference as a share of the float values' standard deviation."""


@dataclass(frozen=True)
class Histogram:
    """Values of a float tensor, and what the integers of its quantized copy can hold."""

    name: str
    """As in `TensorError`, or `input`."""
    low: float
    """Lowest value that the integers hold."""
    high: float
    """Highest value that the integers hold."""
    clipped: float
    """Share of values outside."""
    edges: tuple[float, ...]
    """Bin edges, B + 1 of them."""
    counts: tuple[int, ...]
    """Values a bin."""


@dataclass(frozen=True)
class Example:
    """One window with what the models made of it, in sensor units."""

    title: str
    """Which window."""
    channels: tuple[str, ...]
    """Those shown, with units."""
    measured: tuple[tuple[float, ...], ...]
    """Window, and horizon of a forecaster: a row a channel."""
    outputs: Mapping[str, tuple[tuple[float, ...], ...]]
    """By scheme: reconstruction or forecast, a row a channel; its end is the end of `measured`."""


@dataclass(frozen=True)
class Figures:
    """What the plots show; empty parts give no plot."""

    scores: Scores | None = None
    layers: Mapping[str, tuple[TensorError, ...]] = field(default_factory=dict)
    """Output of each layer, by scheme."""
    weights: Mapping[str, tuple[TensorError, ...]] = field(default_factory=dict)
    """Each weight tensor, by scheme."""
    histograms: tuple[Histogram, ...] = ()
    """Of the int8 scheme."""
    autocorrelation: tuple[float, ...] = ()
    """By lag, from lag 0."""
    rule: str = ""
    """Why the look-back is what it is."""
    history: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """Losses by epoch."""
    examples: tuple[Example, ...] = ()
    """Windows with their outputs."""


@dataclass(frozen=True)
class Report:
    """Accuracy versus size of one model."""

    made: str
    """Day, ISO 8601."""
    tools: Mapping[str, str]
    """Versions."""
    model: Model
    data: Data
    machine: Machine | None
    """Where the times of `schemes` come from."""
    keras: Scheme
    """The reference."""
    schemes: tuple[Scheme, ...]
    """Every scheme that was asked for."""
    figures: Figures
    benches: tuple[Measured, ...] = ()
    """Merged from other machines."""
    warnings: tuple[str, ...] = ()
    """What a reader should know first."""
    schema: int = SCHEMA
    """Version of this record."""

    @property
    def made_schemes(self) -> tuple[Scheme, ...]:
        """Those that there are files of."""
        return tuple(scheme for scheme in self.schemes if not scheme.refused)

    def record(self) -> dict[str, Any]:
        """As plain JSON types."""
        plain: dict[str, Any] = json.loads(json.dumps(_plain(self), allow_nan=False))
        return plain


def read_report(text: str, origin: str) -> Report:
    """A report from its JSON.

    Raises:
        ModelError: If it is none, or of a version that this edgelstm does not know.
    """
    try:
        record = json.loads(text)
        if record["schema"] != SCHEMA:
            raise ModelError(f"{origin} has schema {record['schema']!r}; this edgelstm knows {SCHEMA}. Make it again.")
        report: Report = build_value(Report, record)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{origin} is not a report of this tool ({error!r:.100}). Make it again.") from error
    return report


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {item.name: _plain(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, Mapping):
        return {name: _plain(part) for name, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, list | tuple) else value


def build_value(kind: Any, value: Any) -> Any:
    """A value of an annotated type, such as a dataclass of dataclasses, from its plain form.

    Raises:
        TypeError: If a field without a default is missing.
    """
    if is_dataclass(kind):
        hints = get_type_hints(kind)
        known = {item.name for item in fields(kind)}
        return kind(**{name: build_value(hints[name], part) for name, part in value.items() if name in known})  # type: ignore[operator]
    origin, inside = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return None if value is None else build_value(next(part for part in inside if part is not type(None)), value)
    if origin is tuple:
        variadic = inside[-1] is Ellipsis
        return tuple(build_value(inside[0 if variadic else index], part) for index, part in enumerate(value))
    if origin is Mapping:
        return {name: build_value(inside[1], part) for name, part in value.items()}
    return value
