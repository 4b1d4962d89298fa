"""`edgelstm search`: the designs that lose least at each size."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .fleet_common import engine_options
from .json_option import json_option
from .lazy_group import examples
from .reading_options import reading_of, reading_options
from .train_common import SEEDS, calendar_options, data_argument, names

if TYPE_CHECKING:
    from edgelstm.data.series import Series

DRAWN = ".frontier.png"  # end of the picture's name
UNITS = {"bytes": "bytes", "latency": "us a call"}


@click.command(
    "search",
    epilog=examples(
        "edgelstm search normal.csv --data faults.csv --trials 200",
        "edgelstm search normal.csv --trials 50    # without labels: judged on injected faults",
        "edgelstm train normal.csv -o pump.keras --from search.log",
    ),
)
@data_argument()
@click.option(
    "--data", "labelled", type=click.Path(path_type=Path), help="Labelled rows to judge on.  [default: injected faults]"
)
@click.option("--label-column", metavar="NAME", help="Of --data; looked for if left out.")
@click.option(
    "--trials",
    default=100,
    show_default=True,
    type=click.IntRange(1),
    help="Of the study, those of earlier runs included.",
)
@click.option(
    "--objective",
    type=click.Choice(list(UNITS)),
    default="bytes",
    show_default=True,
    help="Second objective, beside quality.",
)
@click.option(
    "--study",
    default="search.log",
    show_default=True,
    metavar="FILE|URL",
    help="Journal, or database such as postgresql://…; may be shared.",
)
@click.option(
    "-o",
    "--output",
    metavar="FOLDER",
    help="Folder for the models; on a cluster, one that all workers reach.  [default: beside the study, .models]",
)
@click.option("--columns", metavar="A,B", help="Channels to take; all number columns but labels if left out.")
@reading_options
@calendar_options("Hour and weekday are inputs of forecasters.")
@click.option("--epochs", default=60, show_default=True, type=click.IntRange(1), help="Of a trial, at most.")
@click.option("--seed", default=0, show_default=True, type=SEEDS, help="Seed of sampler, weights and shuffling.")
@engine_options
@json_option("Print the frontier as JSON.")
def command(
    data: tuple[Path, ...], labelled: Path | None, label_column: str | None, trials: int, objective: str, study: str,
    output: str | None, columns: str | None, scaler: str, calendar: bool, zone: str, epochs: int, seed: int,
    scheduler: str | None, workers: int | None, as_json: bool, **options: Any,
) -> None:  # fmt: skip
    """Search kinds, units, layers, shrinking, look-backs, scores and schemes for the designs that lose least at each size.

    DATA is one or more CSV files of normal operation. A trial trains, converts and judges one design; the first is the default of
    `edgelstm train`. Hopeless trials are given up early. The study goes on where it stopped, and several processes may share it.

    The frontier is printed, and drawn beside the study; each of its points is a file. Its quality was chosen by: judge the one that you
    take on other labelled rows.
    """
    from edgelstm.cli.input_files import check_readable
    from edgelstm.fleet.open_engine import open_engine
    from edgelstm.fleet.places import Place
    from edgelstm.runtime.io.atomic_files import check_apart
    from edgelstm.search.design import Design
    from edgelstm.search.labelled import check_labels
    from edgelstm.search.study import check_question, open_study, run_study, take_folder
    from edgelstm.search.trial import TrialTask, digest_of
    from edgelstm.training.options import Options

    check_readable(*data, labelled)
    for file in (study, _beside(study, DRAWN)):
        check_apart(file, *data, labelled, options["channels"])
    reading = reading_of(options, names(columns))
    if labelled is None and (reading.counters or reading.signals):
        raise click.UsageError(
            "Injected faults are written as the model reads them. With --counter or --channels, give --data."
        )
    if labelled is None and label_column is not None:
        raise click.UsageError("--label-column is of --data, which is left out.")
    normal = reading.normal_rows(data)
    if labelled is not None:
        label_column = check_labels(labelled, label_column, reading, normal.channels)
    series, rows = _judged(normal, labelled)
    settings = Options(epochs=epochs, scaler=scaler, seed=seed, calendar=calendar, zone=zone, limits=False)
    opened = open_study(study, seed)
    check_question(opened, digest_of(series, rows, settings, label_column), objective)
    home = Place(output or _beside(study, ".models"))
    take_folder(opened, home)
    task = TrialTask(-1, Design(), settings, series, rows, label_column, objective == "latency", home=home)
    engine = open_engine(scheduler, workers)
    click.echo(f"searching {trials} trials with {engine.description}", err=True)
    try:
        _follow(run_study(opened, engine, task, trials), trials)
    finally:
        engine.close()
    _show(opened, study, UNITS[objective], home, as_json)


def _judged(series: Series, labelled: Path | None) -> tuple[Series, bytes]:
    """Rows to train on, and rows to judge on."""
    if labelled is not None:
        return series, labelled.read_bytes()
    from tempfile import TemporaryDirectory

    from edgelstm.search.injected import split_for_injection, write_injected

    early, late = split_for_injection(series)
    with TemporaryDirectory(prefix="edgelstm-") as folder:
        path = Path(folder, "injected.csv")
        count = write_injected(late, path)
        click.echo(
            f"no labels: judged on {count} faults injected into the newest rows, which are not trained on", err=True
        )
        return early, path.read_bytes()


def _beside(study: str, ending: str) -> str:
    """Name of what lies beside a study; the address of a database may hold a password, so its hash names it."""
    if "://" in study:
        return f"search-{hashlib.sha256(study.encode()).hexdigest()[:8]}{ending}"
    return f"{study.removesuffix('.log')}{ending}"


def _follow(outcomes: Any, trials: int) -> None:
    from edgelstm.cli.progress import assets

    with assets(trials, "searching") as advance:
        for number, design, result in outcomes:
            if result.error:
                click.echo(f"trial {number} ({design}): {result.error}", err=True)
            advance(f"{number}: {design}")


def _show(study: Any, address: str, unit: str, home: Any, as_json: bool) -> None:
    from edgelstm.runtime.errors import ConfigError
    from edgelstm.runtime.io.atomic_files import write_atomic
    from edgelstm.search.frontier import frontier, heard, picture, points, table
    from edgelstm.search.study import ended_trials

    made = points(study)
    best = frontier(made)
    ended = ended_trials(study)
    pruned = sum(trial.user_attrs["result"]["pruned"] for trial in ended)
    click.echo(
        f"{len(ended)} trials: {len(made)} completed, {pruned} given up, {len(ended) - len(made) - pruned} failed",
        err=True,
    )
    if not made:
        reasons = [trial.user_attrs["result"]["error"] for trial in ended if trial.user_attrs["result"]["error"]]
        raise ConfigError(
            f"No trial was completed. The last failure: {reasons[-1] if reasons else 'all were given up'}"
        )
    kept = {point.number for point in heard(made)}
    if silent := [str(point.number) for point in made if point.number not in kept]:
        click.echo(
            f"left off the frontier, with less than half of the best F1 at their own threshold: trials {', '.join(silent)}",
            err=True,
        )
    drawn = _beside(address, DRAWN)
    write_atomic(drawn, picture(made, unit))
    if as_json:
        click.echo(json.dumps([{**asdict(point), "file": home.path(point.file)} for point in best]))
    else:
        click.echo("\n".join(table(best, unit)))
    click.echo(f"files in {home.url}; picture {drawn}", err=True)
