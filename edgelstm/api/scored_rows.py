"""Scores of tables in scikit-learn's words, the same for Keras models and for models on the device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from edgelstm.runtime.detector import Detector
from edgelstm.runtime.errors import ShapeError
from edgelstm.runtime.model_file.metadata import Metadata

from ..data.series import Series
from ..evaluation.replaying import Replay, replay
from .answers import column_like, moments_like, table_like
from .columns import library_of
from .frames import read_frame, wanted_by
from .limits import DetectionLimits

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NORMAL, OUTLIER = 1, -1


class ScoresRows:
    """Scores and alarms of a table's rows.

    Rows are fed one by one in their order, from a fresh start, as a device gets them. Rows that cannot be scored, because
    the window is not yet full or a value is missing, are NaN in scores and 1 (nothing found) in `predict`.
    """

    time_column: str | None = None

    def _detector(self, series: Series) -> Detector:
        """A detector for these rows."""
        raise NotImplementedError

    def _scored_metadata(self) -> Metadata:
        raise NotImplementedError

    def _rows(self, rows: Any) -> Series:
        """Rows as they are, the model's channels in its order."""
        metadata = self._scored_metadata()
        if library_of(rows) == "numpy" and not isinstance(rows, Series | str):
            rows = np.asarray(rows, np.float64)
            if rows.ndim != 2 or rows.shape[1] != len(metadata.channels):
                raise ShapeError(
                    f"The model expects {len(metadata.channels)} channels ({', '.join(metadata.names)}); received shape {rows.shape}."
                )
        return read_frame(rows, wanted_by(metadata, self.time_column), repair=False)

    def replay(self, rows: Any) -> tuple[Series, Replay]:
        """Feed rows to the model from a fresh start.

        Args:
            rows: pandas or polars table, array (T, F), or path of a CSV file.

        Returns:
            The rows as they were fed, and scores, alarms and events.
        """
        series = self._rows(rows)
        return series, replay(self._detector(series), series.values, series.time)

    def score_samples(self, X: Any) -> Any:
        """Negative anomaly score of each row, high is normal; the device's score is its negative.

        Args:
            X: pandas or polars table, array (T, F), or path of a CSV file.

        Returns:
            Shape (T,), as a column of the library that the rows came from, with their index.
        """
        return self._column(X, lambda result: -result.scores, "score")

    def decision_function(self, X: Any) -> Any:
        """Distance to the threshold of each row, negative above it: threshold minus score.

        Args:
            X: As of `score_samples`.
        """
        return self._column(X, lambda result: -result.scores - self.offset_, "decision")

    def predict(self, X: Any) -> Any:
        """-1 for each row above the threshold, else 1; `alarms` de-bounces them to events.

        Args:
            X: As of `score_samples`.
        """
        return self._column(X, lambda result: np.where(result.flagged, OUTLIER, NORMAL), "prediction")

    @property
    def threshold_(self) -> float:
        """Score above which a row is anomalous."""
        threshold = self._scored_metadata().threshold
        return float("inf") if threshold is None else threshold.value

    @property
    def offset_(self) -> float:
        """scikit-learn's offset: `decision_function` is `score_samples` minus this."""
        return -self.threshold_

    def alarms(self, X: Any) -> Any:
        """Events on the rows, as a device reports them: kind, start, end, rows, peak score and channels.

        Args:
            X: As of `score_samples`.

        Returns:
            A table of the rows' library, times in their zone; a dict of columns where they were an array.
        """
        series, result = self.replay(X)
        events = result.events
        named = isinstance(X, str) or series.period is not None
        start, end = (np.array([getattr(event, name) for event in events], np.float64) for name in ("start", "end"))
        columns: dict[str, Sequence[Any] | npt.NDArray[Any]] = {
            "kind": [event.kind for event in events],
            "start": moments_like(X, start, self.time_column) if named else start,
            "end": moments_like(X, end, self.time_column) if named else end,
            "peak": np.array([np.nan if event.peak is None else event.peak for event in events]),
            "channels": [", ".join(event.channels) for event in events],
            "reason": [event.reason for event in events],
        }
        return table_like(X, columns)

    def detection_limits(self) -> DetectionLimits:
        """The smallest faults that the model finds, measured after its training.

        Raises:
            ModelError: If none were measured.
        """
        return DetectionLimits.of(self._scored_metadata())

    def plot(self, X: Any, label_column: str | None = None) -> Figure:
        """Sensors, score, threshold and alarms over time.

        Args:
            X: As of `score_samples`.
            label_column: Column of the rows whose labelled stretches are shaded; None for none.
        """
        from ..evaluation.plots import alarm_figure

        series, result = self.replay(X)
        if label_column is not None:
            wanted = wanted_by(self._scored_metadata(), self.time_column, label_column)
            series = read_frame(X, wanted, repair=False)
        return alarm_figure(series, result, self.threshold_, self._scored_metadata())

    def _column(self, rows: Any, values: Any, name: str) -> Any:
        series, result = self.replay(rows)
        times = moments_like(rows, series.time, self.time_column) if series.resampling else None
        return column_like(rows, values(result), name, times)
