"""`edgelstm train forecaster`: from CSV files to a forecaster of target columns."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .lazy_group import examples
from .reading_options import reading_of, reading_options
from .train_common import (
    calendar_options,
    check_paths,
    chosen,
    data_argument,
    names,
    output_options,
    print_result,
    print_rows,
    refuse_overruled,
    rows_or_auto,
    training_options,
    warn_of_lost_rows,
)

DECIDED = (
    "horizon",
    "calendar",
    "zone",
    "holidays",
    "normalize",
    "lookback",
    "units",
    "dropout",
    "scaler",
)  # by --from

if TYPE_CHECKING:
    from edgelstm import Forecaster
    from edgelstm.training.trained import Trained


@click.command(
    "forecaster",
    epilog=examples(
        "edgelstm train forecaster load.csv -o load.keras --target demand --horizon 48 --calendar",
        "edgelstm train forecaster load.csv -o load.keras --target demand --covariates holiday --columns temperature",
        "edgelstm train forecaster meters/*.csv -o street.keras --target load --horizon 24 --calendar --separate",
        "edgelstm train forecaster meters/17.csv -o 17.keras --from street.keras",
    ),
)
@data_argument()
@output_options
@click.option("--target", metavar="A,B", help="Columns to forecast; needed but with --from.")
@click.option("--covariates", metavar="A,B", help="Columns known for the rows to come: weather forecasts, holidays.")
@click.option("--columns", metavar="A,B", help="Further columns whose past is an input.")
@click.option(
    "--separate",
    is_flag=True,
    help="Each file is a series of its own, such as a meter, on its own scale: for a model to go on from.",
)
@click.option(
    "--from",
    "start",
    metavar="MODEL.keras",
    type=click.Path(path_type=Path, readable=False),
    help="Go on from this forecaster, which decides horizon, look-back and inputs.",
)
@reading_options
@click.option("--horizon", default=1, show_default=True, type=click.IntRange(1, 1000), help="Rows to forecast.")
@calendar_options("Hour, weekday and season of the rows to come are inputs.")
@click.option("--holidays", metavar="PLACE", help="Public holidays as inputs: US, DE-BY, or a file with a date a line.")
@click.option(
    "--normalize",
    type=click.Choice(["last", "window", "none"]),
    help="Level that windows are relative to.  [default: last, unless another is clearly better]",
)
@click.option(
    "--lookback",
    default="auto",
    show_default=True,
    callback=rows_or_auto,
    help="Rows looked back: a number, or auto (a week of days, 8 days where rows are of less than half a year, or 8 patches).",
)
@training_options(
    "examples",
    {"units": "44", "dropout": "0.1", "epochs": "12, or 24 of many", "batch-size": "128", "learning-rate": "0.003"},
    over="10,000 examples",
)
def command(
    data: tuple[Path, ...],
    output: Path,
    target: str | None,
    covariates: str | None,
    columns: str | None,
    separate: bool,
    start: Path | None,
    units: int | None,
    dropout: float | None,
    no_embed: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Train a forecaster of the rows that follow, with intervals, for `edgelstm forecast`.

    DATA is one or more CSV files with the target columns, and those of the covariates. The newest 15 % of the rows
    choose the epoch and the intervals. For alarms on sensors, train a detector: `edgelstm train DATA.csv`.

    Of many series of one kind, such as meters: train one model on some of them with --separate, and from it, with
    --from, one for each of them, however few its rows are.
    """
    from edgelstm.cli.progress import epochs

    targets, known = names(target), names(covariates)
    if start is None and not targets:
        raise click.UsageError("Name the columns to forecast with --target, or a model to go on from with --from.")
    check_paths(data, output, options["channels"], options["holidays"], str(start) if start else None)
    if len({*targets, *known}) < len(targets) + len(known):
        raise click.UsageError("A column is named twice in --target and --covariates. Name each once.")
    reading = reading_of(options)
    options |= {"target": targets, "covariates": known, "columns": names(columns), "units": units, "dropout": dropout}
    forecaster = (
        forecaster_of(time_column=reading.time_column, **options) if start is None else _started(start, options)
    )
    reading = replace(reading, columns=tuple(forecaster.wanted() or ()))
    series = [reading.series(part) for part in ([[path] for path in data] if separate else [data])]
    for one in series:
        print_rows(one)
    with epochs(forecaster.options().epochs) as callbacks:
        train = forecaster.fit if start is None else forecaster.fine_tune
        train(series if separate else series[0], callbacks=callbacks)
    trained = forecaster.trained_
    forecaster.save(output, embed=not no_embed)
    for one in series:
        warn_of_lost_rows(one)
    following = f"edgelstm train forecaster ONE.csv -o ONE.keras --from {output}" if separate else None
    print_result(trained, output, as_json, _sentence, _record(trained), following=following)


def _started(start: Path, options: dict[str, Any]) -> Forecaster:
    """The forecaster of a file, with the parameters of its fine-tuning; options that the file decides are refused."""
    from edgelstm import Forecaster

    refuse_overruled(DECIDED, str(start))
    forecaster = Forecaster.load(start)
    own = {name: options[name] for name in ("target", "covariates", "columns") if options[name]}
    own |= chosen({name: options[name] for name in ("epochs", "batch_size", "learning_rate")})
    forecaster.set_params(random_state=options["seed"], **own)
    return forecaster


def forecaster_of(*, lookback: int | None, seed: int, **options: Any) -> Forecaster:
    """The forecaster that the command line asks for.

    Args:
        lookback: Rows looked back; None for a choice.
        seed: Of weights and shuffling.
        **options: Further parameters of `Forecaster` by their names.
    """
    from edgelstm import Forecaster

    return Forecaster(lookback="auto" if lookback is None else lookback, random_state=seed, **chosen(options))


def _record(trained: Trained) -> dict[str, Any]:
    metadata, history = trained.metadata, trained.history
    section = metadata.sections["forecast"]
    return {
        "targets": list(metadata.names[: section["targets"]]), "lookback": metadata.window, "horizon": metadata.horizon,
        "normalize": section["normalize"], "validation_loss": history["kept_val_loss"][0],
        "linear_validation_loss": history["linear_val_loss"][0],
    }  # fmt: skip


def _sentence(record: dict[str, Any]) -> str:
    return (
        f"forecaster of {', '.join(record['targets'])}, {record['lookback']} rows → {record['horizon']}, level: "
        f"{record['normalize']}, {record['parameters']} parameters, validation MAE {record['validation_loss']:.4f} "
        f"deviations (its linear part alone: {record['linear_validation_loss']:.4f})"
    )
