"""Detection limits as a result: the smallest faults that a detector finds, by channel."""

from __future__ import annotations

import html
from dataclasses import asdict, dataclass
from typing import Any

from edgelstm.runtime.errors import ModelError
from edgelstm.runtime.model_file.detection_limits import SECTION, limit_table
from edgelstm.runtime.model_file.metadata import Metadata

from ..plain_words import amount, duration, sentences
from ..training.detection_limits import ChannelLimits


@dataclass(frozen=True)
class DetectionLimits:
    """Smallest faults that raise an alarm, measured on rows of normal operation with faults put in."""

    channels: tuple[ChannelLimits, ...]
    """Limits of each channel."""
    rows: int
    """Rows within which a fault is found."""
    share: float
    """Share of the places in which it is found."""
    period: float | None
    """Seconds between rows; None without time."""
    units: dict[str, str]
    """Units of channels, where they are known."""
    metadata: Metadata
    """The model's."""

    @classmethod
    def of(cls, metadata: Metadata) -> DetectionLimits:
        """Read the limits that were measured after the training.

        Raises:
            ModelError: If none were.
        """
        section = metadata.sections.get(SECTION)
        if section is None:
            raise ModelError(
                "The model's file holds no detection limits: they are measured after training, for models judged by their "
                "newest row, where there are enough rows. Train with limits=True and more rows."
            )
        channels = tuple(ChannelLimits(**limit) for limit in section["channels"])
        units = {channel.name: channel.unit for channel in metadata.channels if channel.unit}
        return cls(channels, section["rows"], section["share"], metadata.period, units, metadata)

    def record(self) -> list[dict[str, Any]]:
        """One plain record a channel, for `pandas.DataFrame(…)`."""
        return [{**asdict(limit), "unit": self.units.get(limit.channel, "")} for limit in self.channels]

    def sentences(self) -> list[str]:
        """The limits in plain words."""
        return sentences(self.metadata)

    def __repr__(self) -> str:
        table = limit_table(self.metadata.sections.get(SECTION), self.period)
        return "\n".join(table.lines()) if table else f"DetectionLimits({len(self.channels)} channels)"

    def _repr_html_(self) -> str:
        """Table for notebooks."""
        heads = "".join(f"<th>{name}</th>" for name in ("channel", "offset", "drift", "stuck for"))
        body = "".join(
            f"<tr>{''.join(f'<td>{cell}</td>' for cell in self._cells(limit))}</tr>" for limit in self.channels
        )
        caption = f"Smallest fault found in {self.share:.0%} of cases within {duration(self.rows, self.period)}"
        return f"<table><caption>{caption}</caption><tr>{heads}</tr>{body}</table>"

    def _cells(self, limit: ChannelLimits) -> list[str]:
        unit = self.units.get(limit.channel, "")
        sizes = ["–" if size is None else amount(size, unit) for size in (limit.offset, limit.drift)]
        stuck = "–" if limit.stuck is None else duration(limit.stuck, self.period)
        return [html.escape(text) for text in (limit.channel, *sizes, stuck)]
