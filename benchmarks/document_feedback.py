"""Section of docs/benchmarks.md about alarms taught away."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path


def feedback_section(results: Path) -> Iterator[str]:
    """Lines about answers to alarms: false and real alarms before and after, on rows that were answered and on later ones."""
    yield from ("## Alarms taught away", "")
    yield from (results / "feedback.md").read_text().splitlines()
    yield from ("", "| data | rows | labelled faults | false alarms | real alarms | faults found |", "|---" * 6 + "|")
    for run in json.loads((results / "feedback.json").read_text()):
        for half, title in (("taught", "answered"), ("later", "judged")):
            part = run[half]
            cells = [f"{part['before'][name]} → {part['after'][name]}" for name in ("false", "real", "faults")]
            if half == "later":
                cells = [f"**{cell}**" for cell in cells]
            yield f"| {run['data']}, {run['kind']}, {run['lesson']} teaches | {title} | {part['labelled']} | {' | '.join(cells)} |"
    yield ""
