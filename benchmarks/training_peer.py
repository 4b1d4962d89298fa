"""Train one other package's LSTM on a CSV, in a process and an environment of its own.

    python training_peer.py darts|pyod|tsb_ad FILE.csv LOOKBACK UNITS EPOCHS BATCH

The first column is time. One layer of LSTM units where the package lets one choose, the same rows, look-back, epochs and batch
for all; what a package does beside training (validation, scores of the training rows) is its own way and stays.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

LEARNING_RATE = 3e-3  # of `edgelstm train`


def rows_of(path: Path) -> np.ndarray:
    """Standardised rows (T, F) of a CSV, without its time column."""
    values = np.loadtxt(path, delimiter=",", skiprows=1, dtype=np.float32)[:, 1:]
    return (values - values.mean(axis=0)) / values.std(axis=0)


def darts(rows: np.ndarray, lookback: int, units: int, epochs: int, batch: int) -> None:
    """BlockRNNModel: a PyTorch LSTM that forecasts the next row of all channels."""
    from darts import TimeSeries
    from darts.models import BlockRNNModel

    quiet = {"accelerator": "cpu", "enable_progress_bar": False, "logger": False, "enable_model_summary": False}
    model = BlockRNNModel(
        lookback, 1, model="LSTM", hidden_dim=units, n_epochs=epochs, batch_size=batch, random_state=0,
        optimizer_kwargs={"lr": LEARNING_RATE}, pl_trainer_kwargs=quiet,
    )  # fmt: skip
    model.fit(TimeSeries.from_values(rows))


def pyod(rows: np.ndarray, lookback: int, units: int, epochs: int, batch: int) -> None:
    """LSTMAD: a PyTorch LSTM that forecasts the next row of all channels; it scores its training rows, too."""
    from pyod.models.ts_lstm import LSTMAD

    LSTMAD(window_size=lookback, hidden_size=units, n_layers=1, epochs=epochs, batch_size=batch, lr=LEARNING_RATE).fit(rows)  # fmt: skip


def tsb_ad(rows: np.ndarray, lookback: int, units: int, epochs: int, batch: int) -> None:
    """LSTMAD of the TSB-AD benchmark: a PyTorch LSTM that forecasts the next row of all channels."""
    from TSB_AD.models.LSTMAD import LSTMAD

    LSTMAD(lookback, 1, batch, epochs, LEARNING_RATE, feats=rows.shape[1], hidden_dim=units, num_layer=1).fit(rows)


if __name__ == "__main__":
    name, file, *numbers = sys.argv[1:]
    import torch

    torch.set_num_threads(1)
    {"darts": darts, "pyod": pyod, "tsb_ad": tsb_ad}[name](rows_of(Path(file)), *map(int, numbers))
