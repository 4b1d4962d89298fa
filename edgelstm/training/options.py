"""Options of the training of a detector."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from edgelstm.runtime.errors import TrainingError

from .architectures import Architecture

BEST: Literal["best"] = "best"  # look-back: half, once and twice the usual one are compared on injected faults


@dataclass(frozen=True)
class Options:
    """Settings of a training."""

    architecture: Architecture = field(default_factory=Architecture)
    """Shape of the network."""
    lookback: int | Literal["best"] | None = None
    """Rows a window, W; None chooses from the autocorrelation, best compares several on injected faults, see `train_best`."""
    horizon: int = 1
    """Rows to forecast, H."""
    scaler: str = "standard"
    """minmax, standard, robust or none."""
    epochs: int = 60
    """Most passes over the windows; early stopping ends sooner."""
    patience: int = 8
    """Epochs without a better validation loss before it stops."""
    batch_size: int | None = None
    """Windows a step; None aims at 40 steps an epoch, between 16 and 256."""
    learning_rate: float = 3e-3
    """Start value of Adam's; halved when the validation loss stalls."""
    clipnorm: float | None = 1.0
    """Largest norm of a gradient."""
    clipvalue: float | None = None
    """Largest element of a gradient; instead of clipnorm."""
    seed: int = 0
    """Of weights and shuffling."""
    leave_out: bool = True
    """True if rows unlike all others are kept from training."""
    score: str | None = None
    """Name of the score, see `edgelstm.runtime.scoring.registry`; None for witnesses where a model
    holds two forecasts, ewma for other forecasters, else mean."""
    smoothing: float = 1.0
    """Weight of the newest score in an exponential average, 1 for none; not for ewma, which averages by itself."""
    threshold_rule: str | None = None
    """Threshold rule, see `edgelstm.runtime.scoring.threshold_rules`; None for the default rule of the score."""
    decision: Mapping[str, Any] = field(default_factory=dict)
    """Rules by which scores become alarms, keys of `DebounceRules` that differ from its defaults; stored in the model file."""
    calendar: bool = False
    """True if hour and weekday are inputs of a forecaster."""
    zone: str = ""
    """IANA time zone of the calendar; empty takes times as they are written."""
    limits: bool = True
    """True if detection limits are measured after the training, where the model's kind allows it."""

    def __post_init__(self) -> None:
        if self.architecture.kind == "linear" and self.horizon != 1:
            raise TrainingError(
                f"A linear model forecasts one row; received a horizon of {self.horizon}. Leave --horizon out, or give --kind forecaster."
            )

        if self.lookback == BEST and (
            self.architecture.kind != "forecaster" or self.horizon != 1 or self.architecture.streaming
        ):
            raise TrainingError(
                "Look-backs are compared for forecasters of the next row that read windows. Leave --lookback best out, or kind, horizon and streaming."
            )

    @property
    def rows(self) -> int | None:
        """Rows a window that are given; None where they are to be chosen."""
        return None if self.lookback == BEST else self.lookback

    @property
    def apart(self) -> bool:
        """True if a linear and a recurrent forecast are outputs of their own; a linear one alone is solved for likewise."""
        shape = self.architecture
        plain = shape.linear and not shape.streaming and self.horizon == 1
        return shape.forecasts and plain and (self.witnessed or shape.kind == "linear")

    @property
    def witnessed(self) -> bool:
        """True if the score is that of witnesses, where the model's outputs allow it."""
        return self.score in (None, "witnesses")
