"""Assembly of a configuration into models at work."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from ..alarms.narrator import Narrator
from ..detector import Detector
from ..errors import ConfigError, EdgelstmError, SeriesError
from ..io.addresses import Address, parse_address, read_secret
from ..io.atomic_files import check_writable
from ..io.state_folder import spool_folder, state_folder
from ..read_ahead import ahead_of
from ..sinks import Delivery, EventLines, RemoteSink, ScoreLines, Sink, plan_delivery
from ..sources import Columns, Source, open_source
from ..sources.registry import on_grid
from .answer_book import AnswerBook, answers_path
from .config import Config, Settings, StreamConfig
from .last_good import LastGoodModel, choose_model
from .model_reload import ModelWatch
from .model_watch import Watch
from .overrides import at_work, tuned
from .own_files import check_own_files, outputs
from .runner import Runner
from .status import EVENTS

if TYPE_CHECKING:
    from .checkpoint import Checkpoint
    from .signed_stream import SignedStream


def assemble(config: Config, stream: TextIO | None = None) -> list[Runner]:
    """Load the models, and open sources and sinks.

    Args:
        config: The configuration.
        stream: Stream for lines; standard output by default.

    Raises:
        EdgelstmError: If any of it is not usable.
    """
    out, several = stream or sys.stdout, len(config.streams) > 1
    narrator = Narrator.of(config.settings.language, config.settings.timezone)
    plans: list[_Plan] = []
    check_own_files(config)
    try:
        for one in config.streams:  # all checks before the first connection
            plans.append(_Plan(one, config.settings, out, dry=False))  # noqa: PERF401
        return [plan.runner(config.settings, narrator, out, plan.config.label if several else "") for plan in plans]
    except EdgelstmError:
        for plan in plans:
            plan.forget()
        raise


def describe(config: Config) -> list[str]:
    """Check everything but connections, and describe what would run, one line a model.

    Raises:
        EdgelstmError: If any of it is not usable.
    """
    lines = []
    check_own_files(config)
    read_secret(config.settings.token_file)
    Narrator.of(config.settings.language, config.settings.timezone)
    for plan in [_Plan(one, config.settings, sys.stdout, dry=True) for one in config.streams]:
        plan.check_files()
        sinks = [address.name + (" (scores)" if scores else "") for address, scores, _ in plan.deliveries]
        metadata = plan.detector.metadata
        lines.append(
            f"{plan.config.label}: {plan.config.model} ({metadata.kind}, {metadata.scheme}, window {metadata.window}, "
            f"{len(metadata.channels)} channels) from {plan.source.name} to {', '.join(['standard output', *sinks])}"
        )
    return lines


def _signed_stream(config: StreamConfig, folder: Path, dry: bool) -> SignedStream | None:
    """Open the signed models of a stream; nothing of it is loaded where it is not configured."""
    if not config.updates:
        return None
    from .signed_stream import SignedStream

    return SignedStream(config, folder, dry=dry)


class _Plan:
    """One model with its source and sinks checked, but not connected."""

    def __init__(self, config: StreamConfig, settings: Settings, out: TextIO, *, dry: bool) -> None:
        self.config, self.folder = config, state_folder(settings.state_dir)
        self._passes_on = out if settings.telegraf else None
        self.signed = _signed_stream(config, self.folder, dry)
        self.good = LastGoodModel(config.state) if config.state and not dry and self.signed is None else None
        signed = self.signed.model if self.signed is not None else None
        self.model = signed or choose_model(config.model, self.good, self.folder, noted=not dry)
        if self.good is not None:
            self.good.starting(self.model.digest)
        try:
            self._open(config)
        except EdgelstmError:
            self.forget()
            raise

    def forget(self) -> None:
        """Take the count of this start back: the program ends in an orderly way."""
        if self.good is not None:
            self.good.ended(self.model.digest)
        if self.signed is not None:
            self.signed.forget()

    def _open(self, config: StreamConfig) -> None:
        if config.event_log and not config.state:
            raise ConfigError("--event-log requires --state: name the file that keeps the state, too.")
        self.detector = at_work(self.model.bundle, config)
        metadata = self.detector.metadata
        columns = Columns.of(
            metadata, config.source_columns, config.time_column or None, config.missing, config.channels
        )
        self.source = self._source(columns, metadata.period)
        self.deliveries: list[tuple[Address, bool, Callable[[], Delivery]]] = []
        for sink, scores in [(one, False) for one in config.to] + [(one, True) for one in config.scores_to]:
            address = parse_address(sink)
            opened = plan_delivery(address, config.label, scores, *self._forecast())
            self.deliveries.append((address, scores, opened))

    def _forecast(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return names and units of what is forecast; nothing for a detector."""
        if isinstance(self.detector, Detector):
            return (), ()
        from ..forecasting.features import InputFeatures

        channels = self.detector.metadata.channels[: InputFeatures.of(self.detector.metadata).targets]
        return tuple(one.name for one in channels), tuple(one.unit for one in channels)

    def _source(self, columns: Columns, period: float | None) -> Source:
        config = self.config
        if self._passes_on is None or config.source != "-":
            return open_source(parse_address(config.source), columns, config.follow, period)
        from ..sources.telegraf import TelegrafSource

        return on_grid(TelegrafSource(columns, self._passes_on), columns)

    def check_files(self) -> None:
        """Find files that cannot be read or written.

        Raises:
            SeriesError: If the source is a file that is not there, or the folder of one to follow is missing.
            OutputError: If a file could not be written.
        """
        one, source = self.config, parse_address(self.config.source)
        if one.follow:
            from ..sources.tail import announce_absence

            announce_absence(Path(source.target))
        elif not source.scheme and source.target != "-" and not os.path.exists(source.target):
            raise SeriesError(f"There is no file {source.target}. Check the name.")
        for path in outputs(one):
            check_writable(path)

    def runner(self, settings: Settings, narrator: Narrator, out: TextIO, model: str) -> Runner:
        """Open the sinks, and put all together.

        Args:
            settings: Settings that all streams share.
            narrator: Speaker of the events' sentences.
            out: Stream for lines.
            model: Name to put in each line, empty for none.
        """
        names = self.detector.metadata.names
        sinks = [self._output(settings, out, model)]
        if self.deliveries:
            sinks.extend(self._remote_sinks(settings))
        one = self.config
        checkpoint = self._checkpoint() if one.state else None
        watch: Watch = (
            self.signed.watch(partial(tuned, config=one), len(names))
            if self.signed is not None
            else ModelWatch(
                one.model, partial(at_work, config=one), folder=self.folder, good=self.good, model=self.model
            )
        )
        book = AnswerBook(answers_path(self.folder, one.label))
        runner = Runner(
            self.detector, self._samples(), sinks, one.label, checkpoint, watch, self.model.notice, narrator, book
        )
        if one.event_log:
            self._recall(runner)
        return runner

    # what few runs need is imported when it is used: a plain one starts the sooner

    def _remote_sinks(self, settings: Settings) -> Iterator[RemoteSink]:
        from ..sinks.spool import Spool
        from ..sinks.store_and_forward import Forwarder

        one, names = self.config, self.detector.metadata.names
        for address, scores, open_it in self.deliveries:
            spool = Spool(spool_folder(self.folder, one.label, address), settings.spool_limit)
            # of a forecaster, its forecasts are what a sink is for
            yield Forwarder(open_it(), spool, one.label, names, scores or not isinstance(self.detector, Detector))

    def _checkpoint(self) -> Checkpoint:
        from .checkpoint import Checkpoint

        one = self.config
        return Checkpoint(self.detector, one.state, one.event_log or None, one.snapshot_every)

    def _recall(self, runner: Runner) -> None:
        """Show the newest events of the log again."""
        from .event_log import recent_events

        for event in recent_events(Path(self.config.event_log), EVENTS):
            runner.status.recall(event)

    def _output(self, settings: Settings, out: TextIO, model: str) -> Sink:
        names = self.detector.metadata.names
        if not settings.telegraf and not isinstance(self.detector, Detector):
            from ..sinks.forecast_lines import ForecastLines

            return ForecastLines(out, model)
        if settings.telegraf:
            from ..sinks.point_lines import PointLines

            return PointLines(out, names, self.config.label)
        return ScoreLines(out, names, model) if settings.scores else EventLines(out, model)

    def _samples(self) -> Source:
        """The source; a file that does not grow is read ahead."""
        address = parse_address(self.config.source)
        if address.scheme or self.config.follow or not isinstance(self.detector, Detector):
            return self.source
        return ahead_of(self.source, address.target, self.detector)
