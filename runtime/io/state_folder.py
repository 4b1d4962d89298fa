"""The folder for what must outlive the process."""

from __future__ import annotations

import os
from pathlib import Path


def state_folder(configured: Path | str | None = None) -> Path:
    """The configured folder, else the one that systemd made for the unit, else the user's own.

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
