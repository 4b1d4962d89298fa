"""Training of one asset's model, the same bits as `edgelstm train` makes."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgelstm.runtime.errors import TrainingError

from ..data.reading import Reading
from ..data.series import Series
from ..training.options import Options
from .asset_files import digest_of, local_files, remarks
from .assets import Asset
from .fresh_session import ALONE, fresh_session
from .places import Place
from .stage import Made
from .warm_start import Start, read_start

if TYPE_CHECKING:
    from ..training.trained import Trained

Gathered = tuple[list[Path], Start | None]
NEWEST = 0.15  # share of the rows that alarms are counted on


@dataclass(frozen=True)
class Training:
    """Step `train`."""

    settings: Options
    """Settings of the training."""
    reading: Reading = field(default_factory=Reading)
    """Options of the reading."""
    embed: bool = True
    """True if representative rows go into the model's file; a conversion needs them."""
    warm: bool = False
    """True if the training begins with the weights of the common model."""

    @property
    def name(self) -> str:
        """Name of the step."""
        return "train"

    def options(self) -> dict[str, Any]:
        """Options as JSON types."""
        return asdict(self)

    def gather(self, asset: Asset, home: Place, folder: Path) -> tuple[Gathered, str]:
        """Return the asset's files, and the common model, with their hash.

        Args:
            asset: The asset.
            home: The fleet's folder.
            folder: Folder for copies.
        """
        files = local_files(asset, folder)
        start = read_start(home) if self.warm else None
        return (files, start), f"{digest_of(files)}{start.digest if start else ''}"

    def make(self, asset: Asset, gathered: Gathered, folder: Path) -> Made:
        """Train a model.

        Args:
            asset: The asset.
            gathered: Its files, and the common model.
            folder: Folder for the model on its way.

        Raises:
            SeriesError: If its rows cannot be read.
            TrainingError: If there are too few of them, or the training was interrupted.
        """
        files, start = gathered
        series = self.reading.normal_rows(files)
        with ALONE:
            fresh_session()
            from ..training.train import train

            told: list[str] = []
            settings, weights = (start.options(self.settings), start.weights) if start else (self.settings, ())
            trained = train(series, settings, tell=told.append, start=weights)
            if trained.interrupted:
                raise TrainingError("The training was interrupted.")
            target = folder / "model.keras"
            trained.save(target, self.embed)
            facts = {**_facts(trained, series), "remarks": [*remarks(series), *told], "bytes": target.stat().st_size}
        return Made({f"{asset.stem}.keras": target.read_bytes()}, facts)


def _facts(trained: Trained, series: Series) -> dict[str, Any]:
    metadata, training = trained.metadata, trained.metadata.sections["training"]
    contamination, witnesses = training["contamination"] or {}, training["witnesses"] or {}
    assert metadata.threshold is not None
    return {
        "rows": len(series.values),
        "channels": list(series.channels),
        "period": series.period,
        "kind": metadata.kind,
        "window": metadata.window,
        "parameters": int(trained.model.count_params()),
        "epochs": len(trained.history["loss"]),
        "validation_loss": min(trained.history["val_loss"]),
        "linear_error": witnesses.get("linear"),
        "recurrent_error": witnesses.get("recurrent"),
        "left_out": contamination.get("rows"),
        "threshold": metadata.threshold.value,
        "alarms_per_1000_rows": _alarms(trained, series),
        "detection_limits": metadata.sections.get("detection_limits"),
    }


def _alarms(trained: Trained, series: Series) -> float | None:
    """Alarms on the newest rows of normal operation, per 1000; they chose the weights, but not the threshold alone."""
    from ..evaluation.keras_detector import keras_detector
    from ..evaluation.replaying import replay

    first, last = series.segments[-1]
    newest = slice(max(first, last - round(NEWEST * len(series.values))), last)
    rows = series.values[newest], series.time[newest]
    result = replay(keras_detector(trained.model, trained.metadata, rows), *rows)
    scored = int(np.isfinite(result.scores).sum())
    return 1000 * len(result.alarms) / scored if scored else None
