"""One line about a published model, for a person or a program."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any


def release_line(release: Any, as_json: bool) -> str:
    """A release as text.

    Args:
        release: The published model.
        as_json: JSON instead of words.
    """
    if as_json:
        return json.dumps(asdict(release))
    return f"{release.group}  {release.name}  version {release.version}  {release.digest}"
