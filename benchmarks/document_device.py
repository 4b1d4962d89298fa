"""The device's part of docs/benchmarks.md: what the runtime costs, endurance and drift."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CHANGES = ("as it is", "shift", "trend", "noise")


READ = {"score", "evaluate", "run", "report", "train"}  # commands whose rows are counted


def device_section(results: Path) -> list[str]:
    """Headings, conditions and tables of what has been measured."""
    lines: list[str] = []
    for name, write in (
        ("waiting", _waiting),
        ("runtime", _runtime),
        ("endurance", _endurance),
        ("drift", _drift),
    ):
        path = results / f"{name}.json"
        if path.exists():
            lines += write(json.loads(path.read_text()))
    return lines


def _waiting(found: dict[str, Any]) -> Iterator[str]:
    commands = found["commands"]
    versions = list(dict.fromkeys(version for row in commands.values() for version in row["versions"]))
    yield from ("## What a person waits for", "")
    loads, rounds = [row["load"] for row in commands.values()], [row["rounds"] for row in commands.values()]
    yield (
        "Whole commands of several versions in turn, `python benchmarks/waiting.py`, each version with its own conversions of one "
        f"trained model of the simulated pump: processor seconds, medians of {min(rounds)} to {max(rounds)} rounds, without the "
        "first, cold one where there are several; in brackets the ratio to the version now, above 1 where that is quicker. "
        f"{found['processors']} processors at a load of {min(loads):.0f} to {max(loads):.0f}, so that wall times say less. "
        f"{found.get('note', '')}"
    )
    yield from ("", "![Processor time of commands over versions](images/waiting.svg)", "")
    yield "| command | rows | " + " | ".join(versions) + " | wall, now | cold | memory, first and now |"
    yield "|---" * (5 + len(versions)) + "|"
    for name, row in commands.items():
        ran = row["versions"]
        cells = [
            f"{ran[version]['cpu']:.2f}" + (f" ({ran[version]['ratio']:.1f})" if version != versions[-1] else "")
            if version in ran
            else "–"
            for version in versions
        ]
        first, now = next(iter(ran.values())), ran[versions[-1]]
        rows = f"{row['rows']:,}" if name.split()[0] in READ else ""
        yield (
            f"| {name} | {rows} | {' | '.join(cells)} | {now['wall']:.1f} s | {now['cold_wall']:.1f} s | "
            f"{first['memory']:.0f} and {now['memory']:.0f} MB |"
        )
    yield ""
    if "run" in commands:
        each = commands["run"]
        rates = ", ".join(f"{each['rows'] / figures['cpu']:,.0f} ({version})" for version, figures in each["versions"].items())  # fmt: skip
        yield from (
            f"`run` with state, event log and SQLite, rows a second of processor time, start included: {rates}.",
            "",
        )


def _runtime(found: dict[str, Any]) -> Iterator[str]:
    machine, limits = found["machine"], found["limits"]
    yield from ("## What the runtime costs", "")
    yield (
        f"8 channels, windows of 32 rows, everything switched on, {machine['interpreter']} on {machine['processor']}, Python "
        f"{machine['python']}. `Detector.update` beside the bare call (set, reset, invoke, get): median of the differences of "
        "neighbouring blocks of 100, and, where other work on the machine adds least, between the tenth percentiles of both; "
        f"aim {limits['update_us']:g} us. Start to the first score beside the imports of click, NumPy and the interpreter and one "
        f"bare call, medians of fresh processes; aim {limits['start_ratio']:g} times and {limits['start_s']:g} s. Installed files "
        f"of our own: {found['files_mb']:.2f} MB of {limits['files_mb']:g}."
    )
    yield from (
        "",
        "| model | score | bare call | costs more, median | tenth percentiles | start | times bare | memory over bare |",
    )
    yield "|---" * 8 + "|"
    for name, run in found["models"].items():
        start = run["start"]
        yield (
            f"| {name} | {run['score']} | {run['bare_us']:.0f} us | {run['cost_us']:.1f} us | {run['cost_us_fast']:.1f} us | "
            f"{start['ours_s']:.2f} s | {start['ratio']:.2f} | {start['over_mb']:.1f} MB |"
        )
    yield ""


def _endurance(found: dict[str, Any]) -> Iterator[str]:
    yield from ("## Endurance", "")
    yield (
        "Tiny models, a burst of faults in each 1000 rows, 15 kinds in turn. Every fault counted is one put in; scores are "
        "compared with a clean run's from so many rows after each burst on: a window and a warm-up, and 150 rows more where the "
        "score (dual) or the model (streaming) has a memory; they may differ by the tolerance, in units of the score."
    )
    yield from (
        "",
        "| model | samples | faults put in | all counted | score | rows after a burst | largest difference of a score (tolerance) | memory, first and last tenth |",
    )
    yield "|---" * 8 + "|"
    for run in found["endure"]:
        put_in = {**run["put_in"], "rate": 0}
        counted = "yes" if {**run["counted"], "rate": 0} == put_in else "no"
        memory = f"{run['memory_first_tenth_mb']:.1f} and {run['memory_last_tenth_mb']:.1f} MB"
        yield (
            f"| {run['model']} | {run['samples']:,} | {sum(run['put_in'].values()):,} | {counted} | "
            f"{run['score']} | {run['settle_rows']} | {run['largest_difference']:.1e} ({run['tolerance']:g}) | {memory} |"
        )
    if "kills" in found:
        yield from (
            "",
            f"`edgelstm run` killed (SIGKILL) {found['kills']['kills']} times at random instants: event log identical to an uninterrupted run's.",
        )
    yield ""


def _drift(found: dict[str, Any]) -> Iterator[str]:
    yield from ("## Drift", "")
    yield (
        "Rows before the first labelled anomaly (half of a series without labels) are normal operation; a linear one-step "
        "forecaster. Drift events in the rest as it is, and with a change of the first channel from a quarter of it on: a shift "
        "of one deviation, a trend to two, noise of half of one; in brackets the rows from the change to the first event. A block is the "
        "rows between two looks; a drift needs four. Series as they are may drift by themselves."
    )
    yield from ("", f"| series | rows | block | {' | '.join(CHANGES)} |", "|---" * (3 + len(CHANGES)) + "|")
    for name, row in found.items():
        cells = []
        for change in CHANGES:
            delay = row[change]["delay"]
            shown = f" ({delay})" if delay is not None and change != "as it is" else ""
            cells.append(f"{len(row[change]['events'])}{shown}")
        yield f"| {name} | {row['rows']:,} | {row['block']} | {' | '.join(cells)} |"
    yield ""
