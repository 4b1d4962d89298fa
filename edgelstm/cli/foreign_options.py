"""Options for Keras models of other tools, shared by the commands that read them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from .reading_options import SCALERS

F = TypeVar("F", bound=Callable[..., Any])
FILE = click.Path(path_type=Path)


def foreign_options(function: F) -> F:
    """Add the options for Keras models of other tools: calibration data, scaler, kind and look-back."""
    options = (
        click.option("--calibration", type=FILE, help="Normal rows (.csv) or windows (.npy, .npz)."),
        click.option(
            "--scaler",
            type=click.Choice(SCALERS),
            help="Scaler to fit on a --calibration CSV.  [default: standard, unless another suits the model better]",
        ),
        click.option(
            "--scaler-from",
            type=FILE,
            help="The scaler that the model was trained with: .json (offset and scale, mean and std, min and max) or "
            "scikit-learn's as .joblib. Loading a .joblib file runs what it holds: take only your own.",
        ),
        click.option(
            "--kind",
            type=click.Choice(["autoencoder", "forecaster", "generic"]),
            help="Of a model from elsewhere.  [default: inferred from its shapes]",
        ),
        click.option("--lookback", type=click.IntRange(1), help="Rows, for a model with an open time axis."),
    )
    for option in reversed(options):
        function = option(function)
    return function
