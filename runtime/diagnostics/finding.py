"""A result of a check of this machine."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

OK, WARN, FAIL = "ok", "warn", "fail"


@dataclass(frozen=True)
class Finding:
    """Result of one check."""

    check: str
    """Name of the check."""
    status: str
    """ok, warn or fail."""
    detail: str
    """State that the check met."""
    remedy: str = ""
    """Command or advice that helps; empty when nothing is wrong."""

    def record(self) -> dict[str, Any]:
        """Return it as plain JSON types."""
        return asdict(self)
