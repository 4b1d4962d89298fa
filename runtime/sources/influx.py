"""Source that asks an InfluxDB for new points, by growing time."""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..errors import ConfigError, SeriesError, ShapeError
from ..io.addresses import Address
from ..io.http_query import QueryError, QueryLine, QueryOptions
from ..io.timestamps import stamp
from .column_mapping import Columns, Row
from .influx_points import Point
from .influx_questions import LANGUAGES, Language, Target
from .points import PointReader, wanted_tags
from .polled import PolledSource
from .sample import Sample

log = logging.getLogger("edgelstm")
PORTS = {"influx": 8086, "influxs": 443}
STARTS = ("new", "all")
BEGINNING = -(1 << 62)  # nanoseconds, in 1823: before every point


@dataclass(frozen=True)
class InfluxSourceOptions(QueryOptions):
    """Settings of polled points."""

    measurement: str = ""
    """Measurement, or table, whose fields are channels."""
    language: str = "influxql"
    """`influxql`, which InfluxDB 1, 2 and 3 understand; `flux` for 2, `sql` for 3."""
    org: str = ""
    """Organization, for Flux."""
    tags: tuple[str, ...] = ()
    """Tags that points must carry, NAME=VALUE, several with commas; without any, one series a channel is taken: the first."""
    every: float = 1.0
    """Seconds between looks for new points."""
    start: str = "new"
    """Without a kept state: `new` for points later than those that are there, `all` for these, too."""
    settle: float = 0.0
    """Seconds for which a point is left alone, so that slower writers may come before it."""
    wait: float = 1.0
    """Seconds for which the newest rows wait for the channels that they lack."""

    def __post_init__(self) -> None:
        """Check the names, too.

        Raises:
            ConfigError: As `QueryOptions`, or if one is missing or unknown.
        """
        super().__post_init__()
        if not self.measurement:
            raise ConfigError("An InfluxDB source needs measurement=NAME, of which fields are channels.")
        if self.language not in LANGUAGES or self.start not in STARTS:
            raise ConfigError(
                f"language is {', '.join(LANGUAGES)}, start {' or '.join(STARTS)}; received {self.language!r} and {self.start!r}."
            )
        if not 0 < self.every <= 86_400 or not (0 <= self.settle <= 86_400 and 0 <= self.wait <= 86_400):
            raise ConfigError(
                f"every is positive, settle and wait not negative; received {self.every:g}, {self.settle:g} and {self.wait:g}."
            )
        wanted_tags(self.tags)


class InfluxSource(PolledSource):
    """Samples of a measurement's new points; those of one time make one row.

    Args:
        address: Server and bucket or database.
        options: Login, measurement, language.
        columns: Channels that feed the model, called like fields, or the keys of a long table that it was trained on.

    Raises (while reading):
        SeriesError: If the server refuses the first question.
        ShapeError: If the measurement lacks a channel.
    """

    def __init__(self, address: Address, options: InfluxSourceOptions, columns: Columns) -> None:
        if not address.host or not address.target:
            raise ConfigError(f"{address.name} names no bucket. Write {address.scheme}://HOST/BUCKET?measurement=NAME")
        if options.language == "flux" and not options.org:
            raise ConfigError(f"{address.name}: Flux asks within an organization. Add org=NAME.")
        name = f"{address.name}?measurement={options.measurement}"
        super().__init__(columns, name, options.every, QueryError)
        self.columns, self.options = columns, options
        self.position: int | None = None
        """Time up to which all points were handed out, nanoseconds; None before the first answer."""
        secure = address.scheme == "influxs"
        headers = options.authorization(address)
        self._line = QueryLine(address.host, address.port or PORTS[address.scheme], secure, options, headers)
        tags = wanted_tags(options.tags)
        target = Target(address.target, options.org, options.measurement, tags, options.settle)
        self._language: Language = LANGUAGES[options.language](self._line, target)
        self._points = PointReader(replace(columns, time="_time"), self.rows, {})
        self._fields: list[str] = []
        self._tags: list[str] = []
        self._long = self._waits = False
        self._first_seen: dict[int, float] = {}

    def resume(self, position: Any) -> None:
        """Go on after a time, as it was or as JSON keeps it; passed over if it is none."""
        if isinstance(position, int) and not isinstance(position, bool):
            self.position = position

    def close(self) -> None:
        """End the reading soon; may be called from a signal handler or another thread."""
        super().close()
        self._line.stop()

    def _hang_up(self) -> None:
        self._line.close()

    def _failed(self, error: QueryError) -> None:
        if self._stop.is_set():
            return
        if (
            not error.lost and self.position is None
        ):  # the first question already: a name is wrong, or a right is lacking
            raise SeriesError(f"{self.name}: {_line(str(error))}. Check bucket, measurement=, language= and the token.")
        self._stop.wait(max(error.pause, self._attempts.failed(str(error))))

    def _next_page(self) -> tuple[list[Point], bool]:
        if not self._fields and not self._settle():
            return [], False
        if self.position is None:
            newest = self._language.newest(self._fields) if self.options.start == "new" else None
            self.position = BEGINNING if newest is None else newest
        return self._whole(*self._language.after(self.position, self._fields, self._tags))

    def _whole(self, points: list[Point], more: bool) -> tuple[list[Point], bool]:
        """Points without the newest ones that lack a channel, as long as these may wait, and whether to ask again at once.

        A server shows the fields of a new point one after the other: an answer may hold one and not the other.
        """
        waiting: list[int] = []
        for moment, several in itertools.groupby(reversed(points), key=lambda point: point.time):
            there = {name for point in several for name, value in point.fields.items() if value is not None}
            if not self._long and there >= set(self._fields):
                break
            waiting.append(moment)
        if more:
            behind = waiting[-1] if waiting and waiting[-1] > points[0].time else None
        else:
            now = time.monotonic()
            self._first_seen = {moment: self._first_seen.get(moment, now) for moment in waiting}
            behind = min((at for at, seen in self._first_seen.items() if now < seen + self.options.wait), default=None)
        return [point for point in points if behind is None or point.time < behind], more

    def _settle(self) -> bool:
        """Settle the fields that are asked for; False while there is no such measurement.

        Raises:
            ShapeError: If it lacks a channel.
        """
        fields, tags = self._language.schema()
        if not fields:
            if not self._waits:
                self._waits = True
                log.warning("%s: there are no such points yet; waiting for the first", self.name)
            return False
        if self._waits and self.position is None:
            self.position = BEGINNING  # whatever comes first is new
        inside = f"{self.options.measurement}."
        wanted = [name.removeprefix(inside) for name in self.columns.names]
        self._long = not set(wanted) <= set(fields) and self.columns.is_long(_long_header(tags or self._long_keys()))
        if not self._long and not set(wanted) <= set(fields):
            raise self.columns.lacking(fields, self.name)
        self._fields = fields if self._long else list(dict.fromkeys(wanted))
        self._tags = tags
        return True

    def _long_keys(self) -> Sequence[str]:
        """Tags that a long table's keys may be, where the language does not tell them beforehand."""
        return self.columns.resampling.keys if self.columns.resampling else ()

    def _samples(self, points: list[Point]) -> Iterator[Sample]:
        for moment, several in itertools.groupby(points, key=lambda point: point.time):
            if self._stop.is_set():
                return
            self.position = moment
            row: Row | None = None
            for point in several:
                for made in self._rows(point):
                    row = made if row is None else _joined(row, made)
            if row is not None:
                yield self.rows.sample(Row(row.values, moment / 1e9, stamp(moment / 1e9)))

    def _rows(self, point: Point) -> Iterator[Row]:
        """The rows of a point: one, or one a field where the model was trained on a long table."""
        series = ",".join(
            [self.options.measurement, *(f"{name}={value}" for name, value in sorted(point.tags.items()))]
        )
        own = {"_measurement": self.options.measurement, "_time": float(point.time)}
        records: list[dict[str, Any]] = [{**point.tags, self.options.measurement: point.fields, **point.fields, **own}]
        if self._long:
            records = [
                {**point.tags, **own, "_field": k, "_value": v} for k, v in point.fields.items() if v is not None
            ]
        for record in records:
            try:
                row = self._points.record(record, series)
            except (SeriesError, ShapeError) as error:
                self.rows.pass_over(error)
                continue
            if row is not None:
                yield row


def _long_header(tags: Sequence[str]) -> list[str]:
    return [*tags, "_time", "_measurement", "_field", "_value"]


def _joined(row: Row, other: Row) -> Row:
    """Two rows of one time; what the later one has comes first."""
    values = [new if new == new else old for old, new in zip(row.values, other.values, strict=True)]
    return Row(values, row.time, row.label)


def _line(text: str) -> str:
    return "".join(filter(str.isprintable, text))[:200].rstrip(".")
