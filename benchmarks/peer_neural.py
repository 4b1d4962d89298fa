"""DLinear, N-HiTS and PatchTST, by neuralforecast."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import torch
from neuralforecast import NeuralForecast
from neuralforecast.losses.pytorch import MAE
from neuralforecast.models import NHITS, DLinear, PatchTST
from peer_frames import Doubles, Fitted, Rows, Task, long, unstacked, windows

FEW = 10_000  # rows of the training part: below, smaller networks and fewer steps
CHECK = 100  # steps between two looks at the validation part
PATIENCE = 3  # looks
SETTINGS: dict[str, Any] = {
    "loss": MAE(), "valid_loss": MAE(), "val_check_steps": CHECK, "early_stop_patience_steps": PATIENCE, "random_seed": 0, "accelerator": "cpu",
    "devices": 1, "enable_progress_bar": False, "enable_model_summary": False, "logger": False, "enable_checkpointing": False,
}  # fmt: skip
torch.set_num_threads(1)
logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)


def dlinear(task: Task) -> Fitted:
    """Two linear maps, of trend and remainder; the library's takes no covariates.

    Args:
        task: The case.
    """
    options = {"learning_rate": 1e-3, "max_steps": 2000, "windows_batch_size": 256, "scaler_type": "standard"}
    return _fitted(task, DLinear, options, "moving average of 25 rows, no covariates (the library's takes none)")


def nhits(task: Task) -> Fitted:
    """Three stacks of one block, 256 units (the library's default is 512, for more rows), with all that the case knows.

    Args:
        task: The case.
    """
    covered = bool(task.inputs or len(task.past.columns))  # scaled window by window, a day without holidays breaks down
    options = {
        "learning_rate": 1e-3,
        "max_steps": _steps(task),
        "mlp_units": 3 * [[256, 256]],
        "windows_batch_size": 128,
        "scaler_type": "identity" if covered else "standard",
    }
    options |= {"futr_exog_list": task.inputs or None, "hist_exog_list": list(task.past) or None}
    given = ", ".join([*task.inputs, *(f"{name} (past)" for name in task.past)])
    return _fitted(task, NHITS, options, f"3 stacks of 256 units; covariates: {given or 'none'}")


def patchtst(task: Task) -> Fitted:
    """Patches of 16 rows side by side; 16 numbers a token and 4 heads for few rows, as its paper has it, else 32; no covariates.

    Args:
        task: The case.
    """
    width = 16 if task.case.ends[0] < FEW else 32
    sizes = {"hidden_size": width, "n_heads": 4, "linear_hidden_size": 128, "patch_len": 16, "stride": 16}
    options = {
        "learning_rate": 1e-3,
        "max_steps": _steps(task),
        "windows_batch_size": 64,
        "scaler_type": "identity",
        "revin": True,
    }
    said = f"patches of 16 rows, {width} numbers a token, no covariates (the library's takes none)"
    return _fitted(task, PatchTST, options | sizes, said)


def _steps(task: Task) -> int:
    return 400 if task.case.ends[0] < FEW else 700


def _fitted(task: Task, kind: Any, options: dict[str, Any], said: str) -> Fitted:
    train, validation, _ = task.case.ends
    length = task.case.lookback or 7 * task.case.day
    model = kind(h=task.case.horizon, input_size=length, alias="peer", **SETTINGS | options)
    library = NeuralForecast(models=[model], freq=1)
    columns = task.known[task.inputs].join(task.past)
    library.fit(long(task, 0, validation, columns), val_size=validation - train)
    made = library.models[0]
    steps = made.train_trajectories[-1][0] + 1
    says = (
        f"{said}; {length} rows back, {steps} steps of {options['windows_batch_size']} windows (at most {options['max_steps']}; stops after "
        f"{PATIENCE * CHECK} without a gain on the validation part), rate {options['learning_rate']}"
    )

    def forecast(given: Task, origins: Rows) -> Doubles:
        before, ahead = windows(given, origins, length, given.known[given.inputs].join(given.past))
        ahead = ahead[["unique_id", "ds", *given.inputs]]
        return unstacked(library.predict(df=before.drop(columns="channel"), futr_df=ahead), "peer", given)

    def save(folder: Any) -> None:
        library.save(str(folder), save_dataset=False, overwrite=True)

    return Fitted(
        forecast, save, says, {"validation": _last(made.valid_trajectories), "training": _last(made.train_trajectories)}
    )


def _last(trajectory: list[tuple[int, float]]) -> float:
    """Mean of the newest ten losses, or the newest one of few."""
    return float(np.mean([loss for _, loss in trajectory[-10:]])) if len(trajectory) > 100 else float(trajectory[-1][1])
