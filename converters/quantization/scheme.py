"""How far a model is quantized."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """How far a model is quantized."""

    depth: str = "full"
    """full: every op with a rule; weights: ops with weights alone; hybrid: weights int8, all activations float."""
    method: str = "minmax"
    """How activation ranges are chosen: minmax, headroom, percentile or mse."""
    io: str = "auto"
    """Type of the model's inputs and outputs: int8 (or that of the activations), float32, or auto, which is int16 where a
    straight path leads from one to the other (see `straight_path`) and keeps 16 bits on it, and else int8."""
    narrow: bool = True
    """Whether ops that stay float get int8 weights."""
    lifted: tuple[int, ...] = ()
    """Numbers of operators that keep more than the depth says: int8 weights with float activations instead of full, float
    weights instead of hybrid."""
    wide: bool = False
    """Whether activations have 16 bits instead of 8; such a model's loops must be written out."""
