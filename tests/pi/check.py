"""Checks on a Raspberry Pi, without pytest: `check.py MODELS... --record OUT [--against REFERENCE]`.

Each model comes with a stream: `stream.csv` beside it. The record holds every score's exact bits and every event; with
a reference from another platform, events must be the same, int8 scores the same bits and float ones within 1e-5 of the
alarm threshold or of themselves. The float LSTM op of tflite-runtime 2.14 for 32-bit Arm is 1e-6 to 9e-6 off from its first
row on, with portable kernels, too, and a score is an output's error times some 30: there, --float 2e-4.
"""

import argparse
import csv
import json
import subprocess
import sys
from pathlib import Path

HEAVY = {"tensorflow", "keras", "sklearn", "pandas", "matplotlib", "scipy", "rich"}
TOLERANCE = 1e-5


def edgelstm(*arguments, code=0):
    """Run a command; return what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "edgelstm", *map(str, arguments)], capture_output=True, text=True, check=False
    )
    if done.returncode != code:
        sys.exit(f"edgelstm {' '.join(map(str, arguments))}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def scores_and_events(model, stream):
    """Exact scores and events by the API."""
    from edgelstm.runtime import Detector

    detector = Detector.load(model)
    with open(stream, newline="") as file:
        rows = [[float(value) for value in row] for row in list(csv.reader(file))[1:]]
    results = [detector.update(row[-len(detector.metadata.channels) :], row[0]) for row in rows]
    events = [event.record() for result in results for event in result.events]
    scores = [None if result.score is None else result.score.hex() for result in results]
    return scores, events + [event.record() for event in detector.finish()], detector.threshold


def record_of(model):
    """Scores and events of one model on this machine."""
    scores, events, threshold = scores_and_events(model, model.parent / "stream.csv")
    if not events:
        sys.exit(f"{model.name}: no event at all in a stream with faults")
    return {"scores": scores, "events": events, "threshold": threshold}


def check_commands(model, events):
    """The command line agrees with the API."""
    printed = [json.loads(line) for line in edgelstm("run", model, model.parent / "stream.csv").splitlines()]
    same = [(event["id"], event["state"], event["channels"]) for event in events]
    if [(event["id"], event["state"], event["channels"]) for event in printed] != same:
        sys.exit(f"{model.name}: `edgelstm run` printed other events than the API gives:\n{printed}\n{events}")
    if json.loads(edgelstm("inspect", model, "--json"))["metadata"]["scheme"] not in model.name:
        sys.exit(f"{model.name}: inspect says another scheme")


def compare(name, here, there, tolerance):
    """Say how this platform differs from the reference; nothing when it does not."""
    if [event["id"] for event in here["events"]] != [event["id"] for event in there["events"]]:
        yield f"{name}: other events: {here['events']} instead of {there['events']}"
    pairs = list(zip(here["scores"], there["scores"], strict=True))
    if "int8" in name:
        wrong = sum(a != b for a, b in pairs)
        if wrong:
            yield f"{name}: {wrong} of {len(pairs)} scores are not the same bits"
        return
    worst = 0.0
    for a, b in pairs:
        if (a is None) != (b is None):
            yield f"{name}: score {a} instead of {b}"
            return
        if a is not None:
            a, b = float.fromhex(a), float.fromhex(b)
            worst = max(worst, abs(a - b) / max(here["threshold"], abs(b)))
    print(f"{name}: largest difference of a score {worst:.1e}")
    if worst > tolerance:
        yield f"{name}: a score differs by {worst:.1e}, above {tolerance}"


def main():
    """Check this platform."""
    parser = argparse.ArgumentParser()
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--record", type=Path, required=True)
    parser.add_argument("--against", type=Path)
    parser.add_argument("--float", type=float, default=TOLERANCE)
    options = parser.parse_args()
    print(edgelstm("doctor", options.models[0], "--folder", options.record.parent), end="")
    record = {model.name: record_of(model) for model in options.models}
    quantized = next(model for model in options.models if "int8" in model.name)
    check_commands(quantized, record[quantized.name]["events"])
    heavy = HEAVY & set(sys.modules)
    if heavy:
        sys.exit(f"imported {heavy}")
    options.record.write_text(json.dumps(record))
    reference = json.loads(options.against.read_text()) if options.against else record
    problems = [text for name in reference for text in compare(name, record[name], reference[name], options.float)]
    print("\n".join(problems) or f"{len(record)} models: scores and events as they must be")
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
