"""Input policies: treatment of rows that are late, doubled or missing, and of values that cannot be true.

Each kind has a policy with a default and is counted by name. Where it lasts, it raises a `sensor_fault` event, so that
an anomaly of the machine and a fault of its sensors are told apart.

    duplicate   same time as the row before                        dropped
    late        older than the row before                          dropped
    early       under half a period after the row before (burst)   dropped: the model knows one rate only
    clock       the clock was set back, or its jump is not real    taken on with the new time, after a warm-up
    time        no time where rows before had one, or one that     dropped
                is no number
    merged      early or doubled, with readings that the row      taken on for these channels, and scored for them
                before lacks
    bridged     rows missing, fewer than `bridge`                  filled in on a straight line
    gap         more rows missing than that                        warm-up from the start; an open event is closed
    rate        rows that keep coming faster or slower than in     scored as they are, thinned or bridged; a fault
                training, by more than a fifth
    missing     a value that is not a number, or no value          what the model expects, else the last good value; its
                                                                   channel does not count in the score, nor do its next
                                                                   readings until there are as many of them
    range       a value that is physically impossible              as missing
    far         a value further outside the training range than    scored against its true value; limited only where no
                that is wide                                       arithmetic could bear it, which still shows
    stuck       one value for longer than ever in training         scored as it is

Where rows come and none of them can be scored, for whatever reason, `unscored_rows` raises one, too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ..errors import ConfigError, ModelError
from ..model_file.metadata import Channel, Metadata

TIMING_REASONS = ("duplicate", "late", "early", "merged", "clock", "time", "bridged", "gap")
READING_REASONS = ("missing", "range", "far", "stuck")
REASONS = (*TIMING_REASONS, "rate", *READING_REASONS)
STUCK_FACTOR = 2  # times the longest run of equal values in training
Limits = tuple[float | None, float | None]


@dataclass(frozen=True)
class Policies:
    """Limits of the policies, in samples; None is a default from the model's window."""

    bridge: int | None = None
    """Missing rows that are filled in; default: an eighth of the window, 2 at least."""
    hold: int | None = None
    """Samples by which missing or impossible values of a channel may outnumber good ones before it is a fault; default: as
    `bridge`."""
    stuck: int | None = None
    """Samples of one value before a channel is stuck; default: twice the longest run in training and a window at
    least, never where training does not say."""
    recover: int | None = None
    """Good samples before a fault is over; default: the window."""
    limits: Mapping[str, Limits] = field(default_factory=dict)
    """Lowest and highest physically possible value of channels, sensor units, by name; over what the model says."""

    def __post_init__(self) -> None:
        for name in ("bridge", "hold", "stuck", "recover"):
            value = getattr(self, name)
            if value is not None and value < (name != "bridge"):
                raise ConfigError(f"The {name} limit is a positive number of samples; received {value}.")

    def physical(self, channel: Channel) -> tuple[float, float]:
        """Return the lowest and the highest possible value of a channel, infinite where not stated."""
        low, high = self.limits.get(channel.name, (channel.low, channel.high))
        return -math.inf if low is None else low, math.inf if high is None else high

    def check(self, metadata: Metadata) -> None:
        """Refuse limits of channels that the model does not have.

        Raises:
            ConfigError: With the nearest channel's name.
        """
        if self.limits:
            from ..io.addresses import refuse_unknown_keys  # here: starting must be quick

            refuse_unknown_keys(self.limits, metadata.names, "--limit")


def parse_limit(text: str) -> tuple[str, Limits]:
    """Read a channel's physical limits.

    Raises:
        ConfigError: If it is not CHANNEL=LOW:HIGH with LOW below HIGH.

    >>> parse_limit("flow_lpm=0:40"), parse_limit("flow_lpm=0:")
    (('flow_lpm', (0.0, 40.0)), ('flow_lpm', (0.0, None)))
    """
    name, _, ends = text.rpartition("=")
    low, mark, high = ends.partition(":")
    try:
        limits = (float(low) if low.strip() else None, float(high) if high.strip() else None)
    except ValueError:
        mark = ""
    if not name or not mark or (None not in limits and not limits[0] < limits[1]):  # type: ignore[operator]
        raise ConfigError(f"--limit expects CHANNEL=LOW:HIGH, such as flow_lpm=0:40; received {text!r}.")
    return name, limits


def warmup(metadata: Metadata) -> int:
    """Return the samples that a streaming model takes before its output counts, the window for others.

    Raises:
        ModelError: If the metadata are damaged.
    """
    if not metadata.stateful:
        return metadata.window
    try:
        return max(1, int(metadata.sections.get("streaming", {}).get("warmup", 1)))
    except (TypeError, ValueError, AttributeError, OverflowError) as error:
        raise ModelError(f"The model's streaming section is damaged ({error}). Convert it again.") from error


def typical_sample(metadata: Metadata) -> list[float]:
    """Return the middle of each channel's training range, shape (F,), sensor units; its offset where that is not known."""
    offsets = metadata.scaler.offset if metadata.scaler else (0.0,) * len(metadata.channels)
    return [
        offset
        if channel.train_low is None or channel.train_high is None
        else (channel.train_low + channel.train_high) / 2
        for channel, offset in zip(metadata.channels, offsets, strict=True)
    ]


def longest_run(values: npt.ArrayLike) -> int:
    """Return the longest run of equal neighbours in one channel's rows of normal operation, counted as repeats.

    >>> longest_run([1.0, 2.0, 2.0, 2.0, 3.0])
    2
    """
    data = np.asarray(values, np.float64)
    changes = np.flatnonzero(data[1:] != data[:-1])
    edges = np.concatenate([[-1], changes, [len(data) - 1]])
    return int(np.diff(edges).max(initial=1)) - 1


def stuck_limit(longest: int | None, policy: int | None, window: int) -> float:
    """Return the samples of one value before a channel is stuck, infinite for never.

    Args:
        longest: Longest run in training; None when not known.
        policy: Limit of the installation; None for none.
        window: The model's window, samples.
    """
    if policy is not None:
        return policy
    return math.inf if longest is None else max(window, STUCK_FACTOR * longest)
