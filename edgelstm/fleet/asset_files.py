"""An asset's files: local copies, their digest, and remarks on their rows."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from ..data.lost_rows import lost_rows
from ..data.series import Series
from .assets import Asset
from .places import fetch

BLOCK = 1 << 20  # bytes


def local_files(asset: Asset, folder: Path) -> list[Path]:
    """Local files of an asset: its own, or copies.

    Args:
        asset: The asset.
        folder: Folder for copies.

    Raises:
        SeriesError: If a file cannot be read.
    """
    paths = []
    for number, url in enumerate(asset.files):
        beside = folder / str(number)
        beside.mkdir()
        paths.append(fetch(url, beside))
    return paths


def digest_of(files: Sequence[Path]) -> str:
    """SHA-256 over the content of files, hex."""
    hashed = hashlib.sha256()
    for path in files:
        with path.open("rb") as stream:
            while block := stream.read(BLOCK):
                hashed.update(block)
        hashed.update(b"\0file\0")
    return hashed.hexdigest()


def remarks(series: Series) -> list[str]:
    """Sentences about repairs and lost rows, as `edgelstm train` prints them."""
    lost = lost_rows(series)
    return [*series.repairs.sentences(), *([f"Warning: {lost}"] if lost else [])]
