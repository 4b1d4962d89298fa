"""Coverage-guided fuzzing of all that reads foreign bytes: `python benchmarks/fuzz.py [TARGET…] [--seconds 60]`.

Needs atheris (`pip install atheris`; Linux, CPython). A target fails on any exception that is not one of edgelstm's own, on an
input that takes more than 5 s, and on more than 1 GB of memory; what made it fail is left in the working directory.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["edgelstm"]):
    from edgelstm.runtime import Detector
    from edgelstm.runtime.errors import EdgelstmError
    from edgelstm.runtime.inference.flatbuffer.summary import read_graph
    from edgelstm.runtime.io.addresses import parse_address
    from edgelstm.runtime.model_file.bundle import parse_bundle
    from edgelstm.runtime.model_file.metadata import from_json, to_json
    from edgelstm.runtime.service.checkpoint import read_state
    from edgelstm.runtime.service.config import load_config
    from edgelstm.runtime.sinks.spool import Spool
    from edgelstm.runtime.sources import Columns, parse_lines
    from edgelstm.runtime.sources.line_reader import Splitter, read_lines
    from edgelstm.runtime.sources.live import LiveRows

MODELS = Path(__file__).parents[1] / "tests" / "slim" / "models"
COLUMNS = Columns(("level_cm", "flow_lpm"))
SCRATCH = Path(tempfile.mkdtemp(prefix="edgelstm-fuzz-"))


def scratch(data: bytes) -> Path:
    """The data as a file."""
    path = SCRATCH / "input"
    path.write_bytes(data)
    return path


def rows(data: bytes) -> None:
    """Lines of a file: CSV or JSON."""
    for _ in parse_lines(Splitter().feed(data + b"\n"), COLUMNS, "fuzz"):
        pass


def live(data: bytes) -> None:
    """Lines of a live source."""
    for _ in LiveRows(COLUMNS, "fuzz").samples(Splitter().feed(data + b"\n")):
        pass


def packed(data: bytes) -> None:
    """A file, perhaps gzipped."""
    for _ in read_lines(scratch(data)):
        pass


def metadata(data: bytes) -> None:
    """Metadata of a model, and a detector made by them."""
    record = from_json(data)
    if record.kind in ("autoencoder", "forecaster") and record.window <= 64:
        Detector(record, lambda window: window)


def spool(data: bytes) -> None:
    """A segment of a queue on disk."""
    folder = SCRATCH / "spool"
    folder.mkdir(exist_ok=True)
    (folder / f"{0:020}.seg").write_bytes(data)
    (folder / "cursor").write_bytes(data[:60])
    queue = Spool(folder)
    while held := queue.peek(64):
        queue.drop(held)
    queue.close()


TARGETS: dict[str, tuple[Callable[[bytes], object], tuple[bytes, ...]]] = {
    "rows": (rows, (b"time,level_cm,flow_lpm\n1,2,3\n", b'{"level_cm": 1, "flow_lpm": null, "time": "2020-01-01"}\n')),
    "live": (live, (b"level_cm;flow_lpm\n1,5;2\n", b"[1, 2, 3]\n")),
    "packed": (packed, (b"1,2\n3,4\n",)),
    "metadata": (metadata, tuple(to_json(parse_bundle(p.read_bytes()).metadata) for p in MODELS.glob("*.tflite"))),
    "bundle": (parse_bundle, tuple(path.read_bytes() for path in MODELS.glob("*.tflite"))),
    "flatbuffer": (read_graph, tuple(parse_bundle(path.read_bytes()).flatbuffer for path in MODELS.glob("*.tflite"))),
    "config": (lambda data: load_config(scratch(data)), (b'model = "a.tflite"\nto = ["sqlite:a.db"]\n[[stream]]\n',)),
    "spec": (
        lambda data: parse_address(data.decode("utf-8", "replace")),
        (b"mqtts://me:secret@[::1]:1/a/+?ca=x&qos=1",),
    ),
    "state": (lambda data: read_state(scratch(data)), (b"0" * 64 + b'\n{"rows": 1}',)),
    "spool": (spool, (b'{"seq":0,"type":"event"}\n{"seq":1}\n',)),
}


def fuzz(name: str, seconds: int) -> None:
    """Fuzz one target; the process ends with it."""
    target, seeds = TARGETS[name]
    corpus = SCRATCH / "corpus"
    corpus.mkdir()
    for number, seed in enumerate(seeds):
        (corpus / str(number)).write_bytes(seed)

    def once(data: bytes) -> None:
        with suppress(EdgelstmError):
            target(data)

    limits = [
        f"-max_total_time={seconds}",
        "-rss_limit_mb=1024",
        "-timeout=5",
        "-max_len=16384",
        "-print_final_stats=1",
    ]
    atheris.Setup([sys.argv[0], *limits, f"-artifact_prefix=fuzz-{name}-", str(corpus)], once)
    atheris.Fuzz()


def main() -> None:
    """Each target in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)}; all if left out")
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    options = parser.parse_args()
    if len(options.targets) == 1:
        fuzz(options.targets[0], options.seconds)
    for name in options.targets or TARGETS:
        done = subprocess.run(
            [sys.executable, __file__, name, "--seconds", str(options.seconds)], stderr=subprocess.PIPE, text=True
        )
        runs = [line.split()[-1] for line in done.stderr.splitlines() if "number_of_executed_units" in line]
        print(
            f"{name}: {runs[0] if runs else 'no'} inputs, {'failed' if done.returncode else 'nothing found'}",
            flush=True,
        )
        if done.returncode:
            sys.exit(done.stderr[-3000:])


if __name__ == "__main__":
    main()
