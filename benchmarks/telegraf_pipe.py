"""Telegraf's execd pipe: rows a second, and time from a line on standard input to its score on standard output.

    python benchmarks/telegraf_pipe.py [--rows 20000]

Runs `edgelstm run MODEL --telegraf` as Telegraf would, on one of the tests' int8 models: all rows at once for the rate, start
left out, and 50 a second for the latency. Prints one JSON line.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

MODEL = Path(__file__).parents[1] / "tests" / "slim" / "models" / "cast.int8.tflite"
COMMAND = [sys.executable, "-m", "edgelstm", "run", str(MODEL), "--telegraf"]
FIRST, SECOND = 1_700_000_000, 10**9
WARMED = 40  # rows until scores come


def line(number: int) -> bytes:
    """Return the line protocol of a row."""
    return f"pump level_cm={50 + number % 7},flow_lpm={3 + number % 5} {(FIRST + number) * SECOND}\n".encode()


def whole(rows: int) -> tuple[float, float]:
    """Return wall and processor time of a run over so many rows, seconds."""
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    lines = b"".join(map(line, range(rows)))
    done = subprocess.run(COMMAND, input=lines, capture_output=True, check=True, cwd="/")
    assert done.stdout.count(b"edgelstm_score") >= rows
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.perf_counter() - begin, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def delays(rows: int) -> list[float]:
    """Return the seconds from each row to its score, in ascending order, at 50 rows a second."""
    sent: dict[int, float] = {}
    late: list[float] = []
    with subprocess.Popen(
        COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd="/"
    ) as process:

        def read() -> None:
            for answer in process.stdout:
                moment = int(answer.rsplit(b" ", 1)[1])
                if answer.startswith(b"edgelstm_score"):
                    late.append(time.perf_counter() - sent[moment])

        thread = threading.Thread(target=read)
        thread.start()
        for number in range(rows):
            sent[(FIRST + number) * SECOND] = time.perf_counter()
            process.stdin.write(line(number))
            process.stdin.flush()
            time.sleep(0.02)
        process.stdin.close()
        thread.join()
    return sorted(late[WARMED:])


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=20_000)
    rows = parser.parse_args().rows
    start, many = whole(100), whole(rows + 100)
    late = delays(400)
    print(
        json.dumps({
            "rows_per_second": round(rows / (many[0] - start[0])), "cpu_us": round(1e6 * (many[1] - start[1]) / rows),
            "median_ms": round(1000 * statistics.median(late), 1), "p99_ms": round(1000 * late[int(0.99 * len(late))], 1),
        })
    )  # fmt: skip


if __name__ == "__main__":
    main()
