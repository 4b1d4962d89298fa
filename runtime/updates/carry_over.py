"""Take-over of a stream by another model."""

from __future__ import annotations

from ..detector import Detector
from ..errors import ModelError
from ..inference.engine import TFLiteEngine


def take_over(new: Detector, old: Detector) -> bool:
    """Let a model go on where another one is: with its window where both have the same one, else with a warm-up.

    Args:
        new: The model that begins.
        old: The model that ends.

    Returns:
        Whether it needs no warm-up.

    Raises:
        ModelError: If it takes other channels.
    """
    if new.metadata.names != old.metadata.names:
        raise ModelError(f"It takes other channels: {', '.join(new.metadata.names)}.")
    new.probe()
    new.index = old.index  # ids of events without times stay unique
    if not _same_window(new, old):
        return False
    try:
        new.validator.restore(old.validator.to_state())
        new.stream.engine.restore(old.stream.engine.to_state())
    except (KeyError, TypeError, ValueError, AttributeError):
        new.reset()
        new.index = old.index
        return False
    return bool(new.stream.engine.buffer.full)


def _same_window(new: Detector, old: Detector) -> bool:
    """Tell whether rows mean the same in both windows: scaled alike, and quantized alike."""
    one, other = new.metadata, old.metadata
    return (
        not one.stateful
        and not other.stateful
        and (one.window, one.period, one.scaler) == (other.window, other.period, other.scaler)
        and _quantization(new) == _quantization(old)
    )


def _quantization(detector: Detector) -> tuple[object, ...]:
    engine = detector.engine
    if not isinstance(engine, TFLiteEngine):
        return ()
    tensor = engine.model.inputs[0]
    return tensor.dtype, tensor.scale, tensor.zero_point
