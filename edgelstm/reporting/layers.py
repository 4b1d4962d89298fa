"""Layers of a model file in words."""

from pathlib import Path

from edgelstm.inspection import inspect_model


def layers_in_words(path: Path) -> str:
    """Layers of a `.keras` file with their units, those that only shape a training left out."""
    return ", ".join(
        f"{layer['class']} {layer['units']}" if layer["units"] else layer["class"]
        for layer in inspect_model(path)["layers"]
        if layer["class"] not in ("InputLayer", "Dropout")
    )
