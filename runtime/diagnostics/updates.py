"""Check of a device's signed updates: what they need, and when the repository's signatures expire."""

from __future__ import annotations

import json
import time
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path

from ..errors import EdgelstmError
from ..updates.clock import newest_time
from ..updates.store import ModelStore
from .finding import FAIL, OK, WARN, Finding

DAY = 86_400.0
SOON = 14 * DAY


def check_updates(folder: Path, now: float) -> list[Finding]:
    """Check the folder of a device's signed models.

    Args:
        folder: The folder.
        now: Seconds since 1970, by the clock.
    """
    tuf = folder / "tuf"
    return [_client(), _clock(tuf, now), _expiry(tuf, newest_time(tuf, now=now)), _model(folder)]


def _client() -> Finding:
    if find_spec("tuf") is None:
        return Finding("update client", FAIL, "tuf is not installed", "pip install 'edgelstm[update]'")
    return Finding("update client", OK, "tuf is installed")


def _clock(tuf: Path, now: float) -> Finding:
    behind = newest_time(tuf, now=now) - now
    if behind > DAY:
        return Finding(
            "update clock", WARN, f"the clock is {behind / DAY:.0f} days behind what was signed or built",
            "sudo timedatectl set-ntp true   (expiry is judged by the later time meanwhile)",
        )  # fmt: skip
    return Finding("update clock", OK, "not behind what was signed")


def _expiry(tuf: Path, now: float) -> Finding:
    try:
        text = json.loads((tuf / "timestamp.json").read_bytes())["signed"]["expires"]
        left = datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() - now
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return Finding("update repository", WARN, "nothing was fetched yet", "edgelstm update --from URL --to FOLDER …")
    remedy = "on the workstation: edgelstm keys renew --to REPOSITORY --key release.key"
    if left < 0:
        return Finding("update repository", FAIL, f"its signatures expired on {text}", remedy)
    return Finding(
        "update repository", WARN if left < SOON else OK, f"signed until {text}", remedy if left < SOON else ""
    )


def _model(folder: Path) -> Finding:
    try:
        ledger = ModelStore(folder).ledger
        if ledger.current is not None:
            ModelStore(folder).read(ledger.current)
    except EdgelstmError as error:
        return Finding("signed model", FAIL, str(error), "edgelstm update --from URL --to FOLDER …")
    title = ledger.current.title if ledger.current else "none"
    if ledger.error:
        return Finding("signed model", WARN, f"{title}; last error: {ledger.error}", f"edgelstm history {folder}")
    since = ledger.trial_since
    trial = f", in its trial time since {time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(since))}" if since else ""
    return Finding(
        "signed model", OK if ledger.current else WARN, title + trial, "" if ledger.current else "edgelstm update"
    )
