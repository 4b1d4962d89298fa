"""Contents of a report's plots: plain frozen data, drawn as pictures by `plots`."""

from collections.abc import Mapping
from dataclasses import dataclass, field

Span = tuple[int, int]


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
    """Values of a float tensor, and the range of the integers of its quantized copy."""

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
    """One window with the outputs of the models, in sensor units."""

    title: str
    """Name of the window."""
    channels: tuple[str, ...]
    """Those shown, with units."""
    measured: tuple[tuple[float, ...], ...]
    """Window, and horizon of a forecaster: a row a channel."""
    outputs: Mapping[str, tuple[tuple[float, ...], ...]]
    """By scheme: reconstruction or forecast, a row a channel; its end is the end of `measured`."""


@dataclass(frozen=True)
class Figures:
    """Contents of the plots; empty parts give no plot."""

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
    """Reason for the look-back."""
    history: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """Losses by epoch."""
    examples: tuple[Example, ...] = ()
    """Windows with their outputs."""
