"""Assembly of a configuration into models at work."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from typing import TextIO

from ..errors import ConfigError
from ..io.addresses import Address, parse_address
from ..sinks import Delivery, EventLines, Forwarder, ScoreLines, Sink, Spool, plan_delivery
from ..sources import Columns, open_source
from .checkpoint import Checkpoint
from .config import Config, Settings, StreamConfig
from .model_reload import ModelWatch
from .overrides import tuned
from .runner import Runner
from .state_folder import spool_folder


def assemble(config: Config, stream: TextIO | None = None) -> list[Runner]:
    """Load the models, and open sources and sinks.

    Args:
        config: What to run.
        stream: Where lines go; standard output by default.

    Raises:
        EdgelstmError: If any of it is not usable.
    """
    plans = [_Plan(one) for one in config.streams]  # all checks before the first connection
    out = stream or sys.stdout
    several = len(plans) > 1
    return [plan.runner(config.settings, out, plan.config.label if several else "") for plan in plans]


def describe(config: Config) -> list[str]:
    """Check everything but connections, and say what would run, one line a model.

    Raises:
        EdgelstmError: If any of it is not usable.
    """
    lines = []
    for plan in map(_Plan, config.streams):
        sinks = [address.name + (" (scores)" if scores else "") for address, scores, _ in plan.deliveries]
        metadata = plan.detector.metadata
        lines.append(
            f"{plan.config.label}: {plan.config.model} ({metadata.kind}, {metadata.scheme}, window {metadata.window}, "
            f"{len(metadata.channels)} channels) from {plan.source.name} to {', '.join(['standard output', *sinks])}"
        )
    return lines


class _Plan:
    """One model with its source and sinks checked, but not connected."""

    def __init__(self, config: StreamConfig) -> None:
        self.config = config
        self.detector = tuned(config.model, config)
        metadata = self.detector.metadata
        columns = Columns(metadata.names, config.taken, config.time_column or None)
        self.source = open_source(parse_address(config.source), columns, config.follow, metadata.period)
        self.deliveries: list[tuple[Address, bool, Callable[[], Delivery]]] = []
        for sink, scores in [(one, False) for one in config.to] + [(one, True) for one in config.scores_to]:
            address = parse_address(sink)
            self.deliveries.append((address, scores, plan_delivery(address, config.label, scores)))

    def runner(self, settings: Settings, out: TextIO, model: str) -> Runner:
        """All of it at work, but for the source."""
        names = self.detector.metadata.names
        sinks: list[Sink] = [ScoreLines(out, names, model) if settings.scores else EventLines(out, model)]
        for address, scores, open_it in self.deliveries:
            spool = Spool(spool_folder(settings, self.config.label, address), settings.spool_limit)
            sinks.append(Forwarder(open_it(), spool, self.config.label, names, scores))
        one = self.config
        if one.event_log and not one.state:
            raise ConfigError("--event-log needs --state: name the file that keeps the state, too.")
        checkpoint = (
            Checkpoint(self.detector, one.state, one.event_log or None, one.snapshot_every) if one.state else None
        )
        return Runner(
            self.detector, self.source, sinks, one.label, checkpoint, ModelWatch(one.model, partial(tuned, config=one))
        )
