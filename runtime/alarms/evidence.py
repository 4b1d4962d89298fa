"""Evidence of an alarm: for each channel the moment at which it was furthest from what the model expected.

A forecast follows a new level within some samples, so at the highest score measured and expected values may agree again. What
tells a reader most is the largest distance since shortly before the alarm began.
"""

from __future__ import annotations

import math
import struct
from base64 import b64decode, b64encode
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ..model_file.metadata import Channel, Metadata
from .expectation import Expectation
from .readings import Reading, rounded

BEFORE = 10  # samples before an alarm's first one that count: the default score averages over that many
NAMED = 5  # channels of an event whose readings are given
Moment = tuple[bytes, tuple[float, ...]]
"""A scaled sample as the bytes of a float32 array, and the expectation for it, shape (F,); empty where there is none."""


class Evidence:
    """Measured and expected values around the present alarm of one stream.

    Args:
        metadata: The model's metadata, with scaler and scoring.
    """

    def __init__(self, metadata: Metadata) -> None:
        self._channels = metadata.channels
        self._model = Expectation(metadata)
        self._usual = self._model.usual
        self._unpack = struct.Struct(f"={len(self._channels)}f").unpack
        self._recent: deque[Moment] = deque(maxlen=BEFORE + 1)
        self._furthest: list[Moment] = []  # for each channel; empty while there is no alarm
        self._largest: list[float] = []  # distances of these moments

    def push(self, packed: bytes, expected: Sequence[float]) -> None:
        """Take the newest sample.

        Args:
            packed: The scaled sample as the bytes of a float32 array.
            expected: Expectations for it, scaled units, shape (K * F,).
        """
        self._recent.append((packed, self._model.trusted(expected)))

    def follow(self) -> None:
        """Let the newest sample count for the present alarm, and those shortly before it when it has just begun."""
        if not self._furthest:
            first = self._recent[0]
            self._furthest, self._largest = [first] * len(self._usual), self._distances(first)
            moments = list(self._recent)
        else:
            moments = [self._recent[-1]]
        for moment in moments:
            for at, distance in enumerate(self._distances(moment)):
                if distance > self._largest[at]:
                    self._furthest[at], self._largest[at] = moment, distance

    def _distances(self, moment: Moment) -> list[float]:
        packed, expected = moment
        if not expected:
            return [-1.0] * len(self._usual)
        parts = zip(self._unpack(packed), expected, self._usual, strict=True)
        return [abs(value - expectation) / usual for value, expectation, usual in parts]

    @property
    def gathering(self) -> bool:
        """True while there is an alarm."""
        return bool(self._furthest)

    def end(self) -> None:
        """Forget the present alarm."""
        self._furthest, self._largest = [], []

    def clear(self) -> None:
        """Forget the stream."""
        self._recent.clear()
        self.end()

    def readings(self, names: Sequence[str], missing: Collection[int] = ()) -> tuple[Reading, ...]:
        """Return the readings of an event's first channels, but those at the only value that they had in training.

        Args:
            names: Its channels, strongest first.
            missing: Indices of the channels that are silent.
        """
        if not self._furthest:
            return ()
        places = {channel.name: at for at, channel in enumerate(self._channels)}
        readings = (self._reading(places[name], places[name] in missing) for name in names[:NAMED])
        return tuple(one for one in readings if not _unmoved(self._channels[places[one.channel]], one.measured))

    def _reading(self, at: int, missing: bool) -> Reading:
        packed, expected = self._furthest[at]
        channel, values = self._channels[at], self._unpack(packed)
        value = values[at]
        measured = None if missing else rounded(self._model.in_units(values)[at])
        expectation = rounded(self._model.in_units(expected)[at]) if expected else None
        known = measured is not None and expectation is not None
        deviations = rounded((value - expected[at]) / self._usual[at]) if known else None
        within = rounded(self._model.within[at])
        return Reading(
            channel.name, channel.unit, measured, expectation, within, deviations, _beyond(channel, measured)
        )

    def to_state(self) -> dict[str, Any]:
        """Return the recent moments, and the furthest of each channel, as plain JSON types."""
        return {"recent": list(map(_to_text, self._recent)), "furthest": list(map(_to_text, self._furthest))}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from what `to_state` returned.

        Raises:
            ValueError: If it is of another number of channels.
        """
        recent, furthest = ([self._from_text(text) for text in state[name]] for name in ("recent", "furthest"))
        if len(furthest) not in (0, len(self._usual)):
            raise ValueError("evidence of another number of channels")
        self._recent = deque(recent, maxlen=BEFORE + 1)
        self._furthest = furthest
        self._largest = [self._distances(moment)[at] for at, moment in enumerate(furthest)]

    def _from_text(self, text: str) -> Moment:
        content, count = b64decode(text), len(self._usual)
        if len(content) not in (4 * count, 12 * count):
            raise ValueError("evidence of another number of channels")
        packed, rest = content[: 4 * count], content[4 * count :]
        return packed, struct.unpack(f"={len(rest) // 8}d", rest)


def _to_text(moment: Moment) -> str:
    packed, expected = moment
    return b64encode(packed + struct.pack(f"={len(expected)}d", *expected)).decode()


def _unmoved(channel: Channel, measured: float | None) -> bool:
    """Tell whether a channel had one value in training, and has it now: nothing about it is unusual."""
    low, high = channel.train_low, channel.train_high
    return measured is not None and low is not None and low == high and math.isclose(low, measured, rel_tol=1e-5)


def _beyond(channel: Channel, measured: float | None) -> str:
    """Tell on which side of all values of training a value lies; empty within them, or where they are not known."""
    if measured is None or channel.train_low is None or channel.train_high is None:
        return ""
    return "above" if measured > channel.train_high else "below" if measured < channel.train_low else ""
