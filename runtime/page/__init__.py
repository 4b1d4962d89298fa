"""Pages that ask nothing from outside: parts of HTML, style and script put together into one file."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent
_PART = re.compile(r"/\* include ([a-z]+\.(?:css|js)) \*/")


@cache
def page(name: str) -> str:
    """Return a page with its style and scripts in it.

    Args:
        name: Name of its HTML file without the suffix.

    >>> "include" in page("live")
    False
    """
    html = (FOLDER / f"{name}.html").read_text(encoding="utf-8")
    return _PART.sub(lambda match: (FOLDER / match[1]).read_text(encoding="utf-8").strip(), html)
