"""The time by which expiry is judged, on a device whose clock may be wrong at boot."""

from __future__ import annotations

import json
import time
from datetime import datetime, timezone
from pathlib import Path

from ..version import RELEASED

BUILT = datetime.fromisoformat(RELEASED).replace(tzinfo=timezone.utc).timestamp()
"""Day of this version's release: no true clock shows an earlier time."""


def newest_time(tuf: Path, root: bytes = b"", now: float | None = None) -> float:
    """Return the newest of the clock, the build time and the times of signing that this device has verified.

    Args:
        tuf: Folder of the metadata that were verified.
        root: Root metadata that came with the device.
        now: Seconds since 1970; None for the clock.
    """
    times = [time.time() if now is None else now, BUILT, _published(root)]
    for name in ("timestamp.json", "root.json"):
        try:
            times.append(_published((tuf / name).read_bytes()))
        except OSError:
            continue
    return max(times)


def _published(content: bytes) -> float:
    try:
        return float(json.loads(content)["signed"]["published"])
    except (ValueError, TypeError, KeyError, RecursionError, OverflowError):
        return 0.0
