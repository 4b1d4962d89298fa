"""Pages that ask nothing from outside: parts of HTML, style and script put together into one file."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

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


def page_with(name: str, data: Any) -> bytes:
    """Return a page with the data that its script takes.

    Args:
        name: As of `page`.
        data: Plain JSON types, finite.

    >>> page_with("live", {"language": "</script>"}).count(b"</script>")
    1
    """
    # "<" as \u003c: no text of the data can end the script or begin an element
    content = json.dumps(data, ensure_ascii=False, allow_nan=False).replace("<", "\\u003c")
    return page(name).replace("/* data */ null", content).encode("utf-8", "replace")
