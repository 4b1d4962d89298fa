"""Folders for files that must outlive the process."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

from .addresses import Address


def state_folder(configured: Path | str | None = None) -> Path:
    """Return the configured folder, else the one that systemd made for the unit, else the user's own.

    >>> state_folder("/var/lib/pump").as_posix()
    '/var/lib/pump'
    """
    chosen = configured or os.environ.get("STATE_DIRECTORY", "").split(":")[0]
    if chosen:
        return Path(chosen)
    home = os.environ.get("XDG_STATE_HOME")
    if home:
        return Path(home) / "edgelstm"
    try:
        return Path.home() / ".local" / "state" / "edgelstm"
    except RuntimeError:  # a user without a home: what needs the folder says that it cannot be made
        return Path("/nonexistent/edgelstm")


def spool_folder(folder: Path, model: str, address: Address) -> Path:
    """Return the folder of one model's records for one sink: readable, and different for different addresses.

    Args:
        folder: The state folder.
        model: The model's name.
        address: The sink's address.
    """
    word = re.sub(r"[^A-Za-z0-9]+", "-", f"{model}-{address.scheme}-{address.host or address.name}")[:40].strip("-")
    digest = hashlib.sha256(address.identity.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return folder / "spool" / f"{word}-{digest}"
