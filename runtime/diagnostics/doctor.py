"""Checks of a machine and a model, each finding with its remedy."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import time
from importlib import metadata
from pathlib import Path

import numpy as np

from ..errors import EdgelstmError, NoMetadataError
from ..inference.backend import BACKENDS, backend, install_hint, is_arm32
from ..inference.flatbuffer.summary import Graph, read_graph
from ..io.extras import EXTRAS, installed_version, is_ready
from ..model_file.bundle import Bundle, parse_bundle, read_model_file
from ..model_file.trial import try_model
from .benchmark import start_up
from .finding import FAIL, OK, WARN, Finding

YEAR_MADE = 2025  # no true clock shows an earlier year; a Pi without a clock chip boots in 1970
LEAST_FREE_MB = 50
# Newest op versions that tflite-runtime 2.14 knows, where converters write newer ones ("Didn't find op for builtin opcode")
OLD_RUNTIME = {"FULLY_CONNECTED": 11}


def examine(model: Path | str | None = None, folder: Path | str = ".", updates: Path | None = None) -> list[Finding]:
    """Check this machine, and a model when one is named.

    Args:
        model: A `.tflite` file.
        folder: Where outputs will be written.
        updates: Folder of this device's signed models; None to leave them out.
    """
    findings = [check_python(), check_platform(), check_libc(), check_numpy(), check_interpreter()]
    findings += [check_folder(Path(folder)), check_space(Path(folder)), check_clock(time.time()), check_extras()]
    if updates is not None:
        from .updates import check_updates

        findings += check_updates(updates, time.time())
    return findings + (check_model(Path(model)) if model is not None else [])


def check_python() -> Finding:
    """Check Python's version: the interpreters have wheels for certain ones only."""
    version = platform.python_version()
    if not (3, 10) <= sys.version_info[:2] < (3, 14):
        return Finding("python", FAIL, version, "Use Python 3.10 to 3.13: python3.11 -m venv venv")
    if is_arm32() and sys.version_info >= (3, 12):
        return Finding("python", FAIL, f"{version} on 32-bit Arm", install_hint())
    return Finding("python", OK, version)


def check_platform() -> Finding:
    """Check the architecture: a 32-bit userland on a 64-bit kernel calls itself aarch64 and takes no aarch64 wheel."""
    machine, bits = platform.machine(), 64 if sys.maxsize > 2**32 else 32
    detail = f"{platform.system()} {machine}, {bits}-bit Python"
    if machine == "armv6l":
        return Finding(
            "platform", FAIL, detail, "The Pi Zero and Pi 1 have no interpreter wheel; use a Pi Zero 2, 3 or later."
        )
    if machine == "aarch64" and bits == 32:
        return Finding("platform", WARN, detail, "The 64-bit Raspberry Pi OS gives you the maintained interpreter.")
    return Finding("platform", OK, detail)


def check_libc(libc: tuple[str, str] | None = None) -> Finding:
    """Check the C library, whose version wheels require; by default this machine's."""
    name, version = libc or platform.libc_ver()
    needed = (2, 34) if platform.machine().startswith(("arm", "aarch64")) else (2, 27)
    if name != "glibc":
        return Finding(
            "libc",
            WARN,
            f"{name or 'unknown'} {version}".strip(),
            "Interpreter wheels want glibc (Debian, Raspberry Pi OS).",
        )
    if tuple(int(part) for part in version.split(".")[:2]) < needed:
        least = ".".join(map(str, needed))
        return Finding("libc", FAIL, f"glibc {version}, {least} needed", "Update to Raspberry Pi OS bookworm or later.")
    return Finding("libc", OK, f"glibc {version}")


def check_numpy() -> Finding:
    """Check NumPy: tflite-runtime was built against version 1 and does not declare it."""
    major = int(np.__version__.split(".")[0])
    if major >= 2 and _installed("tflite-runtime") and not _installed("ai-edge-litert"):
        return Finding("numpy", FAIL, f"{np.__version__} beside tflite-runtime", "pip install 'numpy<2'")
    return Finding("numpy", OK, np.__version__)


def check_interpreter() -> Finding:
    """Check that an interpreter is installed and can be imported."""
    installed = [f"{name} {_installed(name)}" for name in BACKENDS.values() if _installed(name)]
    if _installed("ai-edge-litert") == "2.0.3":
        return Finding(
            "interpreter", WARN, "ai-edge-litert 2.0.3 weighs 289 MB", "pip install -U 'ai-edge-litert>=2.1'"
        )
    try:
        loaded = backend()
    except EdgelstmError as error:
        return Finding("interpreter", FAIL, str(error).removesuffix(install_hint()).strip(), install_hint())
    others = [name for name in installed if not name.startswith(loaded.name)]
    return Finding(
        "interpreter", OK, f"{loaded.name} {loaded.version}" + (f" (also {', '.join(others)})" if others else "")
    )


def _installed(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def check_extras() -> Finding:
    """Check the extras of sources and sinks; what is missing is no fault, but said with the way to get it."""
    lacking = [name for name in EXTRAS if not is_ready(name)]
    ready = ", ".join(name for name in EXTRAS if name not in lacking) or "none"
    words = [f"{name} ({_too_old(name)})" for name in lacking]
    detail = f"ready: {ready}" + (f"; not installed: {', '.join(words)}" if lacking else "")
    return Finding("sources and sinks", OK, detail, f"pip install 'edgelstm[{','.join(lacking)}]'" if lacking else "")


def _too_old(name: str) -> str:
    extra, version = EXTRAS[name], ".".join(map(str, installed_version(EXTRAS[name].package)))
    return f"{extra.package} {version} is too old" if version else extra.package


def check_folder(folder: Path) -> Finding:
    """Check the folder of outputs, which must be writable itself: files are renamed into place."""
    probe = folder / f".edgelstm-{os.getpid()}.probe"
    try:
        probe.write_bytes(b"x")
        probe.unlink()
    except OSError as error:
        return Finding(
            "folder", FAIL, f"{folder.absolute()}: {error.strerror}", f'sudo chown "$USER" {folder.absolute()}'
        )
    return Finding("folder", OK, f"{folder.absolute()} is writable")


def check_space(folder: Path) -> Finding:
    """Check the free space: a full SD card ends every log."""
    try:
        free = shutil.disk_usage(folder).free / 1e6
    except OSError as error:
        return Finding("space", WARN, f"{folder}: {error.strerror}", "df -h")
    if free < LEAST_FREE_MB:
        return Finding("space", FAIL, f"{free:.0f} MB free", "sudo apt-get clean && sudo journalctl --vacuum-size=20M")
    return Finding("space", OK, f"{free:.0f} MB free")


def check_clock(now: float) -> Finding:
    """Check the clock, whose times events carry."""
    year = time.gmtime(now).tm_year
    shown = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))
    if year < YEAR_MADE:
        return Finding(
            "clock", FAIL, f"it shows {shown}", "sudo timedatectl set-ntp true   (or: sudo date -s '2026-01-31 12:00')"
        )
    synchronized = Path("/run/systemd/timesync/synchronized")
    if synchronized.parent.exists() and not synchronized.exists():
        return Finding("clock", WARN, f"{shown}, not synchronized", "sudo timedatectl set-ntp true")
    return Finding("clock", OK, shown)


def check_model(path: Path) -> list[Finding]:
    """Check a model file: its metadata, its operators, its needs, and that it runs here."""
    try:
        content = read_model_file(path)
        bundle = parse_bundle(content, path.name)
        findings = [Finding("model", OK, _describe(bundle)), *_usable(bundle)]
    except NoMetadataError as error:  # a file of another tool may run all the same
        findings = [Finding("model", FAIL, *_split(error))]
    except EdgelstmError as error:
        return [Finding("model", FAIL, *_split(error))]
    try:
        findings.append(_check_ops(read_graph(content, path.name)))
        try_model(content, path.name)
        start = start_up(path, repeats=1)
        findings.append(
            Finding("runs here", OK, f"first output after {start.seconds:.2f} s, {start.resident_mb:.0f} MB resident")
        )
    except EdgelstmError as error:
        findings.append(Finding("runs here", FAIL, *_split(error)))
    return findings


def _split(error: EdgelstmError) -> tuple[str, str]:
    """Split an error into its first sentence and the remedy that follows it."""
    rule, _, remedy = str(error).partition(". ")
    return rule, remedy


def _describe(bundle: Bundle) -> str:
    described = bundle.metadata
    return f"{described.scheme} {described.kind}, window {described.window}, channels {', '.join(described.names) or 'none named'}"


def _usable(bundle: Bundle) -> list[Finding]:
    described = bundle.metadata
    if "forecast" in described.sections:
        return [
            Finding("forecast", OK, f"{described.horizon} rows ahead, from {described.window} rows; no anomaly scores")
        ]
    if described.kind not in ("autoencoder", "forecaster"):
        return [
            Finding(
                "alarms",
                WARN,
                f"a {described.kind} gives no anomaly scores",
                "Train with --kind autoencoder or forecaster.",
            )
        ]
    if described.scoring is None or described.threshold is None:
        missing = "score statistics" if described.scoring is None else "threshold"
        return [
            Finding(
                "alarms", FAIL, f"the file has no {missing}", "edgelstm convert MODEL.keras --calibration normal.csv"
            )
        ]
    return [Finding("alarms", OK, f"threshold {described.threshold.value:.4g} ({described.threshold.method})")]


def _check_ops(graph: Graph) -> Finding:
    flex = [op.name for op in graph.ops if op.name.startswith("Flex")]
    if flex:
        return Finding("ops", FAIL, f"needs TensorFlow ops: {', '.join(flex)}", "edgelstm convert MODEL.keras --int8")
    new = [f"{op.name} version {op.version}" for op in graph.ops if op.version > OLD_RUNTIME.get(op.name, op.version)]
    if new:
        old = backend().name == "tflite-runtime"
        return Finding(
            "ops", FAIL if old else WARN, f"{', '.join(new)} is newer than tflite-runtime 2.14 knows",
            "edgelstm convert MODEL.keras --int8   (or install ai-edge-litert)",
        )  # fmt: skip
    return Finding("ops", OK, ", ".join(f"{op.count} {op.name} v{op.version}" for op in graph.ops))
