"""Sections of the benchmarks' page: what the network gains file by file, and where normal rows are in alarm."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ON, OFF = "edgelstm Keras", "edgelstm Keras, recurrent layers silenced"
INT8 = "edgelstm int8"
AIM = 0.04  # VUS-PR that the network was to gain in the mean
SAME = 1e-4  # VUS-PR within which a file counts as unchanged
Report = dict[str, Any]


def gains(report: Report) -> dict[str, float]:
    """Gain of the network in a corpus, VUS-PR over the silenced model, means over files.

    Args:
        report: As `detection.py` writes it.
    """
    methods = report["methods"]
    on, off = methods[ON]["files"], methods[OFF]["files"]
    names = [name for name, value in on.items() if value is not None and off[name] is not None]
    peers = [entry["files"] for method, entry in methods.items() if not method.startswith("edgelstm")]

    def mean(values: dict[str, float]) -> float:
        return sum(values[name] - off[name] for name in names) / len(names)

    return {
        "files": len(names),
        "better": sum(on[name] - off[name] > SAME for name in names),
        "worse": sum(off[name] - on[name] > SAME for name in names),
        "heard": mean(on),
        "oracle": mean({name: max(on[name], off[name]) for name in names}),
        "peers": mean({name: max([off[name], *(peer.get(name) or 0.0 for peer in peers)]) for name in names}),
    }


def product_section(reports: list[Report]) -> list[str]:
    """Differences between the product's forms by corpus, medians over the seeds.

    Args:
        reports: Of all corpora.
    """
    by_corpus = {report["benchmark"]: report["methods"] for report in reports}
    eight = [name for name in by_corpus if name != "pump"]

    def differences(one: str, other: str, key: str) -> dict[str, float]:
        return {name: methods[one][key][0] - methods[other][key][0] for name, methods in by_corpus.items()}

    def listed(values: dict[str, float]) -> str:
        return "; ".join(f"{name} {value:+.3f}" for name, value in values.items())

    def mean(values: dict[str, float]) -> float:
        return sum(values[name] for name in eight) / len(eight)

    heard = differences(ON, OFF, "vus_pr")
    totals = {form: mean({name: by_corpus[name][form]["vus_pr"][0] for name in eight}) for form in (INT8, ON, OFF)}
    seeds = "; ".join(f"{report['benchmark']} {report['options']['seeds']}" for report in reports)
    return [
        "## The product over all corpora",
        "",
        f"Medians of the tables below (seeds: {seeds}).",
        "",
        f"- Recurrent layers on minus silenced, VUS-PR: {listed(heard)}; mean without the pump {mean(heard):+.3f}.",
        f"- int8 minus Keras, VUS-PR: {listed(differences(INT8, ON, 'vus_pr'))}.",
        f"- int8 minus Keras, F1 over rows: {listed(differences(INT8, ON, 'f1'))}.",
        f"- Mean VUS-PR over {len(eight)} corpora without the pump: int8 {totals[INT8]:.3f}, Keras {totals[ON]:.3f}, silenced {totals[OFF]:.3f}.",
        "",
        "Recall, false alarms and F1 of SMAP/MSL and tsb_m are of rows that lie far outside of training in a few channels, too: [what they cost](#rows-far-outside-of-training).",
        "",
    ]


def network_section(reports: list[Report]) -> list[str]:
    """Gain of the network by corpus, beside that of an oracle.

    Args:
        reports: Of all corpora.
    """
    table = {report["benchmark"]: gains(report) for report in reports}
    means = {key: sum(row[key] for row in table.values()) / len(table) for key in ("heard", "oracle", "peers")}
    none = [name for name, row in table.items() if not row["better"]]
    lines = [
        "## What the network gains, file by file",
        "",
        "VUS-PR over the same model with its recurrent layers silenced, means over the files of the tables below (Keras, one seed). *Oracle* knows the labels and takes the better "
        "of the two for each file; *oracle of all methods* the best of the silenced model and of the other methods of the tables.",
        "",
        "| corpus | files | better with the network | worse | network on | oracle | oracle of all methods |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, row in table.items():
        lines.append(
            f"| {name} | {row['files']} | {row['better']} | {row['worse']} | {row['heard']:+.3f} | {row['oracle']:+.3f} | {row['peers']:+.3f} |"
        )
    lines.append(
        f"| **mean of eight** | | | | {means['heard']:+.3f} | {means['oracle']:+.3f} | {means['peers']:+.3f} |"
    )
    if means["oracle"] < AIM:
        bound = f"is below it: no rule of when to listen to this network reaches the aim. Better in no file: {', '.join(none)}."
    else:
        bound = "is above it: a better rule of when to listen to this network could reach the aim."
    return [
        *lines,
        "",
        f"A gain of {AIM:.2f} was aimed at. The oracle's {means['oracle']:+.3f} {bound} What is left to gain lies in witnesses that differ more from a forecast "
        "of the next row; the last column bounds what the methods measured here could add, and no rule without labels was found that comes near it (above).",
        "",
    ]


def flagged_section(results: Path) -> list[str]:
    """Places of the normal rows in alarm.

    Args:
        results: Folder of `flagged_rows.json`.
    """
    table = json.loads((results / "flagged_rows.json").read_text())
    places = list(next(iter(table.values()))["flagged"])
    lines = [
        "## Normal rows in alarm",
        "",
        "The linear forecast and the product's judges, without the rule of rows far outside of training, no rows left out of training (`python benchmarks/flagged_rows.py`): where flagged normal rows lie, as shares of the normal rows. "
        "The last column is F1 if alarms ended with the fault.",
        "",
        "| corpus | normal rows flagged | " + " | ".join(places) + " | F1 | F1, ended with the fault |",
        "|---" * (len(places) + 4) + "|",
    ]
    for name, row in table.items():
        counts, flagged = row["rows"], row["flagged"]
        normal = counts["false_positive"] + counts["true_negative"]
        behind = sum(count for place, count in flagged.items() if place.startswith("behind"))
        shares = " | ".join(f"{count / normal:.1%}" for count in flagged.values())
        both = " | ".join(f"{f1(counts, left):.3f}" for left in (0, behind))
        lines.append(f"| {name} | {counts['false_positive'] / normal:.1%} | {shares} | {both} |".replace("%", " %"))
    return [
        *lines,
        "",
        *(results / "flagged_rows.md").read_text().splitlines(),
        "",
        *file_lines(table["skab"]["files"]),
        "",
    ]


def file_lines(files: list[dict[str, Any]]) -> list[str]:
    """SKAB's files with flagged normal rows, beside how far the machine is from training.

    Args:
        files: As `flagged_rows.py` writes them.
    """
    lines = [
        "| SKAB file | flagged ahead of the fault | flagged behind it | distance from training: the minute before the fault | the fault | behind it |",
        "|---|---|---|---|---|---|",
    ]
    for one in sorted(files, key=lambda one: (-one["ahead"], -one["behind"])):
        after = f"{one['after']:.1f}" if one["after"] else "-"
        lines.append(
            f"| {one['file']} | {one['ahead']} | {one['behind']} | {one['before']:.1f} | {one['fault']:.1f} | {after} |"
        )
    return lines


def f1(counts: dict[str, int], left: int) -> float:
    """F1 over rows.

    Args:
        counts: True and false positives and negatives.
        left: False positives that are left out.
    """
    right, wrong = 2 * counts["true_positive"], counts["false_positive"] - left + counts["false_negative"]
    return right / max(1, right + wrong)
