"""Depth, ranges and types of a quantization."""

from dataclasses import dataclass


@dataclass(frozen=True)
class QuantizationScheme:
    """Depth, ranges and types of a quantization."""

    depth: str = "full"
    """full: every op with a rule; weights: ops with weights alone; hybrid: weights int8, all activations float;
    widened: weights int8 in the file and widened when it is loaded, so that kernels compute in float."""
    method: str = "minmax"
    """Choice of activation ranges: minmax, headroom, percentile or mse."""
    io: str = "auto"
    """Type of the model's inputs and outputs: int8 (or that of the activations), float32, or auto, which is int16 where a
    linear skip path leads from one to the other (see `linear_skip_path`) and keeps 16 bits on it, and else int8."""
    narrow: bool = True
    """Give int8 weights to ops that stay float."""
    lifted: tuple[int, ...] = ()
    """Numbers of operators that keep more than the depth says: int8 weights with float activations instead of full, float
    weights instead of hybrid."""
    wide: bool = False
    """Use 16 bits instead of 8 for activations; such a model's loops must be written out."""
    coarse_path: bool = False
    """Give the linear skip path weights of 8 bits instead of 15."""

    @property
    def floating(self) -> bool:
        """All activations are float."""
        return self.depth in ("hybrid", "widened")
