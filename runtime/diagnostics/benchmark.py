"""Measuring a model on the machine at hand: the only place where a time or a memory figure comes from.

A call is what a device does for every window: set the input, reset the state, invoke, get the output.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InterpreterError, NoMetadataError
from ..inference.interpreter import TFLiteModel
from ..model_file.bundle import parse_bundle, read_model_file
from ..model_file.trial import try_model

STREAMING = "streaming"  # the form of a file that eats one row a call


@dataclass(frozen=True)
class Latency:
    """Times of one call."""

    calls: int
    """Calls that were timed."""
    p50: float
    """Median, microseconds."""
    p99: float
    """99th percentile, microseconds."""
    per_second: float
    """Calls per second over the whole run: samples per second for a stream."""


@dataclass(frozen=True)
class Start:
    """A fresh process up to the model's first output."""

    seconds: float
    """From the interpreter program's first line (after Python's own start) to the first output."""
    resident_mb: float
    """Memory of that process after 100 calls, MB."""
    base_mb: float
    """Memory after importing NumPy and the interpreter, before anything of the model, MB."""
    peak_mb: float
    """Largest memory of that process up to then, MB."""


@dataclass(frozen=True)
class Machine:
    """Where it was measured."""

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


@dataclass(frozen=True)
class Benchmark:
    """One model, measured."""

    model: str
    """File name."""
    size: int
    """File size, bytes."""
    latency: Latency
    """Times of one call."""
    start: Start
    """Start-up and memory."""
    machine: Machine
    """Where it was measured."""
    source: str = ""
    """SHA-256 of the Keras model that it was converted from, hex; empty for a file of another tool."""
    scheme: str = ""
    """Its quantization scheme; empty for a file of another tool."""
    form: str = ""
    """`streaming` for one row a call, x86 or micro for a target's; empty for plain windows."""

    def record(self) -> dict[str, Any]:
        """As plain JSON types."""
        return asdict(self)


def benchmark(path: Path | str, threads: int = 1, seconds: float = 1.0) -> Benchmark:
    """Measure a `.tflite` file, one of ours or any other.

    Args:
        path: The model.
        threads: Interpreter threads.
        seconds: How long to repeat calls.

    Raises:
        ModelError: If it cannot be read.
        InterpreterError: If it cannot be loaded or run.
    """
    path = Path(path)
    content = read_model_file(path)
    source, scheme, form = _identity(content, path.name)
    try_model(content, path.name)
    model = load(content, threads)
    latency = measure(bare_call(model), seconds)
    start = start_up(path, threads)
    return Benchmark(path.name, len(content), latency, start, this_machine(model, threads), source, scheme, form)


def load(content: bytes, threads: int = 1) -> TFLiteModel:
    """A model file's network in the form that a device gives it."""
    form = _identity(content)[2]
    return TFLiteModel(content, threads, target="" if form == STREAMING else form)


def _identity(content: bytes, origin: str = "model.tflite") -> tuple[str, str, str]:
    """Source hash, scheme and form of a model file; empty for one that carries no metadata of ours."""
    try:
        metadata = parse_bundle(content, origin).metadata
    except NoMetadataError:
        return "", "", ""
    return metadata.source, metadata.scheme, STREAMING if metadata.stateful else metadata.target


def bare_call(model: TFLiteModel, seed: int = 0) -> Callable[[], object]:
    """One call on fixed input: set, reset, invoke, get."""
    interpreter, generator = model.interpreter, np.random.default_rng(seed)
    inputs = [(t.index, t.quantize(generator.normal(size=t.shape))) for t in model.inputs]
    outputs = [t.index for t in model.outputs]

    def call() -> list[Any]:
        for index, values in inputs:
            interpreter.set_tensor(index, values)
        interpreter.reset_all_variables()
        interpreter.invoke()
        return [interpreter.get_tensor(index) for index in outputs]

    return call


def measure(call: Callable[[], object], seconds: float = 1.0, least: int = 20) -> Latency:
    """Time a function: after a tenth of the time as warm-up, at least `least` calls.

    >>> measure(lambda: None, seconds=0.01).calls >= 20
    True
    """
    clock = time.perf_counter
    _repeat(call, clock() + seconds / 10, 2)
    begin = clock()
    times = _repeat(call, begin + seconds, least)
    total = clock() - begin
    p50, p99 = (float(value) * 1e6 for value in np.percentile(times, [50, 99]))
    return Latency(len(times), p50, p99, len(times) / total)


def compare(calls: Mapping[str, Callable[[], object]], seconds: float = 1.0, rounds: int = 20) -> dict[str, Latency]:
    """Time functions in turn, so that a busy machine slows all of them.

    Args:
        calls: By name.
        seconds: For all of them together.
        rounds: Blocks that each gets; the first tenth of a block is warm-up.
    """
    blocks: dict[str, list[Latency]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            blocks[name].append(measure(call, seconds / rounds / len(calls), least=3))
    return {name: _middle(found) for name, found in blocks.items()}


def _middle(blocks: list[Latency]) -> Latency:
    p50, p99, per_second = (
        statistics.median(getattr(block, name) for block in blocks) for name in ("p50", "p99", "per_second")
    )
    return Latency(sum(block.calls for block in blocks), p50, p99, per_second)


def _repeat(call: Callable[[], object], until: float, least: int) -> list[float]:
    clock = time.perf_counter
    times: list[float] = []
    while len(times) < least or clock() < until:
        begin = clock()
        call()
        times.append(clock() - begin)
    return times


_START = """
import sys, time
begin = time.perf_counter()
from edgelstm.runtime.inference.backend import backend
import edgelstm.runtime.diagnostics.benchmark as bench
backend()
base = bench.resident_mb()
with open(sys.argv[1], "rb") as file:
    call = bench.bare_call(bench.load(file.read(), int(sys.argv[2])))
call()
seconds = time.perf_counter() - begin
for _ in range(99):
    call()
print(seconds, bench.resident_mb(), base, bench.peak_mb())
"""


def start_up(path: Path | str, threads: int = 1, repeats: int = 3) -> Start:
    """Start fresh processes and take the quickest.

    Raises:
        InterpreterError: If the process fails.
    """
    runs = []
    for _ in range(repeats):
        done = subprocess.run(
            [sys.executable, "-c", _START, str(path), str(threads)], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise InterpreterError(f"A fresh process cannot run {path}: {_reason(done)}")
        runs.append(Start(*map(float, done.stdout.split()[-4:])))
    return min(runs, key=lambda run: run.seconds)


def _reason(done: subprocess.CompletedProcess[str]) -> str:
    if done.returncode < 0 or done.returncode > 128:
        return f"the interpreter crashed (signal {-done.returncode if done.returncode < 0 else done.returncode - 128})."
    return (done.stderr.strip().splitlines() or ["no reason given."])[-1].removeprefix(
        f"{InterpreterError.__module__}.InterpreterError: "
    )


def resident_mb() -> float:
    """Resident memory of this process, MB (Linux; elsewhere the peak)."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
    except (OSError, IndexError, ValueError):
        return peak_mb()


def peak_mb() -> float:
    """Largest resident memory of this process so far, MB."""
    try:  # a child's rusage begins with its parent's peak; the kernel's high-water mark is the process's own
        line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024 / 1e6
    except (OSError, StopIteration, IndexError, ValueError):
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def this_machine(model: TFLiteModel, threads: int) -> Machine:
    """Names of what a figure depends on."""
    return Machine(
        processor(), platform.machine(), _cores(), threads, f"{model.backend.name} {model.backend.version}",
        platform.python_version(), np.__version__,
    )  # fmt: skip


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def processor() -> str:
    """The board's or the processor's name."""
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


def dumps(results: list[Benchmark]) -> str:
    """Results as JSON."""
    return json.dumps([result.record() for result in results], indent=2)
