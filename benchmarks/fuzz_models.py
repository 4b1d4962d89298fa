"""Damaged model files through everything that reads them: `nice python benchmarks/fuzz_models.py [--count 10000] [--seed 0]`.

Each file is damaged at random in its flatbuffer, its metadata or anywhere, mostly with the checksum recomputed. All files go
through `inspect`'s reader and through the hot swap of one running detector. Trials run in forked processes, which costs
milliseconds where `run` starts a new interpreter. Files that pass are loaded and scored in a forked process, too. A sample goes
through the commands `run`, `score`, `inspect` and `doctor` as a user calls them. It fails when a reader raises anything but an error
of ours, when a file that has passed its trial ends the process that scores it, when a command prints a traceback or ends by
a signal, when reading a file takes more than 5 s, or when memory passes 300 MB.
"""

from __future__ import annotations

import argparse
import collections
import faulthandler
import logging
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from edgelstm.runtime import Detector
from edgelstm.runtime.errors import EdgelstmError, ModelError
from edgelstm.runtime.forecasting.forecaster import Forecaster
from edgelstm.runtime.model_file.bundle import parse_bundle
from edgelstm.runtime.model_file.trial_worker import examine
from edgelstm.runtime.service import model_reload

from edgelstm.inspection import inspect_model, lines

TESTS = Path(__file__).parents[1] / "tests"
sys.path.insert(0, str(TESTS))
from model_mutations import mutations  # noqa: E402

MODELS = TESTS / "slim" / "models"
STREAM = MODELS / "stream.csv"
SECONDS = 5  # for the readers, and of processor time for a trial, whose own limit is longer
LARGEST_MB = 300
FINE, REFUSED = 0, 3


class ForkedTrial:
    """`model_file.trial.Trial` by a fork of this process, which has the interpreter already."""

    def __init__(self, content: bytes, origin: str) -> None:
        self.origin, self.ended = origin, True
        self.code = forked(lambda: REFUSED if examine(content) else FINE)

    def check(self) -> None:
        """Raise what a trial raises."""
        if self.code:
            raise ModelError(f"{self.origin} did not pass ({self.code})")

    def close(self) -> None:
        """Nothing is left to end."""


def forked(work: Callable[[], int]) -> int:
    """Exit code, negative for a signal, of a function in a process of its own."""
    process = os.fork()
    if not process:
        code = 70
        try:
            silence = os.open(os.devnull, os.O_WRONLY)
            os.dup2(silence, 1)
            os.dup2(silence, 2)
            resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS + 5))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            code = work()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def score(content: bytes, rows: list[list[float]]) -> int:
    """Load a file as `score` and `forecast` do, and feed it."""
    try:
        bundle = parse_bundle(content)
        if "forecast" in bundle.metadata.sections:
            Forecaster.from_bundle(bundle).forecast(np.array(rows), np.arange(float(len(rows))))
            return FINE
        detector = Detector.from_bundle(bundle)
        for row in rows:
            detector.update(row[: len(detector.metadata.channels)] or row)
    except EdgelstmError:
        return REFUSED
    return FINE


class Fuzzer:
    """One detector at work whose file is replaced again and again.

    Args:
        folder: Scratch folder.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "model.tflite"
        whole = (MODELS / "auto.int8.tflite").read_bytes()
        self.path.write_bytes(whole)
        self.detector = Detector.from_bundle(parse_bundle(whole))
        self.rows = np.loadtxt(STREAM, delimiter=",", skiprows=1)[:100, 1:].tolist()
        self.watch = model_reload.ModelWatch(self.path, every=0, folder=folder)
        self.slowest = 0.0
        """Longest time of the readers for a file, seconds."""
        self.counts: collections.Counter[str] = collections.Counter()

    def take(self, part: str, content: bytes) -> None:
        """Put one file through the readers, the hot swap and, if it passes, the scoring.

        Raises:
            AssertionError: If something broke.
        """
        self.path.with_suffix(".new").write_bytes(content)
        os.replace(self.path.with_suffix(".new"), self.path)
        begin = time.monotonic()
        readable = self._read()
        self.slowest = max(self.slowest, time.monotonic() - begin)
        assert self.slowest < SECONDS, "reading took too long"
        self.counts[f"{part}: {'read' if readable else 'refused by the readers'}"] += 1
        before = self.detector
        new = self.watch.replaced(before)
        assert before.update(self.rows[0]).status, "the old model is gone"
        self.counts[f"{part}: taken over by the running watch"] += new is not None
        if readable:
            self._run(part, content)

    def _run(self, part: str, content: bytes) -> None:
        """Trial, then scoring."""
        trial = ForkedTrial(content, "model.tflite")
        endings = {FINE: "passed", REFUSED: "refused", -signal.SIGXCPU: "ended by the time limit"}
        ending = endings.get(trial.code, "ended its process")
        self.counts[f"{part}: {ending} in its trial"] += 1
        if trial.code == FINE:
            code = forked(lambda: score(content, self.rows))
            self.counts[f"{part}: {'scored' if code == FINE else 'refused at scoring'}"] += 1
            assert code in (FINE, REFUSED), f"a file that passed its trial ended scoring with {code}"

    def _read(self) -> bool:
        """Tell whether `inspect` reads a file."""
        message = ""
        try:
            "\n".join(lines(inspect_model(self.path)))
        except EdgelstmError as error:
            message = str(error)
        assert message.isprintable(), "an error with control characters"
        return not message


def commands(path: Path, log: collections.Counter[str]) -> None:
    """One file through the commands, as a user calls them."""
    for words in (["inspect", path], ["doctor", path], ["score", path, STREAM], ["run", path, STREAM]):
        done = subprocess.run(
            [sys.executable, "-m", "edgelstm", *map(str, words)], capture_output=True, text=True, timeout=90
        )
        assert done.returncode in (0, 1), f"{words[0]} ended with {done.returncode}: {done.stderr[-500:]}"
        assert "Traceback" not in done.stderr + done.stdout, f"{words[0]}: {done.stderr[-1000:]}"
        log[f"{words[0]}: exit code {done.returncode}"] += 1


def main() -> None:
    """Make the files, count what became of them, and fail on the first that breaks something."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="number of the first file, to go on where a run ended")
    parser.add_argument("--sample", type=int, default=40, help="files that go through the commands, too")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    faulthandler.enable()
    model_reload.Trial = ForkedTrial  # type: ignore[assignment, misc]
    begin = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="edgelstm-fuzz-"))
    os.environ["XDG_STATE_HOME"] = str(folder / "state")
    fuzzer, log = Fuzzer(folder), collections.Counter[str]()
    chosen = set(random.Random(options.seed).sample(range(options.count), min(options.sample, options.count)))
    for number, (part, content) in enumerate(mutations(MODELS, options.count, options.seed)):
        if number < options.first:
            continue
        try:
            fuzzer.take(part, content)
            if number % 1000 == 999:
                print(f"{number + 1:,} files after {time.monotonic() - begin:.0f} s", flush=True)
            if number in chosen:
                commands(fuzzer.path, log)
        except BaseException:
            kept = Path(f"fuzz-models-{options.seed}-{number}.tflite")
            kept.write_bytes(content)
            print(f"{kept} breaks something:", flush=True)
            raise
    own, children = (
        resource.getrusage(who).ru_maxrss / 1e3 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    for name, count in sorted((fuzzer.counts + log).items()):
        print(f"{count:7,}  {name}")
    print(
        f"{options.count - options.first:,} files in {time.monotonic() - begin:.0f} s, the slowest read in {fuzzer.slowest:.2f} s"
    )
    print(f"largest memory: {own:.0f} MB of the watch, {children:.0f} MB of a trial, score or command")
    assert max(own, children) <= LARGEST_MB, "more memory than allowed"


if __name__ == "__main__":
    main()
