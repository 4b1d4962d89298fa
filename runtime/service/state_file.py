"""The file that keeps a detector's state: a checksum, and what it is of as JSON."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from ..errors import ConfigError, ModelError
from ..io.atomic_files import write_atomic

LARGEST = 1 << 26  # bytes; a state is some KB
HEAD = 67  # bytes: the checksum, and how the JSON begins
BEGIN = re.compile(rb"[0-9a-f]{64}\n|.{64}\n\{\"", re.DOTALL)  # one of both is enough: the other may be damaged


def check_state(path: Path) -> None:
    """Refuse a file that is there and is no state: a snapshot would replace it.

    A state that is damaged further on is taken, and so is a file that a power cut left empty or full of zeros.

    Args:
        path: State file of a configuration.

    Raises:
        ConfigError: If it does not begin as a state does.
    """
    if not path.is_file():
        return
    try:
        with path.open("rb") as stream:
            head = stream.read(HEAD)
    except OSError:  # told when it is read
        return
    if head.strip(b"\0") and not BEGIN.match(head):
        raise ConfigError(
            f"{path} is no state of a model, and would be replaced by one. Name another file with --state."
        )


def write_state(path: Path, state: dict[str, Any]) -> int:
    """Replace the state file, readable for its user alone.

    Args:
        path: The file.
        state: Plain JSON types.

    Returns:
        Bytes written.
    """
    body = json.dumps(state, separators=(",", ":")).encode()
    content = hashlib.sha256(body).hexdigest().encode() + b"\n" + body
    write_atomic(path, content, mode=0o600)
    return len(content)


def read_state(path: Path) -> dict[str, Any] | None:
    """Read the state that was kept, None when there is none.

    Raises:
        ModelError: If it is damaged.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise ModelError("it is of an impossible size.")
        digest, _, body = path.read_bytes().partition(b"\n")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ModelError(f"it cannot be read ({error.strerror or error}).") from error
    if hashlib.sha256(body).hexdigest().encode() != digest:
        raise ModelError("its checksum does not fit.")
    state: dict[str, Any] = json.loads(body)
    return state
