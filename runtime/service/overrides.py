"""A model with what its installation says over what its file says: thresholds, de-bounce, limits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ..alarms.debounce import DebounceRules
from ..detector import Detector
from ..errors import ConfigError
from ..input.policies import Policies, parse_limit
from ..model_file.bundle import load_bundle
from .config import StreamConfig


def tuned(path: Path | str, config: StreamConfig) -> Detector:
    """Load a model as its configuration wants it.

    Raises:
        ModelError: If the file is not a usable model.
        ConfigError: If a setting is impossible, or of a channel that the model does not have.
    """
    bundle = load_bundle(path)
    metadata = bundle.metadata
    if config.threshold is not None:
        if metadata.threshold is None or not config.threshold > 0:
            raise ConfigError(f"--threshold is a score above 0 of a model that detects; received {config.threshold:g}.")
        metadata = metadata.with_(threshold=replace(metadata.threshold, value=config.threshold, method="given"))
    given = {name: getattr(config, name) for name in ("off", "minimum", "cooldown")}
    section = {**metadata.sections.get("decision", {}), **{k: v for k, v in given.items() if v is not None}}
    policies = Policies(config.bridge, config.hold, config.stuck, config.recover, dict(map(parse_limit, config.limit)))
    changed = replace(bundle, metadata=metadata)
    return Detector.from_bundle(changed, debounce=DebounceRules.of(section), policies=policies, adapt=config.adapt)
