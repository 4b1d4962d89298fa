"""Section of docs/benchmarks.md about rows far outside of training."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path


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


def table_of(figures: dict[str, dict[str, dict[str, float]]]) -> list[str]:
    """Return a Markdown table: a distance a row, a corpus a column."""
    names = list(figures)
    lines = ["| further outside than | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for distance in next(iter(figures.values())):
        cells = [
            f"{one['vus_pr']:.3f} / {one['f1']:.3f} / {100 * one['far']:.1f} % / {one['false_alarms_per_1000_rows']:.2f}"
            for one in (figures[name][distance] for name in names)
        ]
        title = {"inf": "never (the judges alone)", "1": "1 range"}.get(distance, f"{distance} ranges")
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    return lines
