"""The latency section of docs/benchmarks.md, from results/latency.json."""

import json
from pathlib import Path
from typing import Any

PEERS = {"float32": "ONNX Runtime float", "dynamic": "ONNX Runtime dynamic int8"}
NAMES = {"float32": "float", "dynamic": "8-bit weights"}
WHY = """Why: with `--target x86` one product a step serves both layers (see [how to convert](how-to/convert.md)). That saves calls, but its matrix
holds 8U × 2U numbers, a quarter of them zeros, while ONNX Runtime takes one layer after the other and so multiplies the second
layer's inputs of all steps at once: 8U² numbers a step are left to be read, against our 16U². Up to 32 units, where calls cost most, one
product wins or comes out even. At 128 units a step's float matrix has 1.05 MB, read in 12.5 µs (84 GB/s), and that is the time; with 8-bit weights
it is a quarter, and so is the loss. Loading takes longer because the steps are written out and packed then, and that is also what takes memory. Why
the error with 8-bit weights is larger was not looked into; the fused form's is, too.

Other forms of ours lose more: without `--target x86`, the fused float and dynamic forms take 1.7 to 6 times as long as ONNX Runtime on this
processor. `int8` (integer activations, meant for Arm and microcontrollers) runs portable code: save in the narrow autoencoder it is slower than OpenVINO,
and in the two largest models than Keras as a compiled function. PyTorch is measured where it is installed; in this run it was not. No Arm board was measured: `edgelstm bench` does that
on the board.""".splitlines()


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
    lines += summary(report["models"])
    for name, model in report["models"].items():
        lines += [
            f"### {name}",
            "",
            "| contender | µs | ratio | file, bytes | error | import, s | load, s | memory, MB |",
            "|---" * 8 + "|",
        ]
        lines += [row(label, figures) for label, figures in model["contenders"].items()]
        lines += [""]
    return lines


def summary(models: dict[str, Any]) -> list[str]:
    """Like against like, and where we lose."""
    lines = [
        "Our quickest form beside ONNX Runtime's of the same precision (times in µs, ratio of the two):",
        "",
        "| model | float | ONNX Runtime | ratio | 8-bit weights | ONNX Runtime | ratio | a streamed sample | its share of the quickest window |",
        "|---" * 9 + "|",
    ]
    losses: dict[str, list[str]] = {}
    for name, model in models.items():
        cells = []
        for form, theirs in PEERS.items():
            ours, other = quickest(model, form), model["contenders"][theirs]
            ratio = ours["ratio"] / other["ratio"]
            cells += [f"{ours['us']:.0f}", f"{other['us']:.0f}", f"{ratio:.2f}"]
            lost(losses, name, form, ratio, ours, other)
        streams = [part for part in model["contenders"].values() if part["stream"]]
        least = min((part["us"] for part in streams), default=None)
        windows = min(part["us"] for part in model["contenders"].values() if not part["stream"])
        cells += [f"{least:.0f}", f"{least / windows:.0%}"] if least else ["windowed only", "-"]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return [
        *lines,
        "",
        "**Where we lose.**",
        "",
        *(f"- {what}: {'; '.join(cases)}." for what, cases in losses.items()),
        f"- Slower to load: {span(models, 'edgelstm')} s with `--target x86` against {span(models, 'ONNX')} s.",
        "",
        *WHY,
        "",
    ]


def span(models: dict[str, Any], who: str) -> str:
    """Least and most time to load, of our unrolled forms or of ONNX Runtime's."""
    named = [(label, part["load_s"]) for model in models.values() for label, part in model["contenders"].items()]
    found = [time for label, time in named if label.startswith(who) and (who == "ONNX" or "x86" in label)]
    return f"{min(found):.3f} to {max(found):.3f}"


def quickest(model: dict[str, Any], form: str) -> dict[str, Any]:
    """Our windowed contender of a precision that takes least time."""
    ours = [c for k, c in model["contenders"].items() if k.startswith(f"edgelstm {form}") and not c["stream"]]
    found: dict[str, Any] = min(ours, key=lambda figures: figures["us"])
    return found


def lost(
    losses: dict[str, list[str]], name: str, form: str, ratio: float, ours: dict[str, Any], other: dict[str, Any]
) -> None:
    """Add what this comparison loses."""
    cases = {
        "Slower than ONNX Runtime": (ratio > 1.02, f"{ratio:.2f} times"),
        "Larger files": (ours["bytes"] > other["bytes"], f"{ours['bytes'] - other['bytes']:,} bytes"),
        "More memory": (ours["resident_mb"] > other["resident_mb"] + 1, f"{ours['resident_mb'] - other['resident_mb']:.0f} MB"),
        "Larger error": (
            form != "float32" and ours["error"] > other["error"],
            f"{ours['error']:.2%} against {other['error']:.2%}",
        ),
    }  # fmt: skip
    for what, (worse, how) in cases.items():
        if worse:
            losses.setdefault(what, []).append(f"{name} {NAMES[form]} ({how})")


def row(label: str, figures: dict[str, Any]) -> str:
    """A contender's line."""
    error = f"{figures['error']:.2%}" if "error" in figures else "-"
    return (
        f"| {label} | {figures['us']:.1f} | {figures['ratio']:.2f} | {figures['bytes']:,} | {error} | "
        f"{figures['import_s']:.2f} | {figures['load_s']:.2f} | {figures['resident_mb']:.0f} |"
    )
