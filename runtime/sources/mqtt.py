"""Source of samples from an MQTT broker: one JSON sample a message, or topics that bring some channels each."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass

from ..errors import ConfigError, SeriesError, ShapeError
from ..io.addresses import Address
from ..io.timestamps import stamp
from .column_mapping import Columns, Row
from .csv_cells import CellReader
from .line_reader import LONGEST, WAIT
from .live import Grid, LiveSource, Rounds
from .mqtt_inbox import Inbox, InboxOptions, Message
from .mqtt_topics import ChannelTopics
from .record_rows import RecordRows
from .records import parse_json
from .sample import Sample

log = logging.getLogger("edgelstm")
LISTEN = 3.0  # seconds for which other topics under a wildcard may speak before a channel's; or three periods


@dataclass(frozen=True)
class MqttSourceOptions(InboxOptions):
    """Settings of a source from a broker."""

    every: float = 0.0
    """With one topic a channel: seconds between samples of the latest values; 0 for a sample a round of messages."""


class MqttSource(LiveSource):
    """Samples from MQTT messages.

    A JSON object or array that holds all channels is a sample. One with some of them, a number and an object with a `value` are
    gathered until all channels have come, or one comes again; a number's channel is called like the topic's end, and a name such
    as `pump/state#motor.current` says both the end and the path inside. Each channel has one topic: where a second one would feed it, the source
    is refused at the start, and later the second topic is passed over. Retained messages are old news and passed over.

    Args:
        address: Broker and topic, which may hold the wildcards + and #.
        options: Credentials, session, and the interval for one topic a channel.
        columns: Columns that feed the model.
        period: The model's seconds between samples; None when unknown.

    Raises (while reading):
        SeriesError, ShapeError: If none of the first messages fits.
        ConfigError: If two topics feed one channel.
    """

    def __init__(
        self, address: Address, options: MqttSourceOptions, columns: Columns, period: float | None = None
    ) -> None:
        if not address.target:
            raise ConfigError(f"{address.name} names no topic. Write mqtt://HOST/TOPIC, + and # are wildcards.")
        super().__init__(columns, address.name)
        self.columns = columns
        self._inbox = Inbox(address, options)
        self._cells = CellReader(missing=columns.missing, origin=self.name, signals=columns.by_path)
        self._topics = ChannelTopics(columns.names, address)
        self._wildcard = any(letter in address.target for letter in "+#")
        self._listen = max(LISTEN, 3 * (period or 0.0))
        self._begin: float | None = None
        self._inside: dict[tuple[tuple[int, str], ...], RecordRows] = {}
        self._newest = 0.0
        self._rounds = Rounds(len(columns.names))
        self._grid = Grid(len(columns.names), options.every) if options.every > 0 else None

    @property
    def skipped(self) -> int:
        """See `Source`."""
        return self.rows.bad + self._inbox.dropped

    def __iter__(self) -> Iterator[Sample]:
        self._inbox.open()
        try:
            while not self._stop.is_set():
                yield from self._next()
        finally:
            self._inbox.close()

    def _next(self) -> Iterator[Sample]:
        """Wait for a message, or until a row is due."""
        message = self._inbox.get(min(WAIT, self._grid.every / 4) if self._grid else WAIT)
        if message is not None:
            yield from self._samples(message)
            self._inbox.done(message)
        row = self._grid.due() if self._grid else None
        if row is not None:
            yield self._row(row, time.time())

    def _samples(self, message: Message) -> list[Sample]:
        if self._begin is None:
            self._begin = time.monotonic()
        try:
            return self._read(message)
        except (SeriesError, ShapeError) as error:
            self.rows.pass_over(error)
            return []

    def _read(self, message: Message) -> list[Sample]:
        """Read a message.

        Raises:
            SeriesError: If it is no value.
            ShapeError: If it holds no channel.
        """
        if message.payload is None:
            raise SeriesError(f"topic {message.topic}: a message is longer than {LONGEST >> 10} KiB")
        text = message.payload.decode("utf-8", "replace").strip()
        if "\ufffd" in text:
            hint = self._topics.sparkplug(message.topic)
            raise SeriesError(f"topic {message.topic}: a message is binary. Numbers and JSON are read{hint}")
        if text[:1] in ("{", "["):
            return self._json(message, text)
        channel = self._topics.channel(message.topic)
        if channel is None:
            self._other(
                SeriesError(
                    f"topic {message.topic}: {text[:40]!r} is no JSON, and the topic ends in no channel's name "
                    f"({', '.join(self.columns.names)}). Name the ends of the topics with --columns"
                )
            )
            return []
        value = self._cells.read(text, self.columns.names[channel])
        if value is None:
            raise SeriesError(f"topic {message.topic}: {text[:40]!r} is neither a number nor JSON")
        if not self._claims([channel], message):
            return []
        return self._gathered([(channel, value)], message.moment)

    def _json(self, message: Message, text: str) -> list[Sample]:
        """Read a message that holds a sample, or a part of one."""
        places = self._topics.inside(message.topic)
        if places:
            return self._part(message, text, places)
        try:
            row = self.rows.read(text)
        except ShapeError as error:
            channel, record = self._topics.channel(message.topic), parse_json(text)
            if channel is not None and isinstance(record, dict) and "value" in record:
                return self._part(message, text, [(channel, "value")])
            self._other(error)
            return []
        if row is None:
            return []
        channels = [channel for channel, value in enumerate(row.values) if not math.isnan(value)]
        if not self._claims(channels, message):
            return []
        if row.time is None:
            row = Row(row.values, message.moment, stamp(message.moment))
        if self._topics.whole(message.topic) or self.columns.resampling is not None:
            return [self.rows.sample(row)]
        return self._gathered([(channel, row.values[channel]) for channel in channels], row.time or message.moment)

    def _part(self, message: Message, text: str, places: list[tuple[int, str]]) -> list[Sample]:
        """Read a message that holds some channels under paths of their own.

        Args:
            message: The message.
            text: Its content.
            places: Position of each channel, and its path.
        """
        key = tuple(places)
        if key not in self._inside:
            names = tuple(self.columns.channels[channel] for channel, _ in places)
            taken = tuple(path for _, path in places)
            columns = Columns(names, taken, missing=self.columns.missing, signals=self.columns.signals)
            self._inside[key] = RecordRows(columns, f"{self.name}, topic {message.topic}")
        row = self._inside[key].parse(text)
        if not self._claims([channel for channel, _ in places], message):
            return []
        values = [(channel, value) for (channel, _), value in zip(places, row.values, strict=True)]
        moment = message.moment if row.time is None else row.time
        if self.columns.resampling is None:
            return self._gathered(values, moment)
        sparse = dict(values)
        return [self._row([sparse.get(channel, math.nan) for channel in range(len(self.columns.names))], moment)]

    def _claims(self, channels: list[int], message: Message) -> bool:
        """Tell whether a message's topic is that of some channels; one that is not is counted."""
        if self._topics.claim(channels, message.topic, self.rows.row):
            return True
        self.rows.bad += 1
        return False

    def _gathered(self, values: list[tuple[int, float]], moment: float) -> list[Sample]:
        """Gather values of some channels; return the samples that they end.

        Args:
            values: Position of each channel, and its value.
            moment: Their time, seconds since 1970.
        """
        self.rows.fits = True
        samples = []
        for channel, value in values:
            if self._grid is not None:
                self._grid.put(channel, value)
                continue
            row = self._rounds.put(channel, value)
            if row is not None:
                samples.append(self._row(row, self._newest if self._rounds.begun else moment))
            self._newest = moment
        return samples

    def _row(self, values: list[float], moment: float) -> Sample:
        return self.rows.sample(Row(values, moment, stamp(moment)))

    def _other(self, error: SeriesError | ShapeError) -> None:
        """Count a message that is no channel's; under a wildcard, others may speak first for a while.

        Raises:
            SeriesError: If none of our channels was among the first messages.
        """
        patient = self._begin is not None and time.monotonic() < self._begin + self._listen
        if not self._wildcard or not patient:
            raise error
        self.rows.bad += 1
