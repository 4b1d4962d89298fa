"""Design of a model: what a search varies, and the options of a training that it stands for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..training.architectures import Architecture
from ..training.options import Options

KINDS = ("forecaster", "autoencoder", "linear")
SCORES: Mapping[str, tuple[str, ...]] = {
    "forecaster": ("witnesses", "ewma"),
    "autoencoder": ("mean", "ewma"),
    "linear": ("witnesses", "ewma"),
}
SCHEMES = ("int8", "dynamic", "float32")
LOOKBACKS = (0, 8, 16, 24, 32, 48, 64)  # rows; 0 chooses by the data
UNITS = (4, 64)  # of a layer, least and most
LAYERS = (1, 2)
HALVINGS = (0, 2)  # of the units, after the training


@dataclass(frozen=True)
class Design:
    """One point of the search space."""

    kind: str = "forecaster"
    """forecaster, autoencoder or linear."""
    score: str = "witnesses"
    """From errors to a score."""
    lookback: int = 0
    """Rows a window; 0 chooses by the data."""
    units: tuple[int, ...] = (24,)
    """Units of the stacked layers; of no meaning for kind linear."""
    scheme: str = "int8"
    """Quantization scheme of the converted file."""
    halvings: int = 0
    """Times that the trained model is shrunk to a half of its units; of no meaning for kind linear."""

    def options(self, base: Options) -> Options:
        """Options of the training.

        Args:
            base: Settings that the search does not vary.
        """
        architecture = replace(base.architecture, kind=self.kind, units=self.units)
        dated = base.calendar and architecture.forecasts  # an autoencoder takes no calendar
        settings = replace(base, architecture=architecture, lookback=self.lookback or None, score=self.score)
        return replace(settings, calendar=dated, zone=base.zone if dated else "")

    @property
    def parameters(self) -> dict[str, Any]:
        """Values as the study names them."""
        values: dict[str, Any] = {"kind": self.kind, "scheme": self.scheme, "lookback": self.lookback}
        values[f"score_{self.kind}"] = self.score
        if self.kind != "linear":
            values |= {"layers": len(self.units), **{f"units_{at}": units for at, units in enumerate(self.units, 1)}}
            values["halvings"] = self.halvings
        return values

    def __str__(self) -> str:
        units = "" if self.kind == "linear" else f" {','.join(map(str, self.units))}"
        if self.halvings:
            units += f" shrunk to 1/{2**self.halvings}"
        return f"{self.kind}{units}, look-back {self.lookback or 'auto'}, {self.score}, {self.scheme}"


def suggest(trial: Any) -> Design:
    """Ask the sampler for a design.

    Args:
        trial: An Optuna trial.
    """
    kind = trial.suggest_categorical("kind", KINDS)
    score = trial.suggest_categorical(f"score_{kind}", SCORES[kind])
    lookback = trial.suggest_categorical("lookback", LOOKBACKS)
    scheme = trial.suggest_categorical("scheme", SCHEMES)
    units, halvings = Architecture().units, 0
    if kind != "linear":
        layers = trial.suggest_int("layers", *LAYERS)
        units = tuple(trial.suggest_int(f"units_{at}", *UNITS, log=True) for at in range(1, layers + 1))
        halvings = trial.suggest_int("halvings", *HALVINGS)
    return Design(kind, score, lookback, units, scheme, halvings)


def design_of(values: Mapping[str, Any]) -> Design:
    """Return the design of a trial that was made before.

    Args:
        values: Parameters of the trial.
    """
    kind, layers = values["kind"], int(values.get("layers", 0))
    units = tuple(int(values[f"units_{at}"]) for at in range(1, layers + 1)) or Architecture().units
    halvings = int(values.get("halvings", 0))  # older studies hold none
    return Design(kind, values[f"score_{kind}"], int(values["lookback"]), units, values["scheme"], halvings)
