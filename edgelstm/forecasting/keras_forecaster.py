"""Forecasts of a Keras model, by the device's own code."""

from pathlib import Path
from typing import Any

from edgelstm.keras_file import load_keras, model_parts
from edgelstm.runtime.forecasting.features import InputFeatures
from edgelstm.runtime.forecasting.forecaster import Forecaster
from edgelstm.runtime.model_file.metadata import Metadata


def keras_forecaster(path: Path) -> Forecaster:
    """A forecaster over a `.keras` file.

    Raises:
        ModelError: If it was not trained for this.
    """
    metadata, _ = model_parts(path)
    InputFeatures.of(metadata)
    return forecaster_over(load_keras(path), metadata)


def forecaster_over(model: Any, metadata: Metadata) -> Forecaster:
    """A forecaster over a Keras model.

    Args:
        model: The Keras model.
        metadata: Its metadata.
    """
    return Forecaster(metadata, lambda history, context: model.predict_on_batch([history[None], context[None]])[0])
