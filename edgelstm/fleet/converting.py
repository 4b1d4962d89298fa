"""Conversion of one asset's model, the same bits as `edgelstm convert` writes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edgelstm.runtime.errors import ModelError

from .assets import Asset
from .fresh_session import ALONE, fresh_session
from .places import Place
from .stage import Made


@dataclass(frozen=True)
class Conversion:
    """Step `convert`."""

    schemes: tuple[str, ...] = ("int8",)
    """Quantization schemes."""
    target: str = ""
    """x86, micro, or empty for anywhere."""
    allow_drop: bool = False
    """Write a file even when its error is above the limits."""
    threshold_rule: str | None = None
    """Rule of the new threshold; None for the model's own."""

    @property
    def name(self) -> str:
        """Name of the step."""
        return "convert"

    def options(self) -> dict[str, Any]:
        """Options as JSON types."""
        return asdict(self)

    def gather(self, asset: Asset, home: Place, folder: Path) -> tuple[Path, str]:
        """Return the asset's model and its hash.

        Args:
            asset: The asset.
            home: The fleet's folder.
            folder: Folder for the copy.
        """
        return model_copy(home, f"{asset.stem}.keras", folder)

    def make(self, asset: Asset, gathered: Path, folder: Path) -> Made:
        """Convert a model to each scheme.

        Args:
            asset: The asset.
            gathered: Its model.
            folder: A temporary one.

        Raises:
            ConversionError: If an error is above its limit.
        """
        with ALONE:
            fresh_session()
            from ..deployment.convert import convert_file

            made = convert_file(
                gathered, self.schemes, target=self.target, allow_drop=self.allow_drop,
                threshold_rule=self.threshold_rule, apart=False,
            )  # fmt: skip
        files, facts = {}, {}
        for scheme, converted in made.items():
            name = str(converted.bundle.origin)
            converted.bundle.save(folder / name)
            files[name] = (folder / name).read_bytes()
            metadata, validation = converted.bundle.metadata, converted.conversion.validation
            facts[scheme] = {
                "file": name,
                "bytes": len(files[name]),
                "error": validation.error,
                "threshold": metadata.threshold and metadata.threshold.value,
            }
        return Made(files, facts)


def is_of_earlier_model(record: Mapping[str, Any] | None, model_sha256: str) -> bool:
    """Tell whether an asset's conversions were made of another model than the one that is there.

    Args:
        record: Of its step `convert`; None for none.
        model_sha256: Hash of its Keras model.
    """
    return record is not None and not record["error"] and record["input"] != model_sha256


def model_copy(home: Place, name: str, folder: Path) -> tuple[Path, str]:
    """Copy a model's file, and return its hash.

    Args:
        home: The fleet's folder.
        name: Name of the file.
        folder: Folder for the copy.

    Raises:
        ModelError: If there is none.
    """
    content = home.read(name)
    if content is None:
        raise ModelError(f"There is no model {name}. Make it with edgelstm fleet train, or fleet convert.")
    (folder / name).write_bytes(content)
    return folder / name, hashlib.sha256(content).hexdigest()
