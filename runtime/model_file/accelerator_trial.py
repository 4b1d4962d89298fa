"""Trial of an accelerator's delegate on a model, before the process that watches loads it.

A delegate is native code of a vendor. Before it is trusted it runs the model in a process of its own, beside the interpreter's
own kernels (`accelerator_worker`); one that does not load, ends that process or answers otherwise is left out, and the CPU
does the work. So is one that fails later, at work (`TFLiteEngine`).
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import ConfigError, EdgelstmError
from ..inference.accelerator import Accelerator
from .bundle import Bundle
from .metadata import scaled_ranges
from .trial import Trial

log = logging.getLogger("edgelstm")
WORKER = "edgelstm.runtime.model_file.accelerator_worker"
REMEDY = "Check the library, its options and its driver."
CLOSE = 0.1  # normal deviations of an error by which an output may differ


@dataclass(frozen=True)
class Comparison:
    """Inputs on which a delegate is compared with the CPU, and how far it may be from it."""

    accelerator: Accelerator
    """The delegate."""
    low: tuple[float, ...]
    """Lowest value of each channel, scaled units."""
    high: tuple[float, ...]
    """Highest value of each channel, scaled units."""
    tolerance: tuple[float, ...]
    """Largest difference of each of the output's columns; a quantized output may differ by one step in any case."""

    def to_json(self) -> str:
        """Encode for the worker."""
        own = self.accelerator
        record = {"library": own.library, "options": dict(own.options)}
        return json.dumps([record, self.low, self.high, self.tolerance])

    @classmethod
    def from_json(cls, text: str) -> Comparison:
        """Decode what `to_json` gave."""
        record, *rest = json.loads(text)
        return cls(Accelerator(**record), *map(tuple, rest))


def comparison_of(bundle: Bundle, accelerator: Accelerator) -> Comparison:
    """Compare on the training ranges, to a tenth of the deviation that errors have in normal operation.

    Args:
        bundle: A model that scores.
        accelerator: The delegate.
    """
    metadata = bundle.metadata
    ranges = scaled_ranges(metadata, unknown=(0.0, 1.0))
    deviations = metadata.scoring.scale if metadata.scoring else ()
    return Comparison(
        accelerator,
        tuple(low for low, _ in ranges),
        tuple(high for _, high in ranges),
        _tolerances(deviations, len(metadata.channels)),
    )


def _tolerances(deviations: Sequence[float], channels: int) -> tuple[float, ...]:
    """Return each channel's tolerance, the least of the forecasts that are scored (`deviations` has a row for each)."""
    rows = [deviations[begin : begin + channels] for begin in range(0, len(deviations), channels)]
    return tuple(CLOSE * min(column) for column in zip(*rows, strict=True)) if rows else (math.inf,) * channels


def trusted(bundle: Bundle, wanted: str | Mapping[str, Any]) -> Accelerator | None:
    """Compare a delegate with the CPU on a model; one that cannot be trusted is warned of, once.

    Args:
        bundle: A model that scores.
        wanted: The configured delegate, empty for none.

    Returns:
        The delegate; None for the CPU.

    Raises:
        ConfigError: If it names no library.
    """
    if not wanted:
        return None
    accelerator = Accelerator.parse(wanted)
    try:
        compare_with_cpu(bundle, accelerator)
    except (EdgelstmError, OSError) as error:
        log.warning("%s runs on the CPU, not on %s: %s", bundle.origin, accelerator.library, error)
        return None
    log.info("%s runs on %s, which agrees with the CPU", bundle.origin, accelerator.library)
    return accelerator


def compare_with_cpu(bundle: Bundle, accelerator: Accelerator) -> None:
    """Run a model on a delegate and on the CPU, in a process of its own.

    Args:
        bundle: A model that scores.
        accelerator: The delegate.

    Raises:
        ModelError: If it does not load, fails, takes too long, or differs.
        OSError: If no process can be started.
    """
    if bundle.metadata.stateful:
        raise ConfigError(
            "a streaming model keeps its state in the interpreter, where a delegate's failure would lose it."
        )
    comparison = comparison_of(bundle, accelerator)
    trial = Trial(
        bundle.flatbuffer, accelerator.library, worker=WORKER, arguments=(comparison.to_json(),), remedy=REMEDY
    )
    trial.check()
