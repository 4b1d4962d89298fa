"""Rows or examples that models are judged on: the user's, or those in the model file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from edgelstm.classification.evaluate import read_examples
from edgelstm.data.label_cells import read_labels
from edgelstm.data.label_columns import advice, find_label_column
from edgelstm.data.series import Series, read_for_model
from edgelstm.data.time_label import time_label
from edgelstm.deployment.foreign_kind import DETECTORS
from edgelstm.deployment.representative_data import Source
from edgelstm.runtime.errors import SeriesError
from edgelstm.runtime.forecasting.features import SECTION as FORECAST
from edgelstm.runtime.model_file.metadata import Metadata

from .judge_classifier import Answers
from .judge_detector import Judge
from .judge_forecaster import forecast_examples, held_examples
from .judge_outputs import Windows

MOST_ROWS = 50_000  # that are replayed, one by one and for every scheme: about a minute for a small model


@dataclass(frozen=True)
class Subject:
    """A model and the data it is judged on; parts that its kind has no use for are None."""

    source: Source
    """The Keras model with its representative data."""
    description: str
    """Data that it is judged on, in words."""
    windows: Windows | None
    """Windows of normal operation, for the variance explained."""
    judge: Judge | None = None
    """Rows for a detector."""
    answers: Answers | None = None
    """Labelled examples for a classifier."""
    series: Series | None = None
    """Rows for a forecaster of targets, of which `windows` are examples."""
    label: str = ""
    """A time as the file writes it; empty where the rows have none."""
    remarks: tuple[str, ...] = ()
    """Sentences about the data that the user should know."""

    @property
    def metadata(self) -> Metadata:
        """The Keras model's."""
        return self.source.metadata

    @classmethod
    def read(cls, source: Source, data: Path | None, label_column: str | None, time_column: str | None) -> Subject:
        """Read the data to judge on.

        Args:
            source: The Keras model with its representative data.
            data: CSV file; None for the model's own held-back data.
            label_column: Its label column; None looks for a common name.
            time_column: Its time column; None looks for one.

        Raises:
            SeriesError: If the data cannot be used, or the model's kind has no use for them.
        """
        if FORECAST in source.metadata.sections:
            return cls._of_forecaster(source, data, time_column)
        metadata, representative = source.metadata, source.representative
        parts = (representative.held or representative.segments) if representative else ()
        windows = Windows.of(metadata, parts) if metadata.kind in DETECTORS else None
        held = f"{len(source.held[0])} windows of normal operation that were held back"
        if data is None:
            judge = _own_rows(metadata, parts) if metadata.kind in DETECTORS and parts else None
            rows = f", and {len(judge.series.values):,} such rows in a stream" if judge else ""
            return cls(source, held + rows, windows, judge)
        if metadata.kind == "classifier":
            return cls(source, data.name, None, answers=_answers(metadata, data, label_column))
        if metadata.kind not in DETECTORS or metadata.scaler is None:
            raise SeriesError(
                f"A {metadata.kind} model gives no score, so that {data.name} cannot judge it. "
                "Leave --data out, or name its --kind."
            )
        series = _rows(metadata, data, label_column, time_column)
        part = stretch(series)
        judge = Judge(part_of(series, part), metadata.window)
        likely = advice(data, metadata.names) if series.labels is None else ""
        remarks = (f"{data.name} was judged without labels, but {likely}",) if likely else ()
        return cls(
            source,
            data.name + _cut(series, part),
            windows,
            judge,
            label=time_label(data, metadata, time_column),
            remarks=remarks,
        )

    @classmethod
    def _of_forecaster(cls, source: Source, data: Path | None, time_column: str | None) -> Subject:
        """A forecaster of targets: its examples with their answers."""
        if data is None:
            examples = held_examples(source)
            return cls(source, f"{len(source.held[0])} examples that were held back", examples)
        series = read_for_model(source.metadata, data, time_column)
        examples, count = forecast_examples(source.metadata, series)
        return cls(source, f"{data.name}: {count:,} origins, evenly spread", examples, series=series)


def _answers(metadata: Metadata, data: Path, label_column: str | None) -> Answers:
    return Answers(
        read_examples(metadata, data, label_column), 0 if "vocabulary" in metadata.sections else metadata.window
    )


def _rows(metadata: Metadata, data: Path, label_column: str | None, time_column: str | None) -> Series:
    label_column = label_column or find_label_column(data, metadata.names)
    series = read_for_model(metadata, data, time_column, label_column, repair=False)
    if len(series.values) < metadata.window + metadata.horizon:
        raise SeriesError(
            f"{data.name} has {len(series.values)} rows; the model needs {metadata.window + metadata.horizon} for its "
            "first score. Give more rows."
        )
    return series


def stretch(series: Series) -> slice:
    """Select the rows to judge: all of a series of at most 50,000 rows, of a longer one those with most anomalous rows.

    Which stretch is taken depends on the labels alone, not on any model. Without labels it is the newest.
    """
    rows = len(series.values)
    if rows <= MOST_ROWS:
        return slice(0, rows)
    if series.labels is None:
        return slice(rows - MOST_ROWS, rows)
    counts = np.cumsum(np.concatenate([[0], read_labels(series.labels)]))
    held = counts[MOST_ROWS:] - counts[:-MOST_ROWS]
    start = len(held) - 1 - int(np.argmax(held[::-1]))
    return slice(start, start + MOST_ROWS)


def part_of(series: Series, part: slice) -> Series:
    """A stretch of a raw series.

    Args:
        series: The raw series.
        part: Rows to take.
    """
    values = series.values[part]
    labels = None if series.labels is None else series.labels[part]
    return replace(series, values=values, time=series.time[part], labels=labels, segments=((0, len(values)),))


def _cut(series: Series, part: slice) -> str:
    rows = len(series.values)
    if rows <= MOST_ROWS:
        return ""
    why = "the newest" if series.labels is None else "those with most anomalous ones"
    return f", rows {part.start + 1:,} to {part.stop:,} of {rows:,} ({why})"


def _own_rows(metadata: Metadata, parts: tuple[Any, ...]) -> Judge | None:
    """The longest stretch of representative rows as a series in sensor units."""
    longest = np.asarray(max(parts, key=len))[-MOST_ROWS:]
    if metadata.scaler is None or len(longest) < metadata.window + metadata.horizon:
        return None
    values = metadata.scaler.inverse(longest)
    time = np.arange(len(values), dtype=np.float64) * (metadata.period or 1.0)
    return Judge(Series(values, time, metadata.names, metadata.period, ((0, len(values)),)), metadata.window)
