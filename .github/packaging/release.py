"""Facts that all packages share: the version, its day, the project's home, and where its files are."""

import os
import re
import runpy
import sys
from datetime import datetime, timezone
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_FACTS = runpy.run_path(str(ROOT / "runtime" / "version.py"))
VERSION: str = _FACTS["__version__"]
"""Version of edgelstm, from runtime/version.py alone."""
RELEASED = datetime.fromisoformat(_FACTS["RELEASED"]).replace(tzinfo=timezone.utc)
"""Day of the release."""
SUMMARY = "Keras LSTM models on small computers: anomaly detection on sensor streams"
# The project has no public home yet. Whoever publishes it sets these two variables, and nothing else: the release workflow takes
# the first from its repository and the second from the repository's variable CONTACT.
HOMEPAGE = os.environ.get("EDGELSTM_HOMEPAGE", "").rstrip("/")
"""Address of the project's repository; empty before it has one."""
CONTACT = os.environ.get("EDGELSTM_CONTACT") or "maintainers@edgelstm.invalid"
"""Mail address of the maintainers, for the Debian package; .invalid reaches nobody."""
EXTRAS = ("mqtt", "serial", "modbus", "update")
"""Extras that packages for devices carry: pure Python, 9 MB together."""


def source_date() -> int:
    """Return the time that files of a package get, so that the same input gives the same bytes."""
    return int(os.environ.get("SOURCE_DATE_EPOCH", RELEASED.timestamp()))


def debian_version(suite_number: int) -> str:
    """Return the version of a Debian package: a pre-release sorts before its release, and bookworm's before trixie's.

    Args:
        suite_number: Debian's release, 12 for bookworm.

    >>> debian_version(12).endswith("+deb12")
    True
    """
    return re.sub(r"\.?(a|b|rc|dev)(\d)", r"~\1\2", VERSION) + f"+deb{suite_number}"


def lacking() -> str:
    """Return what a release for others still lacks, in a sentence; empty for nothing."""
    if HOMEPAGE and not CONTACT.endswith(".invalid"):
        return ""
    return "A release for others names its home and whom to write to: set EDGELSTM_HOMEPAGE and EDGELSTM_CONTACT."


if __name__ == "__main__":
    if "--publishable" in sys.argv and lacking():
        sys.exit(lacking())
    print(VERSION)
