"""A flatbuffer builder that writes equal parts once."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from .private_api import flatbuffers, schema

Array = npt.NDArray[Any]


class SharingBuilder(flatbuffers.Builder):  # type: ignore[misc]
    """A builder that writes equal vectors (shapes, scales, indices) and equal tables of quantization once."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.written: dict[tuple[Any, ...], int] = {}

    def CreateNumpyVector(self, values: Array) -> int:  # noqa: N802
        """Offset of a vector with these values; equal vectors share one."""
        key = (values.dtype.str, values.tobytes())
        if key not in self.written:
            self.written[key] = super().CreateNumpyVector(values)
        return self.written[key]


class SharedParameters(schema.QuantizationParametersT):  # type: ignore[misc]
    """Scales and zero points that tensors share, of one value once in a file."""

    def Pack(self, builder: SharingBuilder) -> int:  # noqa: N802
        """Offset of a table with these values."""
        key = (self.scale.tobytes(), self.zeroPoint.tobytes(), self.quantizedDimension)
        if key not in builder.written:
            builder.written[key] = super().Pack(builder)
        return builder.written[key]
