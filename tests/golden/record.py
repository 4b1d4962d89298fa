"""Record what the runtime does with the tests' models, for `tests/slim/test_golden.py` to compare.

`python tests/golden/record.py FOLDER` writes one JSON file a model; run it from a folder other than the repository's
root. Only the `edgelstm` command and the public `Detector` are used, so that the record outlives every renaming
inside. Results of int8 models are exact; those of float models are rounded to ten digits.

Change the committed files only together with a deliberate change of behaviour, and say so in the commit.
"""

import contextlib
import hashlib
import io
import json
import math
import runpy
import shutil
import sys
import tempfile
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from itertools import count
from pathlib import Path

import numpy as np
from edgelstm.runtime import Detector
from streams import LINES, MODELS, STREAMS, adapting, calm, stream, table

DETECTORS = ("auto.float32", "auto.int8", "cast.float32", "cast.int8", "flow.stream.int8")
FORECASTERS = ("ahead.float32", "ahead.int8")
ALL_POLICIES = ("auto.int8", "cast.int8")  # models that are recorded with every option and threshold rule
CUTS = (24, 95, 125, 210, 303, 480)
RULES = ("deviations", "deviations:5", "quantile:0.99", "alarms:0.1", "pot", "pot:1e-3", "dynamic")
OPTIONS = {
    "limit": ("--limit", "level_cm=25:75"),
    "bridge": ("--bridge", 40),
    "hold": ("--hold", 12),
    "stuck": ("--stuck", 5),
    "recover": ("--recover", 3),
    "debounce": ("--minimum", 4, "--cooldown", 3, "--off", 0.5),
    "threshold": ("--threshold", 2.5),
    "adapt": ("--adapt", 3),
}
EVENT = ("kind", "reason", "state", "start", "end", "peak", "channels", "id", "schema")
NOT_RECORDED = {"text", "readings"}  # a sentence depends on the zone of the machine
NO_SHARES = {"level_cm": None, "flow_lpm": None}
BLOCK, EVERY, DIGITS = 100, 5, 10
names = count()


def edgelstm(*words):
    """Call one command in this process: its exit code and its standard output."""
    out, sys.argv = io.StringIO(), ["edgelstm", *map(str, words)]
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
        try:
            runpy.run_module("edgelstm", run_name="__main__")
        except SystemExit as end:
            return end.code or 0, out.getvalue()
    return 0, out.getvalue()


def output(*words):
    """Standard output of a command that has to succeed."""
    code, text = edgelstm(*words)
    if code:
        raise RuntimeError(f"edgelstm {' '.join(map(str, words))}: exit code {code}")
    return text


def lines(text):
    return [json.loads(line) for line in text.splitlines()]


def series(values, exact):
    """Record numbers a row, shape (N,) or (N, F): a checksum a block when exact, else every fifth row, rounded."""
    array = np.array(values, np.float64)
    if not exact:
        return [rounded(row.tolist()) for row in array[::EVERY]]
    return {
        "rows": len(array),
        "sha256": digest(array.tobytes(), 64),
        "ends": [[float(number).hex() for number in np.ravel(array[place])] for place in (0, len(array) // 2, -1)],
        "blocks": [
            f"{digest(array[first : first + BLOCK].tobytes(), 8)} {np.ravel(array[first])[0]:.6g}"
            for first in range(0, len(array), BLOCK)
        ],
    }


def digest(content, length):
    return hashlib.sha256(content).hexdigest()[:length]


def rounded(value):
    """The same with all floats at ten significant digits; null for NaN."""
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(item) for item in value]
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None
    return value


def write(folder, rows):
    """Write rows to a CSV file of its own name."""
    path = Path(folder, f"{next(names)}.csv")
    path.write_text(table(rows))
    return path


def events(records):
    """Record events, each as a list of the values of `EVENT`."""
    for record in records:
        if set(record) - NOT_RECORDED != set(EVENT):
            raise RuntimeError(f"an event has the keys {', '.join(EVENT)}; received {', '.join(record)}")
    return [[record[key] for key in EVENT] for record in records]


def run(model, folder, rows, exact, *flags):
    """Record one `run --scores` and the events that it sends to a file."""
    sink = Path(folder, f"{next(names)}.jsonl")
    records = lines(output("run", model, write(folder, rows), "--scores", "--to", f"file:{sink}", *flags))
    return {
        "events": events([{key: item[key] for key in EVENT} for item in lines(sink.read_text())]),
        "status": dict(sorted(Counter(item["status"] for item in records).items())),
        "anomalies": sum(item["anomaly"] for item in records),
        "scores": series([item["score"] for item in records], exact),
        "thresholds": series([item["threshold"] for item in records], exact)
        if len({item["threshold"] for item in records}) > 1
        else records[0]["threshold"],
        # rounded to four digits, so a float model's may differ by one in the last
        "shares": exact and series([list((item["contribution"] or NO_SHARES).values()) for item in records], exact),
    }


def runs(model, folder, exact, name):
    """Record `run` on the streams, with the options, and over a restart."""
    plain = output("run", model, write(folder, stream()))
    record = {"stdout": events(lines(plain))}
    for key in STREAMS if exact else ("stream", "everything"):
        record[key] = run(model, folder, STREAMS[key](), exact)
    for option, flags in OPTIONS.items() if name in ALL_POLICIES else ():
        if option == "adapt":
            record["--adapt"] = run(model, folder, adapting(), exact, *flags)
        else:
            record[f"--{option}"] = events(lines(output("run", model, write(folder, STREAMS["everything"]()), *flags)))
    record["--state"] = resumed(model, folder)
    return record


def resumed(model, folder):
    """Record the event log of a run over a file that has grown since the last run, with a state file."""
    data, log = write(folder, stream()[:310]), Path(folder, f"{next(names)}.jsonl")
    flags = ("--state", log.with_suffix(".state"), "--event-log", log)
    output("run", model, data, *flags)
    first = len(log.read_text().splitlines())
    data.write_text(table(stream()))
    output("run", model, data, *flags)
    return {"first": first, "log": events(lines(log.read_text()))}


def table_of_scores(model, folder, exact):
    """Record `score` on the plain stream and the one with everything."""
    record = {}
    for name in ("stream", "everything"):
        text = output("score", model, write(folder, STREAMS[name]()))
        rows = [line.split(",") for line in text.splitlines()]
        record[name] = {
            "header": rows[0],
            "times": digest("\n".join(row[0] for row in rows[1:]).encode(), 64),
            "anomalies": sum(row[2] == "1" for row in rows[1:]),
            "scores": series([float(row[1] or "nan") for row in rows[1:]], exact),
        }
    return record


def numbers(rows):
    """Samples and times of rows, NaN for an empty cell."""
    return [([float(cell or "nan") for cell in row[1:]], float(row[0])) for row in rows]


def detector(model, exact, rows, cuts, **options):
    """Record `Detector.update`, and that a detector restored from a snapshot after `cuts` rows goes on bit for bit."""
    samples = numbers(rows)
    whole, results, snapshots = Detector.load(model, **options), [], {}
    for place, (sample, time) in enumerate(samples):
        if place in cuts:
            snapshots[place] = json.dumps(whole.snapshot())
        results.append(whole.update(sample, time))
    last = whole.finish()
    silent = (None,) * len(samples[0][0])
    return {
        "status": dict(sorted(Counter(result.status for result in results).items())),
        "scores": series([result.score for result in results], exact),
        "parts": series([result.parts or silent for result in results], exact),
        "events": events([event.record() for result in results for event in result.events]),
        "finish": events([event.record() for event in last]),
        "restored": {
            str(cut): continued(
                Detector.load(model, **options), json.loads(snapshot), samples[cut:], repr((results[cut:], last))
            )
            for cut, snapshot in snapshots.items()
        },
    }


def continued(second, snapshot, samples, expected):
    """Compare a detector that goes on from a snapshot with one that was never stopped; count the samples that it scores."""
    second.restore(snapshot)
    results = [second.update(sample, time) for sample, time in samples]
    return {
        "identical": repr((results, second.finish())) == expected,
        "scored": sum(result.score is not None for result in results),
    }


def thresholds(model, folder, rules):
    """Record `calibrate` by every rule, on calm rows, on labelled ones and on rows that are refused; and the way back."""
    normal, record = write(folder, calm(4)), {}
    labelled = Path(folder, f"{next(names)}.csv")
    marks = [int(150 <= row < 190 or 300 <= row < 395 or 450 <= row < 530) for row in range(len(LINES))]
    labelled.write_text(table([[*row, str(mark)] for row, mark in zip(stream(), marks, strict=True)]).replace(
        "flow_lpm\n", "flow_lpm,fault\n", 1))  # fmt: skip
    calls = {rule: (normal, "--threshold-rule", rule, "--force") for rule in rules}
    calls |= {f"fbeta:{beta}": (labelled, "--threshold-rule", f"fbeta:{beta}", "--label-column", "fault", "--force")
              for beta in (1, 0.5)}  # fmt: skip
    before = threshold(model)
    for name, words in calls.items():
        copy = Path(shutil.copy(model, Path(folder, f"{next(names)}.tflite")))
        record[name] = {"answer": json.loads(output("calibrate", copy, *words, "--json")), "threshold": threshold(copy)}
    output("calibrate", copy, "--rollback")
    record["rolled_back"] = threshold(copy) == before
    copy = Path(shutil.copy(model, Path(folder, f"{next(names)}.tflite")))
    record["refused"] = edgelstm("calibrate", copy, write(folder, stream()[:30]))[0]
    record["unchanged"] = copy.read_bytes() == Path(model).read_bytes()
    return record


def threshold(model):
    return json.loads(output("inspect", model, "--json"))["metadata"]["threshold"]


def forecasts(model, folder):
    """Record `forecast` after several numbers of rows, at both levels, over a short gap, and with too few rows."""
    record = {}
    for rows in (24, 100, 143, 600):
        for level in (80, 95):
            data = write(folder, stream()[:rows])
            record[f"{rows} rows {level} %"] = json.loads(output("forecast", model, data, "--level", level, "--json"))
    bridged = stream()[:100]
    del bridged[92]
    record["gap"] = json.loads(output("forecast", model, write(folder, bridged), "--json"))
    record["table"] = output("forecast", model, write(folder, stream()[:100])).splitlines()[0]
    record["refused"] = edgelstm("forecast", model, write(folder, stream()[:10]))[0]
    return record


def record(name):
    """Record one model: what JSON holds."""
    model, exact = MODELS / f"{name}.tflite", name.endswith("int8")
    made = {"inspect": json.loads(output("inspect", model, "--json"))}
    with tempfile.TemporaryDirectory() as folder:
        if name in FORECASTERS:
            made["forecast"] = forecasts(model, folder)
        else:
            made["score"] = table_of_scores(model, folder, exact)
            made["detector"] = detector(model, exact, STREAMS["everything"](), CUTS)
            if name in ALL_POLICIES:
                made["adapting"] = detector(model, exact, adapting(), (600, 1250), adapt=3.0)
            made["run"] = runs(model, folder, exact, name)
            made["calibrate"] = thresholds(model, folder, RULES if name in ALL_POLICIES else RULES[:1])
    return made if exact else rounded(made)


def save(name, folder):
    """Write the record of one model, a line a section."""
    sections = record(name)
    text = ",\n".join(f"{json.dumps(key)}:{json.dumps(sections[key], separators=(',', ':'))}" for key in sections)
    Path(folder, f"{name}.json").write_text("{" + text + "}\n")


def main(folder):
    """Write the record of every model, two at a time."""
    with ProcessPoolExecutor(2) as pool:
        for future in [pool.submit(save, name, folder) for name in (*DETECTORS, *FORECASTERS)]:
            future.result()


if __name__ == "__main__":
    main(sys.argv[1])
