"""Section of docs/benchmarks.md about rows far outside of training."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from beyond_training import table_of


def beyond_section(results: Path) -> Iterator[str]:
    """Lines about rows that are anomalies by their distance from training: figures from each distance on.

    Args:
        results: Folder with beyond_training.json and beyond_training.md.
    """
    yield from ("## Rows far outside of training", "")
    before, after = (results / "beyond_training.md").read_text().split("TABLE\n")
    yield from before.splitlines()
    yield from table_of(json.loads((results / "beyond_training.json").read_text()))
    yield from after.splitlines()
    yield ""
