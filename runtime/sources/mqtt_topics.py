"""Topics of an MQTT broker by the channels that they feed."""

from __future__ import annotations

import logging

from ..errors import ConfigError
from ..io.addresses import Address
from .live import PATIENCE
from .mqtt_inbox import WAITING

log = logging.getLogger("edgelstm")
INSIDE = "#"  # between a topic's end and the path inside its messages; no topic has it


class ChannelTopics:
    """Topics by channel, one each: devices whose topics end alike would be mixed into one series.

    Args:
        names: The source's name of each channel: a topic's end, or that and a path inside its messages, `pump/state#current`.
        address: The subscription, for errors.
    """

    def __init__(self, names: tuple[str, ...], address: Address) -> None:
        self.names, self._paths = zip(*(_split(name) for name in names), strict=True)
        self.address = address
        self._channels: dict[str, int | None] = {}
        self._owners: dict[int, str] = {}
        self._strangers: set[str] = set()

    def channel(self, topic: str) -> int | None:
        """Return the channel whose name is the longest end of a topic, None if none is."""
        if topic in self._channels:
            return self._channels[topic]
        ends = [i for i, name in enumerate(self.names) if not self._paths[i] and _ends(topic, name)]
        channel = max(ends, key=lambda i: len(self.names[i])) if ends else None
        if len(self._channels) < WAITING:
            self._channels[topic] = channel
        return channel

    def inside(self, topic: str) -> list[tuple[int, str]]:
        """Return the channels that have a path inside a topic's messages, each with its path."""
        if not any(self._paths):
            return []
        return [(at, path) for at, path in enumerate(self._paths) if path and _ends(topic, self.names[at])]

    def whole(self, topic: str) -> bool:
        """Tell whether a topic feeds all channels."""
        return len(self._owners) == len(self.names) and set(self._owners.values()) == {topic}

    @staticmethod
    def sparkplug(topic: str) -> str:
        """Hint at the option that reads a topic's messages where they are Sparkplug's; empty for others.

        >>> ChannelTopics.sparkplug("spBv1.0/plant/DDATA/pump/motor")
        '; Sparkplug B is read with mqtt://HOST/?format=sparkplug&group=plant&node=pump'
        """
        parts = topic.split("/")
        if parts[0] != "spBv1.0" or len(parts) < 4:
            return ""
        return f"; Sparkplug B is read with mqtt://HOST/?format=sparkplug&group={parts[1]}&node={parts[3]}"

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
        longer = f"{head.rpartition('/')[2]}/{name}" if end == name else f"{end}{INSIDE}{name}"
        narrow = f"{self.address.scheme}://{self.address.host}/{head}/+" if end == name else f"…/{owner}"
        return (
            f"Two topics feed the channel {name}: {owner} and {topic}. Two devices would be mixed into one series. "
            f"Subscribe to one of them ({narrow}), or name the ends of their topics with --columns '{longer},…'."
        )


def _split(name: str) -> tuple[str, str]:
    """The topic's end and the path inside; an empty path without one."""
    end, _, path = name.partition(INSIDE)
    return end, path


def _ends(topic: str, name: str) -> bool:
    return f"/{topic}".endswith(f"/{name}")
