"""Base of all estimators: scikit-learn's conventions, files, conversion and the model card."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted, validate_data

from edgelstm.runtime.errors import ModelError
from edgelstm.runtime.forecasting.features import SECTION as FORECAST
from edgelstm.runtime.model_file.metadata import Metadata

from ..data.series import Series, with_units
from .columns import library_of
from .frames import read_frame, wanted_by

if TYPE_CHECKING:
    from ..deployment.convert import Converted
    from ..training.trained import Trained

E = TypeVar("E", bound="Estimator")
AUTO = "auto"


class Estimator(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Base of the estimators; fitted ones hold a `trained_` model."""

    trained_: Trained
    channel_units: Mapping[str, str] | None

    @property
    def metadata_(self) -> Metadata:
        """Description of the fitted model: channels, scaling, score, threshold."""
        check_is_fitted(self, "trained_")
        return self.trained_.metadata

    @property
    def model_(self) -> Any:
        """The fitted Keras model."""
        check_is_fitted(self, "trained_")
        return self.trained_.model

    @property
    def history_(self) -> dict[str, list[float]]:
        """Losses by epoch."""
        check_is_fitted(self, "trained_")
        return self.trained_.history

    def save(self, path: Path | str, embed: bool = True) -> None:
        """Write the fitted model as the `.keras` file that `edgelstm train` writes.

        Args:
            path: Output file, .keras.
            embed: Whether rows for the conversion go in; off keeps customers' data out.

        Raises:
            OutputError: If it cannot be written.
        """
        check_is_fitted(self, "trained_")
        self.trained_.save(path, embed)

    @classmethod
    def load(cls: type[E], path: Path | str) -> E:
        """Read a `.keras` file of `edgelstm train` or of `save`.

        Raises:
            ModelError: If it holds no model of this kind.
        """
        from ..training.trained import Trained

        trained = Trained.load(path)
        if not cls.takes(trained.metadata):
            raise ModelError(f"{Path(path).name} is no model of {cls.__name__}: it is {_said(trained.metadata)}.")
        estimator = cls.with_options(trained.metadata)
        estimator._take(trained)
        return estimator

    @classmethod
    def takes(cls, metadata: Metadata) -> bool:
        """Tell whether a model is of this kind."""
        raise NotImplementedError

    @classmethod
    def with_options(cls: type[E], metadata: Metadata) -> E:
        """An unfitted estimator with the parameters that a model was trained with."""
        options = dict(metadata.sections.get("training", {}).get("options", {}))
        values = {"random_state": options.pop("seed", 0), **cls._parameters(options, metadata)}
        known = set(cls().get_params())
        return cls(**{name: value for name, value in values.items() if name in known})

    @classmethod
    def _parameters(cls, options: dict[str, Any], metadata: Metadata) -> dict[str, Any]:
        """Parameters by name, from the options that a model was trained with; names that are none are passed over."""
        raise NotImplementedError

    def convert(self, scheme: str = "int8", *, calibration: Any = None, **options: Any) -> Converted:
        """Convert the fitted model to TFLite, validated as `edgelstm convert` does it.

        Args:
            scheme: float32, float16, dynamic, int8 or int16x8.
            calibration: Rows of normal operation; None for those of the training.
            options: `streaming`, `target`, `threshold_rule`, `io`, `allow_drop` and `tell`, as of
                `edgelstm.deployment.convert.convert_file`.

        Raises:
            ConversionError: If it has no right TFLite form, or the error is above the limits.
        """
        from ..deployment.convert import convert_file

        rows = None if calibration is None else read_frame(calibration, wanted_by(self.metadata_))
        with tempfile.TemporaryDirectory(prefix="edgelstm-") as folder:
            file = Path(folder) / "model.keras"
            self.save(file)
            return convert_file(file, (scheme,), calibration=rows, **options)[scheme]

    def _take(self, trained: Trained) -> None:
        """Hold a trained model, with scikit-learn's attributes of a fitted estimator."""
        self.trained_ = trained
        self.n_features_in_ = len(trained.metadata.channels)
        if not all(name == f"x{at}" for at, name in enumerate(trained.metadata.names)):
            self.feature_names_in_ = np.array(trained.metadata.names, object)

    def _with_units(self, series: Series) -> Series:
        """The series with the units of `channel_units`, which come before its own."""
        return with_units(series, self.channel_units or {})

    def _checked(self, rows: Any, fitted: bool) -> Any:
        """Rows whose form scikit-learn's conventions refuse are refused as it does; tables are checked by their columns."""
        if isinstance(rows, Series | str | Path) or library_of(rows) != "numpy":
            return rows
        return validate_data(
            self,
            rows,
            reset=not fitted,
            dtype=np.float64,
            ensure_all_finite="allow-nan",
            ensure_min_samples=1 if fitted else 2,
        )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


def _said(metadata: Metadata) -> str:
    """Words for the kind of a model: a detector is often a forecaster, too, of the next row."""
    if metadata.scoring is not None and FORECAST not in metadata.sections:
        return "a detector of anomalies"
    return f"a {metadata.kind}"
