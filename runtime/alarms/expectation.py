"""Expectations of a model in sensor units, with the range in which normal values lie."""

from __future__ import annotations

from collections.abc import Sequence

from ..model_file.metadata import Metadata

USUAL = 2.0  # usual errors on both sides: about 95 % of normal values


class Expectation:
    """Reader of a model's expectations.

    Args:
        metadata: The model's metadata, with scaler and scoring.
    """

    def __init__(self, metadata: Metadata) -> None:
        assert metadata.scaler is not None
        assert metadata.scoring is not None
        count = len(metadata.channels)
        first = metadata.scoring.trusted * count
        self._trusted = slice(first, first + count)
        self.offset, self.scale = metadata.scaler.offset, metadata.scaler.scale
        self.usual = metadata.scoring.scale[self._trusted]
        """Usual error of each channel in normal operation, scaled units, shape (F,)."""
        self.within = tuple(USUAL * usual * scale for usual, scale in zip(self.usual, self.scale, strict=True))
        """Distance from the expectation within which about 95 % of normal values lie, sensor units, shape (F,)."""

    def trusted(self, expected: Sequence[float]) -> tuple[float, ...]:
        """Return the expectations of the witness that knows only normal operation, shape (F,); empty without any.

        Args:
            expected: Expectations of all witnesses, shape (K * F,).
        """
        return tuple(expected[self._trusted])

    def read(self, expected: Sequence[float]) -> tuple[float, ...]:
        """Return the trusted expectations in sensor units, shape (F,); empty without any.

        Args:
            expected: Expectations of all witnesses, scaled units, shape (K * F,).
        """
        return self.in_units(self.trusted(expected))

    def in_units(self, scaled: Sequence[float]) -> tuple[float, ...]:
        """Return scaled values in sensor units.

        Args:
            scaled: Shape (F,), or empty.
        """
        return tuple(
            value * scale + offset for value, scale, offset in zip(scaled, self.scale, self.offset, strict=False)
        )
