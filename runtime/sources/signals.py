"""Signals of a source: the place of a channel's value, and the way to its number; the same in training and on the device."""

from __future__ import annotations

import logging
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

from ..errors import ConfigError, ModelError
from ..io.addresses import build_options, refuse_unknown_keys
from .sample import Sample

log = logging.getLogger("edgelstm")
SECTION = "signals"  # of a model's metadata
TABLE = "channels"  # of a configuration
RULES = ("mean", "last")


@dataclass(frozen=True)
class Signal:
    """The value in a source that one channel is made of."""

    path: str = ""
    """The source's name for it: a column, topic, node, register or field, or a path such as `SENSOR.BME280.Temperature` and
    `sensors[name=flow].value`; empty where it is called like the channel."""
    unit: str = ""
    """Unit that texts such as `19.3 °C` have behind the number; texts with another one are no numbers. Empty for any."""
    on: tuple[str, ...] = ()
    """Further words for 1, besides on, true, yes and the like."""
    off: tuple[str, ...] = ()
    """Further words for 0."""
    factor: float = 1.0
    """Multiplied with the source's number."""
    offset: float = 0.0
    """Added afterwards; a counter, of which the growth is taken, has none."""
    rule: str = "mean"
    """Value of a row where channels are brought to one grid: `mean` of what came in its interval, or the `last` of it."""
    max_age: float | None = None
    """Seconds for which a value stands in for missing ones on that grid; None for the grid's own."""

    def __post_init__(self) -> None:
        if self.rule not in RULES:
            raise ConfigError(f"rule is {' or '.join(RULES)}; received {self.rule!r}.")
        if self.max_age is not None and not 0 <= self.max_age < math.inf:
            raise ConfigError(f"max-age is a number of seconds, 0 or more; received {self.max_age:g}.")
        if not math.isfinite(self.factor) or not math.isfinite(self.offset) or self.factor == 0:
            raise ConfigError(
                f"factor is a number but 0, offset a number; received {self.factor:g} and {self.offset:g}."
            )
        if both := {*map(str.casefold, self.on)} & {*map(str.casefold, self.off)}:
            raise ConfigError(f"on and off have the word {sorted(both)[0]!r} in common. Leave it in one of them.")

    @property
    def words(self) -> dict[str, float]:
        """Numbers by word, in small letters."""
        return {**{word.strip().casefold(): 1.0 for word in self.on}, **{w.strip().casefold(): 0.0 for w in self.off}}

    def told(self) -> dict[str, Any]:
        """The fields that differ from their defaults, as plain JSON types."""
        values = {
            item.name: getattr(self, item.name) for item in fields(self) if getattr(self, item.name) != item.default
        }
        return {k.replace("_", "-"): list(v) if isinstance(v, tuple) else v for k, v in values.items()}


@dataclass(frozen=True)
class Signals:
    """Signals of those channels for which they are written down."""

    of_channel: Mapping[str, Signal] = field(default_factory=dict)
    """Signal of each channel, by its name."""

    @classmethod
    def of(cls, sections: Mapping[str, Any]) -> Signals:
        """Read the signals that a model was trained on.

        Args:
            sections: Of its metadata.

        Raises:
            ModelError: If they are damaged.
        """
        record = sections.get(SECTION, {})
        try:
            return cls({str(name): _signal(part, str(name), Signal()) for name, part in record.items()})
        except (ConfigError, TypeError, ValueError, AttributeError) as error:
            raise ModelError(f"The model's section on signals is damaged ({error}). Train it again.") from error

    @classmethod
    def read(
        cls, given: str | Mapping[str, Any], trained: Signals | None = None, channels: Sequence[str] = ()
    ) -> Signals:
        """Read a table of a configuration.

        Args:
            given: The table, or the name of a TOML file with it; empty for none.
            trained: Signals of the model: what the table leaves out of a channel stays as in training.
            channels: The model's channels; empty where the table names them.

        Raises:
            ConfigError: If it cannot be read, names a channel that the model lacks, or two channels at one path.

        >>> signals = Signals.read({"flow": "SENSOR.flow", "motor": {"path": "m", "factor": 0.1}})
        >>> signals.paths(("motor", "flow", "level"))
        ('m', 'SENSOR.flow', 'level')
        """
        table, where = _table(given)
        if channels:
            refuse_unknown_keys(table, channels, where)
        of_channel = dict(trained.of_channel) if trained else {}
        for name, part in table.items():
            before = of_channel.get(name)
            of_channel[name] = now = _signal(part, f"{where}, {name}", before or Signal())
            if before is not None and (change := _change(before, now)):
                log.warning("channel %s: %s", name, change)
        signals = cls(of_channel)
        paths = signals.paths(tuple(of_channel))
        if len(set(paths)) < len(paths):
            twice = next(path for path in paths if paths.count(path) > 1)
            raise ConfigError(f"{where} has two channels at {twice!r}. Give each a path of its own.")
        return signals

    def __bool__(self) -> bool:
        return bool(self.of_channel)

    def paths(self, channels: Sequence[str]) -> tuple[str, ...]:
        """The source's name of each channel."""
        return tuple(signal.path or name for name, signal in zip(channels, self.ordered(channels), strict=True))

    def by_path(self, channels: Sequence[str], paths: Sequence[str]) -> dict[str, Signal]:
        """Signals by the source's names.

        Args:
            channels: Names of channels.
            paths: The source's name of each.
        """
        pairs = zip(channels, paths, strict=True)
        return {path: self.of_channel[name] for name, path in pairs if name in self.of_channel}

    def ordered(self, channels: Sequence[str]) -> tuple[Signal, ...]:
        """The signal of each channel, the usual one where none is written down."""
        return tuple(self.of_channel.get(name, Signal()) for name in channels)

    def scaling(self, channels: Sequence[str], counters: Collection[str]) -> Scaling | None:
        """The step from the source's numbers to those of the channels; None where they are the same.

        Args:
            channels: Names of all channels, F of them.
            counters: Channels of which the growth is taken.
        """
        signals = self.ordered(channels)
        factors = tuple(signal.factor for signal in signals)
        offsets = tuple(0.0 if name in counters else s.offset for name, s in zip(channels, signals, strict=True))
        return Scaling(factors, offsets) if {*factors} != {1.0} or {*offsets} != {0.0} else None

    def only(self, channels: Sequence[str]) -> Signals:
        """The signals of some channels."""
        return Signals({name: signal for name, signal in self.of_channel.items() if name in channels})

    def record(self) -> dict[str, Any]:
        """The signals as plain JSON types."""
        return {name: signal.told() for name, signal in self.of_channel.items()}


@dataclass(frozen=True)
class Scaling:
    """Linear step from a source's numbers to the channels' units: value = number x factor + offset.

    >>> Scaling((0.1, 1.0), (-5.0, 0.0)).row([200.0, 7.0])
    [15.0, 7.0]
    """

    factors: tuple[float, ...]
    """Shape (F,)."""
    offsets: tuple[float, ...]
    """Shape (F,), in the channels' units."""

    def row(self, values: Sequence[float]) -> list[float]:
        """The channels' values of one row, shape (F,)."""
        return [to_units(*parts) for parts in zip(values, self.factors, self.offsets, strict=True)]

    def sample(self, sample: Sample) -> Sample:
        """As `row`, for a sample."""
        return sample._replace(values=self.row(sample.values))


KEYS = [item.name.replace("_", "-") for item in fields(Signal)]


def to_units(number: float, factor: float, offset: float) -> float:
    """A source's number in a channel's units.

    Args:
        number: As the source has it.
        factor: Multiplied with it.
        offset: Added afterwards.
    """
    return number * factor + offset


def _table(given: str | Mapping[str, Any]) -> tuple[Mapping[str, Any], str]:
    """The table, and its name for errors."""
    if isinstance(given, Mapping):
        return given, f"[{TABLE}]"
    if not given:
        return {}, f"[{TABLE}]"
    from ..io.toml_file import read_toml  # here: few read one, and starting must be quick

    table = read_toml(given).get(TABLE)
    if not isinstance(table, Mapping):
        raise ConfigError(f'{given} has no table [{TABLE}]. Write one, as in flow = "SENSOR.BME280.Flow".')
    return table, f"{given}, [{TABLE}]"


def _signal(part: Any, where: str, before: Signal) -> Signal:
    """A signal from its table, or from its path alone; what the table leaves out is as before."""
    if isinstance(part, str):
        return replace(before, path=part)
    if not isinstance(part, Mapping):
        raise ConfigError(f"{where} is a path, or a table of {', '.join(KEYS)}; received {part!r}.")
    known = build_options(Signal, part, where)
    return replace(before, **{name: getattr(known, name) for name in (key.replace("-", "_") for key in part)})


def _change(trained: Signal, now: Signal) -> str:
    """Clause on what differs from training; another path is no difference, empty without one."""
    names = [item.name for item in fields(Signal) if item.name != "path"]
    told = [f"{name} is {_shown(getattr(now, name))}, in training it was {_shown(getattr(trained, name))}"
            for name in names if getattr(trained, name) != getattr(now, name)]  # fmt: skip
    return "; ".join(told)


def _shown(value: Any) -> str:
    return (
        f"{value:g}"
        if isinstance(value, float)
        else " ".join(value)
        if isinstance(value, tuple) and value
        else str(value or "none")
    )
