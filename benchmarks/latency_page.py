"""The latency section of docs/benchmarks.md, from results/latency.json."""

import json
from pathlib import Path
from typing import Any


def latency_section(results: Path) -> list[str]:
    """Headings and tables; nothing where it was not measured."""
    path = results / "latency.json"
    if not path.exists():
        return []
    report = json.loads(path.read_text())
    versions = ", ".join(f"{package} {version}" for package, version in sorted(report["versions"].items()))
    lines = [
        "## Latency and size beside other runtimes",
        "",
        f"{report['processor']}, one thread, {report['rounds']} rounds in which all contenders of a model take turns, each in a "
        f"process of its own; median microseconds a window (a sample for the streaming form), from set to get. Error: RMS "
        f"against Keras over {report['windows']} windows, as a share of the output's deviation. Ratio: to ONNX Runtime's "
        f"better form in the same round, median. Seed {report['seed']}. Import times, and the unpaired figures, suffer from whatever else ran; ratios hardly do. {versions}.",
        "",
        "Installed, MB: " + ", ".join(f"{kind} {size:.0f}" for kind, size in report["installed_mb"].items()) + ".",
        "",
    ]
    for name, model in report["models"].items():
        lines += [
            f"### {name}",
            "",
            "| contender | µs | ratio | file, bytes | error | import, s | memory, MB |",
            "|---" * 7 + "|",
        ]
        lines += [row(label, figures) for label, figures in model["contenders"].items()]
        lines += ["", verdict(model), ""]
    return lines


def row(label: str, figures: dict[str, Any]) -> str:
    """A contender's line."""
    error = f"{figures['error']:.2%}" if "error" in figures else "-"
    return (
        f"| {label} | {figures['us']:.1f} | {figures['ratio']:.2f} | {figures['bytes']:,} | {error} | "
        f"{figures['import_s']:.2f} | {figures['resident_mb']:.0f} |"
    )


def verdict(model: dict[str, Any]) -> str:
    """Whether our quickest windowed form reaches ONNX Runtime's better one, in time and in size."""
    ours = {k: v for k, v in model["contenders"].items() if k.startswith("edgelstm") and not v["stream"]}
    label, best = min(ours.items(), key=lambda item: item[1]["us"])
    other = model["contenders"][model["reference"]]
    won = "reaches" if best["ratio"] <= 1 else "does not reach"
    size = "no larger" if best["bytes"] <= other["bytes"] else "larger"
    return f"Our quickest, {label}, {won} {model['reference']} ({best['ratio']:.2f} of its time) and is {size} ({best['bytes']:,} and {other['bytes']:,} bytes)."
