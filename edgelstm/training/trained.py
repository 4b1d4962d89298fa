"""A trained model, and its `.keras` file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgelstm.runtime.errors import ModelError
from edgelstm.runtime.model_file.metadata import Metadata

from ..keras_file import Representative, load_keras, read_extras, save_keras


@dataclass(frozen=True)
class Trained:
    """A trained model with its metadata and representative rows."""

    model: Any
    """The Keras model."""
    metadata: Metadata
    """Stored with the model: score statistics and threshold of the float model included."""
    representative: Representative | None
    """Scaled rows for the converter; None where its file holds none."""
    history: dict[str, list[float]]
    """Training and validation loss by epoch."""
    interrupted: bool = False
    """True if Ctrl-C ended the training; the weights are the best so far."""

    def __repr__(self) -> str:
        epochs = len(self.history.get("loss", ()))
        return f"Trained({self.metadata.kind}, window {self.metadata.window}, channels {self.metadata.names}, {epochs} epochs)"

    def save(self, path: Path | str, embed: bool = True) -> None:
        """Write one `.keras` file that stock Keras loads too.

        Args:
            path: Output file.
            embed: Whether representative rows go in; off keeps customers' data out.
        """
        save_keras(self.model, path, self.metadata, self.representative if embed else None)

    @classmethod
    def load(cls, path: Path | str) -> Trained:
        """Read a `.keras` file that `save` wrote.

        Raises:
            ModelError: If it is no such file.
        """
        path = Path(path)
        metadata, representative = read_extras(path)
        if metadata is None:
            raise ModelError(
                f"{path.name} carries no edgelstm metadata: another program wrote it. Convert it with edgelstm.convert(model, "
                "calibration=rows)."
            )
        history = metadata.sections.get("training", {}).get("history", {})
        return cls(load_keras(path), metadata, representative, {name: list(losses) for name, losses in history.items()})
