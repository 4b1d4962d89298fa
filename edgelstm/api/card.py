"""The model card of an estimator, a converted model or a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..model_card import Card, card_of


def card(model: Any, evaluation: Path | str | None = None) -> Card:
    """Model card: data, quality, limits and validation, as Markdown.

    Args:
        model: Fitted estimator, converted model, `LiveDetector`, or path of a `.keras` or `.tflite` file.
        evaluation: File that `edgelstm evaluate` stored; None takes the one beside a model file.

    Raises:
        ModelError: If it is no model of this tool.

    >>> card("pump.int8.tflite").save("pump.md")  # doctest: +SKIP
    """
    if isinstance(model, str | Path):
        return card_of(Path(model), None if evaluation is None else Path(evaluation))
    metadata = getattr(model, "metadata_", None) or model.metadata
    bundle = getattr(model, "bundle", None)
    return Card(metadata, type(model).__name__ if bundle is None else bundle.origin, bundle and len(bundle.flatbuffer))
