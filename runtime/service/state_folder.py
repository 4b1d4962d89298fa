"""Folders of a service for files that must outlive the process."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from ..io.addresses import Address
from ..io.state_folder import state_folder
from .config import Settings


def spool_folder(settings: Settings, model: str, address: Address) -> Path:
    """Return the folder of one model's records for one sink: readable, and different for different addresses.

    Args:
        settings: Settings that may name the state folder.
        model: The model's name.
        address: The sink's address.
    """
    word = re.sub(r"[^A-Za-z0-9]+", "-", f"{model}-{address.scheme}-{address.host or address.name}")[:40].strip("-")
    digest = hashlib.sha256(address.identity.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return state_folder(settings.state_dir) / "spool" / f"{word}-{digest}"
