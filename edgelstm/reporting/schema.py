"""Contents of a report: plain frozen data, from which every form of it (HTML, Markdown, CSV, terminal) is made."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from edgelstm.classification.evaluate import Quality
from edgelstm.runtime.diagnostics.benchmark import Benchmark
from edgelstm.runtime.diagnostics.machine import Machine
from edgelstm.runtime.model_file.detection_limits import LimitTable

from .plot_schema import Figures

SCHEMA = 1
KERAS = "keras"  # the reference's place among schemes


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
        """Certainty that there is a difference: the interval leaves 0 out; None without an interval."""
        return None if self.low is None or self.high is None else not self.low <= 0 <= self.high


@dataclass(frozen=True)
class Resampling:
    """Origin of the intervals."""

    blocks: int
    """Stretches of consecutive rows that were drawn with replacement."""
    least: int
    """Shortest stretch, rows (or examples): rows that far apart hardly depend on each other."""
    replicates: int
    """Draws."""
    seed: int
    """Of the draws."""
    unit: str
    """Items that are drawn: rows, windows or texts."""


@dataclass(frozen=True)
class Scheme:
    """One scheme, measured; `keras` is the reference itself."""

    scheme: str
    """keras or a quantization scheme."""
    refused: str = ""
    """Reason why there is no such file; empty when there is one."""
    file: str = ""
    """File name beside the report."""
    size: int | None = None
    """File size, bytes, with metadata."""
    parameters: int | None = None
    """Weights of the Keras model."""
    validation: Mapping[str, Any] | None = None
    """Results of the converter on held-back windows."""
    bench: Benchmark | None = None
    """Measured on this machine."""
    metrics: Mapping[str, float | None] = field(default_factory=dict)
    """Figures by name, see `metrics.METRICS`; None where one is not defined."""
    drops: Mapping[str, Drop] = field(default_factory=dict)
    """Differences from Keras by metric."""
    confusion: Quality | None = None
    """Of a classifier."""
    notes: tuple[str, ...] = ()
    """Remarks for the reader, one sentence each."""


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
    limits: LimitTable | None = None
    """The smallest faults that it finds; None where they were not measured."""


@dataclass(frozen=True)
class Data:
    """The rows that the schemes were judged on."""

    description: str
    """In words."""
    rows: int
    """Rows, windows or texts judged."""
    labelled: bool
    """True if there are labels."""
    anomalies: int
    """Labelled anomalies."""
    resampling: Resampling | None
    """Method of the drops' intervals; None where there are none."""


@dataclass(frozen=True)
class Alarms:
    """Alarms of one scheme on the judged rows, in words."""

    heading: str
    """Heading, in the language of the sentences."""
    summary: str
    """Scheme, and the local dates of the rows."""
    sentences: tuple[str, ...]
    """The first events, one sentence each."""
    link: str
    """Words of the link to the page of alarms."""
    more: str = ""
    """Number of further events in words; empty without any."""
    page: str = "alarms.html"
    """File name of the page of alarms, beside the report."""
    language: str = "en"
    """Code of the language of all of these."""


@dataclass(frozen=True)
class Measured:
    """A bench result from another machine."""

    file: str
    """Name of the JSON file."""
    results: tuple[Benchmark, ...]
    """One a scheme."""

    @property
    def machine(self) -> Machine:
        """Machine that it was measured on."""
        return self.results[0].machine


@dataclass(frozen=True)
class Verdict:
    """Recommended scheme for a target, in plain words."""

    target: str
    """Such as a Raspberry Pi."""
    scheme: str
    """The choice; empty when there is none."""
    reason: str
    """Reason for the choice."""
    measured: bool
    """True if it was timed on such a target."""
    command: str = ""
    """Command that measures it; empty where it was measured."""


@dataclass(frozen=True)
class Width:
    """One scheme of a narrower model, judged on the same rows."""

    file: str
    """Its file beside the report."""
    scheme: str
    """Quantization scheme."""
    layers: str
    """Its layers in words."""
    parameters: int
    """Weights."""
    size: int
    """File size, bytes, with metadata."""
    quality: float
    """The figure that accuracy is drawn with."""


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
    """Machine that the times of `schemes` were measured on."""
    keras: Scheme
    """The reference."""
    schemes: tuple[Scheme, ...]
    """Every scheme that was asked for."""
    figures: Figures
    benches: tuple[Measured, ...] = ()
    """Merged from other machines."""
    widths: tuple[Width, ...] = ()
    """Narrower models, each in every scheme."""
    warnings: tuple[str, ...] = ()
    """About the representative rows, one clause each."""
    remarks: tuple[str, ...] = ()
    """About the judged rows, one sentence each."""
    notes: tuple[str, ...] = ()
    """Remarks on the reading of a foreign model, one sentence each."""
    alarms: Alarms | None = None
    """Alarms on the judged rows; None for models without."""
    schema: int = SCHEMA
    """Version of this record."""

    def __repr__(self) -> str:
        return f"Report({self.model.name}, {len(self.schemes)} schemes, judged on {self.data.description})"

    @property
    def made_schemes(self) -> tuple[Scheme, ...]:
        """Those that there are files of."""
        return tuple(scheme for scheme in self.schemes if not scheme.refused)
