"""Measurement of a model on the machine at hand: every published time and memory figure is made here.

A call is the work of a device for one window: set the input, reset the state, invoke, get the output.
"""

from __future__ import annotations

import json
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
from ..inference.accelerator import Accelerator
from ..inference.interpreter import TFLiteModel
from ..model_file.bundle import parse_bundle, read_model_file
from ..model_file.trial import try_model
from .machine import Machine, this_machine

STREAMING = "streaming"  # the form of a file that takes one row a call


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
class Benchmark:
    """Measurements of one model."""

    model: str
    """File name."""
    size: int
    """File size, bytes."""
    latency: Latency
    """Times of one call."""
    start: Start
    """Start-up and memory."""
    machine: Machine
    """Machine that it was measured on."""
    source: str = ""
    """SHA-256 of the Keras model that it was converted from, hex; empty for a file of another tool."""
    scheme: str = ""
    """Its quantization scheme; empty for a file of another tool."""
    form: str = ""
    """`streaming` for one row a call, x86 or micro for a target's; empty for plain windows."""

    def record(self) -> dict[str, Any]:
        """As plain JSON types."""
        return asdict(self)


def benchmark(
    path: Path | str,
    threads: int = 1,
    seconds: float = 1.0,
    accelerator: Accelerator | None = None,
    *,
    tried: bool = False,
) -> Benchmark:
    """Measure a `.tflite` file, one of ours or any other.

    Args:
        path: The model.
        threads: Interpreter threads.
        seconds: How long to repeat calls.
        accelerator: Delegate that may take ops over.
        tried: True if this very file has run in this process, as one that was converted here: it needs no trial then.

    Raises:
        ModelError: If it cannot be read.
        InterpreterError: If it cannot be loaded or run.
    """
    path = Path(path)
    content = read_model_file(path)
    source, scheme, form = _identity(content, path.name)
    if not tried:
        try_model(content, path.name)
    model = load(content, threads, accelerator)
    latency = measure(bare_call(model), seconds)
    start = start_up(path, threads, accelerator=accelerator)
    return Benchmark(path.name, len(content), latency, start, this_machine(model, threads), source, scheme, form)


def load(content: bytes, threads: int = 1, accelerator: Accelerator | None = None) -> TFLiteModel:
    """Load a model file's network in the form in which a device runs it.

    Args:
        content: The file.
        threads: Interpreter threads.
        accelerator: Delegate that may take ops over.

    Raises:
        InterpreterError: If it cannot be loaded.
    """
    form = _identity(content)[2]
    return TFLiteModel(content, threads, target="" if form == STREAMING else form, accelerator=accelerator)


def _identity(content: bytes, origin: str = "model.tflite") -> tuple[str, str, str]:
    """Return source hash, scheme and form of a model file; empty for one that carries no metadata of ours."""
    try:
        metadata = parse_bundle(content, origin).metadata
    except NoMetadataError:
        return "", "", ""
    return metadata.source, metadata.scheme, STREAMING if metadata.stateful else metadata.target


def bare_call(model: TFLiteModel, seed: int = 0) -> Callable[[], object]:
    """Return a function that makes one call on fixed input: set, reset, invoke, get.

    Args:
        model: The model.
        seed: Seed of the input's normal deviates.
    """
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
    """Time a function, after a tenth of the time as warm-up.

    Args:
        call: The function.
        seconds: How long to repeat it.
        least: Calls at least.

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
    """Time functions in turn, so that a busy machine slows all of them alike.

    Args:
        calls: Functions by name.
        seconds: For all of them together.
        rounds: Blocks that each gets; the first tenth of a block is warm-up.
    """
    blocks: dict[str, list[Latency]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            blocks[name].append(measure(call, seconds / rounds / len(calls), least=3))
    return {name: _median(latencies) for name, latencies in blocks.items()}


def _median(blocks: list[Latency]) -> Latency:
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
from edgelstm.runtime.diagnostics.machine import peak_mb, resident_mb
backend()
base = resident_mb()
with open(sys.argv[1], "rb") as file:
    call = bench.bare_call(bench.load(file.read(), int(sys.argv[2]), bench.Accelerator.parse(sys.argv[3]) if sys.argv[3] else None))
call()
seconds = time.perf_counter() - begin
for _ in range(99):
    call()
print(seconds, resident_mb(), base, peak_mb())
"""


def start_up(path: Path | str, threads: int = 1, repeats: int = 3, accelerator: Accelerator | None = None) -> Start:
    """Start fresh processes and return the quickest one's figures.

    Args:
        path: The model.
        threads: Interpreter threads.
        repeats: Processes.
        accelerator: Delegate that may take ops over.

    Raises:
        InterpreterError: If the process fails.
    """
    runs = []
    command = [sys.executable, "-c", _START, str(path), str(threads), accelerator.text if accelerator else ""]
    for _ in range(repeats):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
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


def dumps(results: list[Benchmark]) -> str:
    """Results as JSON."""
    return json.dumps([result.record() for result in results], indent=2)
