"""Source of samples from an MQTT broker: one JSON sample a message, or one topic a channel."""

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
from .live import PATIENCE, Grid, LiveSource, Rounds
from .mqtt_inbox import WAITING, Inbox, InboxOptions, Message
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

    A JSON object or array is a whole sample. Any other message is one channel's number; the channel is called like the
    topic's end. Each channel has one topic: where a second one would feed it, the source is refused at the start, and
    later the second topic is passed over. Retained messages are old news and passed over.

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
            sample = self._sample(message)
            if sample is not None:
                yield sample
            self._inbox.done(message)
        row = self._grid.due() if self._grid else None
        if row is not None:
            yield self._row(row, time.time())

    def _sample(self, message: Message) -> Sample | None:
        if self._begin is None:
            self._begin = time.monotonic()
        try:
            return self._read(message)
        except (SeriesError, ShapeError) as error:
            self.rows.pass_over(error)
            return None

    def _read(self, message: Message) -> Sample | None:
        """Read a message.

        Raises:
            SeriesError: If it is no value.
            ShapeError: If it holds no channel.
        """
        if message.payload is None:
            raise SeriesError(f"topic {message.topic}: a message is longer than {LONGEST >> 10} KiB")
        text = message.payload.decode("utf-8", "replace").strip()
        if "\ufffd" in text:
            raise SeriesError(f"topic {message.topic}: a message is binary. Numbers and JSON are read")
        if text[:1] in ("{", "["):
            return self._whole(message, text)
        channel = self._topics.channel(message.topic)
        if channel is None:
            self._other(
                SeriesError(
                    f"topic {message.topic}: {text[:40]!r} is no JSON, and the topic ends in no channel's name "
                    f"({', '.join(self.columns.names)}). Name the ends of the topics with --columns"
                )
            )
            return None
        value = self._cells.read(text, self.columns.names[channel])
        if value is None:
            raise SeriesError(f"topic {message.topic}: {text[:40]!r} is neither a number nor JSON")
        if not self._topics.claim([channel], message.topic, self.rows.row):
            self.rows.bad += 1
            return None
        return self._value(channel, value, message.moment)

    def _whole(self, message: Message, text: str) -> Sample | None:
        """Read a message that holds a whole sample."""
        try:
            row = self.rows.read(text)
        except ShapeError as error:
            self._other(error)
            return None
        if row is None:
            return None
        channels = [i for i, value in enumerate(row.values) if not math.isnan(value)]
        if not self._topics.claim(channels, message.topic, self.rows.row):
            self.rows.bad += 1
            return None
        if row.time is None:
            row = Row(row.values, message.moment, stamp(message.moment))
        return self.rows.sample(row)

    def _value(self, channel: int, value: float, moment: float) -> Sample | None:
        self.rows.fits = True
        if self._grid is not None:
            self._grid.put(channel, value)
            return None
        row = self._rounds.put(channel, value)
        return None if row is None else self._row(row, moment)

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


class ChannelTopics:
    """Topics by channel, one each: devices whose topics end alike would be mixed into one series.

    Args:
        names: The source's name of each channel.
        address: The subscription, for errors.
    """

    def __init__(self, names: tuple[str, ...], address: Address) -> None:
        self.names, self.address = names, address
        self._channels: dict[str, int | None] = {}
        self._owners: dict[int, str] = {}
        self._strangers: set[str] = set()

    def channel(self, topic: str) -> int | None:
        """Return the channel whose name is the longest end of a topic, None if none is."""
        if topic in self._channels:
            return self._channels[topic]
        ends = [i for i, name in enumerate(self.names) if f"/{topic}".endswith(f"/{name}")]
        channel = max(ends, key=lambda i: len(self.names[i])) if ends else None
        if len(self._channels) < WAITING:
            self._channels[topic] = channel
        return channel

    def claim(self, channels: list[int], topic: str, rows: int) -> bool:
        """Give channels to the topic that feeds them.

        Args:
            channels: Positions of the channels.
            topic: The topic that brings values of them.
            rows: Samples so far: later on, a second topic is passed over, as the watch must not end for it.

        Returns:
            False if another topic feeds one of them.

        Raises:
            ConfigError: If that comes to light among the first samples, when either may be the wrong one.
        """
        others = {self._owners[i]: i for i in channels if self._owners.get(i, topic) != topic}
        if not others:
            self._owners.update((i, topic) for i in channels)
            return True
        owner, channel = next(iter(others.items()))
        if rows < PATIENCE:
            raise ConfigError(self._refusal(owner, topic, self.names[channel]))
        if topic not in self._strangers and len(self._strangers) < PATIENCE:
            self._strangers.add(topic)
            log.warning("%s: topic %s is passed over: %s feeds its channels", self.address.name, topic, owner)
        return False

    def _refusal(self, owner: str, topic: str, name: str) -> str:
        head, _, end = owner.rpartition("/")
        longer = f"{head.rpartition('/')[2]}/{name}"
        narrow = f"{self.address.scheme}://{self.address.host}/{head}/+" if end == name else f"…/{owner}"
        return (
            f"Two topics feed the channel {name}: {owner} and {topic}. Two devices would be mixed into one series. "
            f"Subscribe to one of them ({narrow}), or name longer ends of the topics with --columns ({longer},…)."
        )
