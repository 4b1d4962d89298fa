"""Processor time of `edgelstm report` by part, its children included: `python benchmarks/report_parts.py MODEL.keras --data ROWS.csv …`.

Runs the command of whatever version the interpreter's environment has, with the same words, and takes the clock at each step
that it tells. A child counts when it has ended, so the steps of a conversion in a child show as one.
"""

from __future__ import annotations

import resource
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import edgelstm.cli.progress
from edgelstm.__main__ import main

MARKS: list[tuple[float, str]] = []


def processor_time() -> float:
    """Seconds of user and system time of this process and its ended children."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


@contextmanager
def steps(_: str) -> Iterator[Callable[[str], None]]:
    """Stand in for the command's progress display: note when each step begins."""
    yield lambda step: MARKS.append((processor_time(), step))


if __name__ == "__main__":
    edgelstm.cli.progress.steps = steps
    sys.argv[1:1] = ["report"]
    try:
        main()
    finally:
        ends = [*(begin for begin, _ in MARKS), processor_time()]
        for end, (begin, step) in zip(ends, [(0.0, "start"), *MARKS], strict=True):
            print(f"{end - begin:8.2f} s  {step}", file=sys.stderr)
        print(f"{ends[-1]:8.2f} s  in all", file=sys.stderr)
