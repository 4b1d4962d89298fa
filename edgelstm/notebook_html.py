"""Short HTML summaries for notebooks."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from edgelstm.runtime.model_file.metadata import Metadata

from .plain_words import duration, sentences


def table(title: str, rows: Mapping[str, str], notes: list[str] | None = None) -> str:
    """A small table of names and values, with sentences below.

    Args:
        title: Its caption.
        rows: Values by name, plain text.
        notes: Sentences, plain text.
    """
    body = "".join(
        f"<tr><th style='text-align:left'>{escape(name)}</th><td>{escape(value)}</td></tr>"
        for name, value in rows.items()
    )
    below = "".join(f"<div>{escape(note)}</div>" for note in notes or [])
    return f"<table><caption style='text-align:left'><b>{escape(title)}</b></caption>{body}</table>{below}"


def facts(metadata: Metadata, size: int | None = None) -> dict[str, str]:
    """The facts about a model that a person asks for first.

    Args:
        metadata: The model's.
        size: Bytes of its flatbuffer; None for a Keras model.
    """
    units = {channel.name: channel.unit for channel in metadata.channels}
    channels = [f"{name} ({unit})" if (unit := units[name]) and unit not in name else name for name in metadata.names]
    rows = {
        "channels": ", ".join(channels),
        "window": f"{metadata.window} rows"
        + (f", {duration(metadata.window, metadata.period)}" if metadata.period else ""),
    }
    if metadata.threshold is not None:
        rows["threshold"] = f"{metadata.threshold.value:.4g} ({metadata.threshold.method})"
    if size is not None:
        rows["size"] = f"{size / 1024:.1f} KiB, {metadata.scheme}"
    return rows


def summary(metadata: Metadata, size: int | None = None) -> str:
    """A model in a few lines.

    Args:
        metadata: The model's.
        size: As of `facts`.
    """
    notes = sentences(metadata) if metadata.scoring is not None else []
    return table(f"edgelstm {metadata.kind}", facts(metadata, size), notes)
