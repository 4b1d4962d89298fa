"""Sources of samples: files, pipes, growing files, MQTT, serial lines, IIO devices, field buses, and Python iterables."""

from __future__ import annotations

from .column_mapping import Columns
from .csv_file import TextSource, is_regular, parse_file, parse_lines
from .iterable import IterableSource
from .registry import SOURCES, Source, SourceKind, SourceRequest, open_file, open_source, source_kind
from .sample import Sample

__all__ = [
    "SOURCES",
    "Columns",
    "IterableSource",
    "Sample",
    "Source",
    "SourceKind",
    "SourceRequest",
    "TextSource",
    "is_regular",
    "open_file",
    "open_source",
    "parse_file",
    "parse_lines",
    "source_kind",
]
