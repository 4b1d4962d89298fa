"""Snapshots of a detector: their version, and packed rows as text.

A snapshot is a dictionary of plain JSON types. `Detector.snapshot` names its keys; the state of each part is documented
in that part's `to_state`. A change of any key, or of what a value means, needs a new `SNAPSHOT_SCHEMA`.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from .errors import ModelError

SNAPSHOT_SCHEMA = 7


def check_snapshot(state: Mapping[str, Any], model: str) -> None:
    """Refuse a snapshot that this version, or this model, cannot go on from.

    Args:
        state: The snapshot.
        model: Identity of the model at work.

    Raises:
        ValueError: With the reason.

    >>> check_snapshot({"schema": 3, "model": "pump"}, "pump")
    Traceback (most recent call last):
    ValueError: it has snapshot schema 3, of another version of edgelstm; this version reads 7
    """
    if state["schema"] != SNAPSHOT_SCHEMA:
        raise ValueError(
            f"it has snapshot schema {state['schema']!r}, of another version of edgelstm; "
            f"this version reads {SNAPSHOT_SCHEMA}"
        )
    if state["model"] != model:
        raise ValueError("it is of another model")


@contextmanager
def refusing_misfits(reset: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Turn what a snapshot that does not fit raises into one error.

    Args:
        reset: Called before; what was restored in part is undone.

    Raises:
        ModelError: With the reason.
    """
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        reset()
        raise ModelError(f"The snapshot does not fit ({error}). Start afresh: remove it.") from error


def rows_to_text(rows: list[bytes]) -> str:
    """Encode packed rows as one Base64 text.

    >>> rows_to_text([b"ab", b"cd"])
    'YWJjZA=='
    """
    return b64encode(b"".join(rows)).decode()


def rows_from_text(text: str, width: int, most: int) -> list[bytes]:
    """Decode `rows_to_text`.

    Args:
        text: Base64 of the rows.
        width: Bytes of each row.
        most: Largest number of rows.

    Raises:
        ValueError: If the text holds rows of another width, or too many.

    >>> rows_from_text("YWJjZA==", width=2, most=2)
    [b'ab', b'cd']
    """
    content = b64decode(text)
    if len(content) % width or len(content) > width * most:
        raise ValueError(f"{len(content)} bytes are not at most {most} rows of a size of {width}")
    return [content[at : at + width] for at in range(0, len(content), width)]
