"""The machine at hand: names of all that a figure depends on, and the memory of this process."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..inference.interpreter import TFLiteModel


@dataclass(frozen=True)
class Machine:
    """Machine that a figure was measured on."""

    processor: str
    """Model name of the board or the processor."""
    machine: str
    """Architecture, such as aarch64."""
    cores: int
    """Cores this process may use."""
    threads: int
    """Interpreter threads."""
    interpreter: str
    """Distribution and version."""
    python: str
    """Version."""
    numpy: str
    """Version."""


def resident_mb() -> float:
    """Return the resident memory of this process, MB (Linux; elsewhere the peak)."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
    except (OSError, IndexError, ValueError):
        return peak_mb()


def peak_mb() -> float:
    """Return the largest resident memory of this process so far, MB."""
    try:  # a child's rusage begins with its parent's peak; the kernel's high-water mark is the process's own
        line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024 / 1e6
    except (OSError, StopIteration, IndexError, ValueError):
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def this_machine(model: TFLiteModel, threads: int) -> Machine:
    """Return the names of all that a figure depends on.

    Args:
        model: The model.
        threads: Interpreter threads.
    """
    return Machine(
        processor(), platform.machine(), _cores(), threads, f"{model.backend.name} {model.backend.version}",
        platform.python_version(), np.__version__,
    )  # fmt: skip


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def processor() -> str:
    """Return the board's or the processor's name."""
    try:
        board = Path("/proc/device-tree/model").read_bytes().rstrip(b"\0").decode()
    except (OSError, UnicodeDecodeError):
        board = ""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith(("model name", "Model"))]
    return board or (names[-1] if names else platform.processor() or platform.machine())
