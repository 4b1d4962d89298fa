"""Evaluation of one asset's model on its labelled rows, as `edgelstm evaluate` does it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edgelstm.runtime.errors import ModelError, SeriesError

from .asset_files import digest_of, local_files
from .assets import Asset
from .converting import is_of_earlier_model, model_copy
from .fresh_session import ALONE, fresh_session
from .places import Place
from .stage import Made, read_record

JUDGED_MODEL = "judged_sha256"
"""Name of the fact that says which file was judged."""


@dataclass(frozen=True)
class Judging:
    """Step `evaluate`."""

    scheme: str | None = None
    """Scheme of the models that are judged, `keras` for those before the conversion; None for int8 where there is one."""
    label_column: str | None = None
    """Column of labels; None looks for one of a common name."""
    time_column: str | None = None
    """Column with the time; None looks for one."""

    @property
    def name(self) -> str:
        """Name of the step."""
        return "evaluate"

    def options(self) -> dict[str, Any]:
        """Options as JSON types."""
        return asdict(self)

    def gather(self, asset: Asset, home: Place, folder: Path) -> tuple[tuple[Path, Path], str]:
        """Return the asset's model and its labelled rows, with their hash.

        Args:
            asset: The asset with its labelled files.
            home: The fleet's folder.
            folder: Folder for copies.

        Raises:
            SeriesError: If there are several files.
            ModelError: If there is no model, or its conversion is of an earlier one.
        """
        if len(asset.files) > 1:
            raise SeriesError(f"An evaluation takes one labelled file an asset; {asset.name} has {len(asset.files)}.")
        int8 = f"{asset.stem}.int8.tflite"
        scheme = self.scheme or ("int8" if home.system.exists(home.path(int8)) else "keras")
        model, known = model_copy(
            home, f"{asset.stem}{'' if scheme == 'keras' else f'.{scheme}'}.{_ending(scheme)}", folder
        )
        if scheme != "keras":
            _check_conversion(home, asset)
        (data,) = local_files(asset, folder)
        return (model, data), hashlib.sha256(f"{known} {digest_of([data])}".encode()).hexdigest()

    def make(self, asset: Asset, gathered: tuple[Path, Path], folder: Path) -> Made:
        """Judge a model.

        Args:
            asset: The asset.
            gathered: Its model and its labelled rows.
            folder: A temporary one.

        Raises:
            SeriesError: If the rows cannot be read, or have no labels.
        """
        model, data = gathered
        with ALONE:
            if model.suffix == ".keras":
                fresh_session()
            from ..evaluation.evaluate import evaluate

            evaluation = evaluate(model, data, self.label_column, self.time_column)
        document = {**evaluation.document(), "data": data.name}
        facts = {**evaluation.record(), JUDGED_MODEL: hashlib.sha256(model.read_bytes()).hexdigest()}
        return Made({f"{asset.stem}.evaluation.json": json.dumps(document, indent=1).encode() + b"\n"}, facts)


def _check_conversion(home: Place, asset: Asset) -> None:
    model = home.read(f"{asset.stem}.keras")
    record = read_record(home, "convert", asset)
    if model is not None and is_of_earlier_model(record, hashlib.sha256(model).hexdigest()):
        raise ModelError(
            f"The conversion of {asset.name} is of an earlier model. Convert the present one: edgelstm fleet convert."
        )


def _ending(scheme: str) -> str:
    return "keras" if scheme == "keras" else "tflite"
