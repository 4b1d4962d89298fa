"""One model over a sample of assets, from whose weights each asset's own training begins."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgelstm.runtime.errors import TrainingError
from edgelstm.runtime.model_file.scaler import fit_scaler

from ..data.outlier_rows import leave_out
from ..data.reading import Reading
from ..data.series import Series
from ..data.split import split
from ..training.options import Options
from .asset_files import digest_of, local_files
from .assets import Asset
from .fresh_session import ALONE, fresh_session
from .places import Place
from .stage import Made

Floats = npt.NDArray[np.float32]
FILE = ".fleet/base.npz"
SAMPLE = 8  # assets that the common model is trained on
SLOWER = 3.0  # times smaller steps of the fine-tuning
PATIENCE = 3  # epochs without progress before the fine-tuning stops


@dataclass(frozen=True)
class Start:
    """Weights of the common model."""

    weights: tuple[Floats, ...]
    """As `fit_weights` takes them."""
    lookback: int
    """Rows a window, W, the same for all assets."""
    digest: str
    """SHA-256 of the file, hex."""

    def options(self, options: Options) -> Options:
        """Options of the fine-tuning, from those of a training."""
        patience = min(options.patience, PATIENCE)
        return replace(options, lookback=self.lookback, learning_rate=options.learning_rate / SLOWER, patience=patience)


def read_start(home: Place) -> Start:
    """Read the common model.

    Raises:
        TrainingError: If it is missing.
    """
    content = home.read(FILE)
    if content is None:
        raise TrainingError(f"There is no {FILE}: the common model of the warm start has failed or was removed.")
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        weights = tuple(arrays[f"w{number}"] for number in range(sum(name.startswith("w") for name in arrays.files)))
        return Start(weights, int(arrays["lookback"]), hashlib.sha256(content).hexdigest())


@dataclass(frozen=True)
class CommonModel:
    """Step `base`: the common model, from the files of all sampled assets."""

    settings: Options
    """Settings of the training."""
    reading: Reading
    """Options of the reading."""

    @property
    def name(self) -> str:
        """Name of the step."""
        return "base"

    def options(self) -> dict[str, Any]:
        """Options as JSON types."""
        return asdict(self)

    def gather(self, asset: Asset, home: Place, folder: Path) -> tuple[list[Path], str]:
        """Return the files of the sample and their hash.

        Args:
            asset: Stands for the sample: its files are theirs.
            home: The fleet's folder.
            folder: Folder for copies.
        """
        files = local_files(asset, folder)
        return files, digest_of(files)

    def make(self, asset: Asset, gathered: list[Path], folder: Path) -> Made:
        """Train the common model; each asset is scaled by its own rows.

        Args:
            asset: Stands for the sample.
            gathered: A file an asset.
            folder: A temporary one.

        Raises:
            TrainingError: If the assets differ in their channels, or the kind of model cannot begin with others' weights.
        """
        if self.settings.architecture.streaming or self.settings.architecture.kind == "linear":
            raise TrainingError(
                "A warm start is for weights that are learned window by window: leave --streaming and linear out."
            )
        series = [self.reading.normal_rows([path]) for path in gathered]
        _check_channels(series, gathered)
        with ALONE:
            fresh_session()
            weights, lookback = _fit(series, self.settings)
        buffer = io.BytesIO()
        arrays: dict[str, Any] = {f"w{number}": array for number, array in enumerate(weights)}
        np.savez(buffer, allow_pickle=False, lookback=lookback, **arrays)
        return Made({FILE: buffer.getvalue()}, {"assets": len(series), "lookback": lookback})


def _check_channels(series: Sequence[Series], files: Sequence[Path]) -> None:
    for other, path in zip(series, files, strict=True):
        if other.channels != series[0].channels:
            raise TrainingError(
                f"A warm start needs the same channels in all assets; {path.name} has {', '.join(other.channels)}, "
                f"{files[0].name} {', '.join(series[0].channels)}. Name the common ones with --columns."
            )


def _fit(series: Sequence[Series], options: Options) -> tuple[Sequence[Floats], int]:
    from ..training.calendar import calendar_of, dated_parts, scaled
    from ..training.train import VALIDATION, lookback_of
    from ..training.weights import fit_weights

    lookback = max((lookback_of(part, options) for part in series), key=lambda chosen: chosen.rows)
    reach = lookback.rows + (options.horizon if options.architecture.forecasts else 0)
    early, late = [], []
    for whole in series:
        part = leave_out(whole, reach)[0] if options.leave_out else whole
        calendar = calendar_of(part, options)
        sides = split(dated_parts(part, calendar), VALIDATION, reach)
        if not all(sides):
            continue
        channels = len(part.channels)
        scaler = fit_scaler(np.concatenate(sides[0])[:, :channels], options.scaler)
        early += [scaled(scaler, rows) for rows in sides[0]]
        late += [scaled(scaler, rows) for rows in sides[1]]
    if not early:
        raise TrainingError(
            f"No asset of the sample has enough rows for windows of {reach}. Give a shorter --lookback."
        )
    return fit_weights(options, lookback, early, late, (), channels=channels).learned, lookback.rows


def sampled(assets: Sequence[Asset], count: int = SAMPLE) -> Asset:
    """Some assets, spread evenly over the list, as one that has all their files.

    Args:
        assets: All of them; those with several files are passed over.
        count: Number to take.

    Raises:
        TrainingError: If there is none with a single file.
    """
    single = [asset for asset in assets if len(asset.files) == 1]
    if not single:
        raise TrainingError("A warm start samples assets with one file each; these have several. Join their files.")
    places = np.unique(np.linspace(0, len(single) - 1, count).astype(int))
    return Asset("base", tuple(single[place].files[0] for place in places))
