"""A flatbuffer builder that writes equal parts once."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from .private_api import flatbuffers

Array = npt.NDArray[Any]


class SharingBuilder(flatbuffers.Builder):  # type: ignore[misc]
    """A builder that writes equal vectors (shapes, scales, indices) and equal tables (tensors, scales, options) once.

    A table in a flatbuffer is read through an offset to it, so that several parents may hold the same one.
    """

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.written: dict[tuple[Any, ...], int] = {}
        self._fields: list[tuple[Any, ...]] = []

    def CreateNumpyVector(self, values: Array) -> int:  # noqa: N802
        """Offset of a vector with these values; equal vectors share one."""
        key = (values.dtype.str, values.tobytes())
        if key not in self.written:
            self.written[key] = super().CreateNumpyVector(values)
        return self.written[key]

    def StartObject(self, fields: int) -> None:  # noqa: N802
        """Begin a table."""
        self._fields = []
        super().StartObject(fields)

    def PrependSlot(self, flags: Any, slot: int, value: Any, default: Any) -> None:  # noqa: N802
        """Write a number of a table, unless it is the default.

        Args:
            flags: Its type.
            slot: Number of the field.
            value: The number.
            default: What the schema takes where a file leaves the field out.
        """
        if value != default:
            self._fields.append((slot, flags, value))  # 1 and 1.0 are equal, and other bytes
        super().PrependSlot(flags, slot, value, default)

    def PrependUOffsetTRelativeSlot(self, slot: int, target: int, default: int) -> None:  # noqa: N802
        """Write a table's reference to another part.

        Args:
            slot: Number of the field.
            target: Offset of the part.
            default: 0, for none.
        """
        if target != default:
            self._fields.append((slot, "part", target))
        super().PrependUOffsetTRelativeSlot(slot, target, default)

    def EndObject(self) -> int:  # noqa: N802
        """Offset of the table; of an equal one where there is one, and what was written of this one is taken back."""
        key = ("table", *sorted(self._fields, key=lambda field: field[0]))
        if key not in self.written:
            self.written[key] = super().EndObject()
        else:
            self.head = len(self.Bytes) - self.objectEnd
            self.current_vtable, self.nested = None, False
        return self.written[key]
