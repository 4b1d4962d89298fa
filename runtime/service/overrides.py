"""Settings of an installation that override those of the model file: threshold, de-bounce, limits."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ..alarms.debounce import DebounceRules
from ..detector import Detector
from ..error_stream import open_engine
from ..errors import ConfigError
from ..input.policies import Policies, parse_limit
from ..model_at_work import ModelAtWork
from ..model_file.alarm_reach import FAR_BY_HAND, check_reach
from ..model_file.bundle import Bundle
from ..model_file.metadata import training_widths
from .config import StreamConfig

if TYPE_CHECKING:
    from ..inference.accelerator import Accelerator


FORECAST = "forecast"  # section of the metadata of a model for LiveForecaster
OF_DETECTORS = ("threshold", "off", "minimum", "cooldown", "adapt", "delegate", "updates")


def at_work(bundle: Bundle, config: StreamConfig) -> ModelAtWork:
    """Make a detector, or a forecaster of the rows to come, as its configuration wants it.

    Args:
        bundle: The model file.
        config: Settings of the installation.

    Raises:
        ModelError: As `tuned`.
        ConfigError: As `tuned`, and for a setting of detectors where the model is none.
    """
    metadata = bundle.metadata
    if metadata.scoring is not None or not metadata.sections.get(FORECAST):
        return tuned(bundle, config)
    from ..forecasting.forecaster import Forecaster
    from ..forecasting.live import LiveForecaster  # nothing of it is loaded beside detectors

    foreign = [f"--{name}" for name in OF_DETECTORS if getattr(config, name) not in (None, "")]
    if foreign:
        raise ConfigError(
            f"{', '.join(foreign)}: of detectors alone; {config.model} is a forecaster of rows to come. Leave it out."
        )
    return LiveForecaster(Forecaster.from_bundle(bundle), _policies(config), config.level)


def tuned(bundle: Bundle, config: StreamConfig) -> Detector:
    """Make a detector as its configuration wants it.

    Args:
        bundle: The model file.
        config: Settings of the installation.

    Raises:
        ModelError: If the model cannot score, or the interpreter cannot load it.
        ConfigError: If a setting is impossible, or of a channel that the model does not have.
    """
    metadata = bundle.metadata
    if config.level is not None:
        raise ConfigError(f"--level is of a forecaster of rows to come; {config.model} is a detector. Leave it out.")
    if config.threshold is not None:
        if metadata.threshold is None or not config.threshold > 0:
            raise ConfigError(f"--threshold is a score above 0 of a model that detects; received {config.threshold:g}.")
        metadata = metadata.with_(threshold=replace(metadata.threshold, value=config.threshold, method="given"))
        try:
            if metadata.scoring is not None and metadata.scaler is not None:
                check_reach(metadata.scoring, config.threshold, training_widths(metadata), FAR_BY_HAND)
        except ValueError as error:
            raise ConfigError(f"--threshold is a score that rows may reach; received {error}.") from error
    rules = {name: getattr(config, name) for name in ("off", "minimum", "cooldown")}
    section = {**metadata.sections.get("decision", {}), **{k: v for k, v in rules.items() if v is not None}}
    changed = replace(bundle, metadata=metadata)
    engine = open_engine(changed, accelerator=_accelerator(bundle, config))
    return Detector(
        metadata, engine, debounce=DebounceRules.of(section), policies=_policies(config), adapt=config.adapt
    )


def _policies(config: StreamConfig) -> Policies:
    return Policies(config.bridge, config.hold, config.stuck, config.recover, dict(map(parse_limit, config.limit)))


def _accelerator(bundle: Bundle, config: StreamConfig) -> Accelerator | None:
    """Return the configured delegate, if it agrees with the CPU; nothing of it is loaded where none is configured."""
    if not config.delegate:
        return None
    from ..model_file.accelerator_trial import trusted

    return trusted(bundle, config.delegate)
