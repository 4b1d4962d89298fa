"""Detection quality that a student loses, on labelled rows that are read once."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgelstm.runtime.errors import ConversionError
from edgelstm.runtime.model_file.metadata import Metadata

from ..data.series import Series
from ..deployment.representative_data import Source
from ..evaluation.evaluate import judge_detector, read_labelled
from ..evaluation.keras_detector import Segments, check_detector, keras_detector


@dataclass(frozen=True)
class Detection:
    """Labelled rows, and what the whole model reaches on them."""

    name: str
    """File name of the rows."""
    series: Series = field(repr=False)
    """The rows."""
    normal: Segments = field(repr=False)
    """Scaled segments of normal operation, which a foreign model's score is fitted on."""
    whole: float
    """VUS-PR of the whole model."""

    @classmethod
    def of(cls, source: Source, model: Any, data: Path, label_column: str | None) -> Detection:
        """Read labelled rows and judge the whole model.

        Args:
            source: Model with its representative data.
            model: The Keras model of the source.
            data: Labelled rows as CSV.
            label_column: Their column of labels; None looks for one of a usual name.

        Raises:
            ModelError: If the model gives no score.
            ConversionError: If no labelled anomaly gets one.
        """
        check_detector(source.path.name, model, source.metadata)
        rows = source.representative
        if rows is None or source.metadata.scaler is None:
            raise ConversionError(
                f"{data.name} holds sensor rows, and how this model's windows are made of such rows is not known. Give "
                "normal rows as --calibration normal.csv, or leave --data out to judge by the outputs."
            )
        series = read_labelled(data, source.metadata, label_column)
        unjudged = cls(data.name, series, rows.normal, 0.0)
        return cls(data.name, series, unjudged.normal, -unjudged.drop(model, source.metadata))

    def drop(self, model: Any, metadata: Metadata) -> float:
        """VUS-PR that a model loses against the whole one; below 0 where it gains.

        Args:
            model: Keras model.
            metadata: Its metadata.
        """
        detector = keras_detector(model, metadata, (self.series.values, self.series.time), self.normal)
        reached = judge_detector(self.name, "keras", detector, self.series).vus_pr
        if reached is None:
            raise ConversionError(
                f"{self.name} has no labelled anomaly among the rows that get a score, so no detection can drop. "
                "Give rows with anomalies, or leave --data out to judge by the outputs."
            )
        return self.whole - reached
