"""Calendar inputs on real series with a week: `edgelstm train` with and without `--calendar`, converted to int8, judged on later rows.

    python benchmarks/calendar_inputs.py --data DATA --out benchmarks/results [--seeds 3]

taxi: NAB's New York taxi demand, half-hourly; trained on the rows before its first labelled window, judged on the rest with NAB's
five windows. victoria: half-hourly electricity demand; trained on 2012, judged on 2013, in which one working day of each
month (Tuesday to Thursday, no holiday) has the demand of the Sunday before: a day that is normal at another place of the
week. Which days, and all else, is settled by seed 0 beforehand; public holidays stay as they are and count as false alarms
where they raise one. Thresholds are those of the files.
"""

import csv
import gzip
import json
import random
import statistics
import subprocess
import sys
import tempfile
from datetime import datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import click

EDGELSTM = str(Path(sys.executable).with_name("edgelstm"))
MELBOURNE = ZoneInfo("Australia/Melbourne")
DAY = timedelta(days=1)
Rows = list[tuple[datetime, float, int]]


def taxi(data: Path) -> tuple[Rows, Rows, str]:
    """Rows to train on, rows to judge on, and the time zone."""
    name = "realKnownCause/nyc_taxi.csv"
    windows = json.loads((data / "nab" / "labels" / "combined_windows.json").read_text())[name]
    spans = [tuple(datetime.fromisoformat(end[:19]) for end in window) for window in windows]
    with (data / "nab" / name).open() as stream:
        read = [(datetime.fromisoformat(row["timestamp"]), float(row["value"])) for row in csv.DictReader(stream)]
    rows = [(at, value, int(any(begin <= at <= end for begin, end in spans))) for at, value in read]
    first = min(begin for begin, _ in spans)
    return [row for row in rows if row[0] < first - DAY], [row for row in rows if row[0] >= first - 14 * DAY], ""


def victoria(data: Path) -> tuple[Rows, Rows, str]:
    """Rows to train on, rows to judge on, and the time zone."""
    with gzip.open(data / "electricity" / "vic_electricity.csv.gz", "rt") as stream:
        read = list(csv.DictReader(stream))
    values = {
        datetime.fromisoformat(row["Time"].rstrip("Z")).replace(tzinfo=timezone.utc): float(row["Demand"])
        for row in read
    }
    holidays = {row["Date"][:10] for row in read if row["Holiday"] == "TRUE"}
    local = {at: at.astimezone(MELBOURNE) for at in values}
    chance, chosen = random.Random(0), set()
    for month in range(1, 13):
        days = sorted({t.date() for t in local.values() if (t.year, t.month) == (2013, month)})
        working = [day for day in days if day.weekday() in (1, 2, 3) and str(day) not in holidays]
        chosen.add(chance.choice(working))
    rows = []
    for at, value in values.items():
        day = local[at].date()
        sunday = at - (day.weekday() + 1) * DAY
        rows.append((at, values[sunday] if day in chosen else value, int(day in chosen)))
    return (
        [r for r in rows if local[r[0]].year == 2012],
        [r for r in rows if local[r[0]].year == 2013],
        "Australia/Melbourne",
    )


SERIES = {"taxi": taxi, "victoria": victoria}


def write(path: Path, rows: Rows) -> None:
    """Write rows as CSV.

    Args:
        path: File to write.
        rows: Time, value and label of each.
    """
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(("time", "demand", "anomaly"))
        writer.writerows((at.isoformat(), value, label) for at, value, label in rows)


def run(*words: object) -> str:
    """Standard output of a command of ours."""
    done = subprocess.run([EDGELSTM, *map(str, words)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return done.stdout


def judged(folder: Path, options: list[str], seed: int) -> dict:
    """Figures of one training on the later rows.

    Args:
        folder: With train.csv and test.csv.
        options: Further options of the training.
        seed: Of weights and shuffling.
    """
    model, small = folder / "model.keras", folder / "model.int8.tflite"
    trained = json.loads(
        run("train", folder / "train.csv", "-o", model, "--columns", "demand", "--seed", seed, "--json", *options)
    )
    run("convert", model, "--int8", "-o", small)
    found = json.loads(run("evaluate", small, folder / "test.csv", "--label-column", "anomaly", "--json"))
    kept = (
        "rows",
        "vus_pr",
        "roc_auc",
        "f1",
        "far",
        "event_recall",
        "event_precision",
        "labelled_events",
        "alarms",
        "delay",
        "false_alarms_per_day",
    )
    return {
        **{name: found[name] for name in kept},
        "lookback": trained["lookback"],
        "epochs": trained["epochs"],
        "bytes": small.stat().st_size,
    }


@click.command()
@click.option(
    "--data", required=True, type=click.Path(path_type=Path, exists=True), help="Folder with nab and electricity."
)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for the results.")
@click.option("--seeds", default=3, show_default=True, type=click.IntRange(1))
@click.option("--series", default="taxi,victoria", show_default=True)
def main(data: Path, out: Path, seeds: int, series: str) -> None:
    """Write OUT/calendar_inputs.json; a training that is done is kept in OUT/calendar_inputs.jsonl."""
    results: dict[str, dict[str, list[dict]]] = {}
    kept = out / "calendar_inputs.jsonl"
    done = [json.loads(line) for line in kept.read_text().splitlines()] if kept.exists() else []
    for name in series.split(","):
        train, test, zone = SERIES[name](data)
        for seed in range(seeds):
            for kind in ("plain", "calendar"):
                key = {"series": name, "seed": seed, "kind": kind}
                figures = next((line for line in done if key.items() <= line.items()), None)
                if figures is None:
                    options = ["--calendar", *(["--timezone", zone] if zone else [])] if kind == "calendar" else []
                    with tempfile.TemporaryDirectory() as folder:
                        write(Path(folder) / "train.csv", train)
                        write(Path(folder) / "test.csv", test)
                        figures = key | judged(Path(folder), options, seed)
                    with kept.open("a") as stream:
                        stream.write(json.dumps(figures) + "\n")
                    click.echo(json.dumps(figures))
                results.setdefault(name, {}).setdefault(kind, []).append(figures)
    (out / "calendar_inputs.json").write_text(
        json.dumps({"medians": medians(results), "runs": results}, indent=1) + "\n"
    )


def medians(results: dict) -> dict:
    """Median, least and most of each figure over the seeds."""
    return {
        name: {
            kind: {
                key: [f(values) for f in (statistics.median, min, max)]
                for key in found[0]
                if all(isinstance(one[key], (int, float)) for one in found) and (values := [one[key] for one in found])
            }
            for kind, found in kinds.items()
        }
        for name, kinds in results.items()
    }


if __name__ == "__main__":
    main()
