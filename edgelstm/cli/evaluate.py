"""`edgelstm evaluate`: quality on labelled rows or texts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgelstm.cli.foreign_options import foreign_options
from edgelstm.cli.json_option import json_option
from edgelstm.cli.lazy_group import examples
from edgelstm.cli.page_options import plot_option

if TYPE_CHECKING:
    from edgelstm.evaluation.evaluate import Evaluation
    from edgelstm.runtime.alarms.narrator import Narrator


@click.command(
    "evaluate",
    epilog=examples(
        "edgelstm evaluate pump.int8.tflite faults.csv --label-column anomaly --plot alarms.html",
        "edgelstm evaluate theirs.keras faults.csv --calibration normal.csv    # a model from elsewhere",
    ),
)
@click.argument("model", type=click.Path(path_type=Path, readable=False))
@click.argument("data", type=click.Path(path_type=Path, readable=False), metavar="LABELLED.csv")
@click.option(
    "--label-column",
    metavar="NAME",
    help="0, false, normal or empty is normal.  [default: a common name; intent or state of classifiers]",
)
@click.option("--time-column", metavar="NAME", help="Column with the time; looked for if left out.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="JSON file to store.  [default: MODEL.evaluation.json]"
)
@plot_option
@foreign_options
@json_option()
def command(
    model: Path,
    data: Path,
    label_column: str | None,
    time_column: str | None,
    output: Path | None,
    plot: Path | None,
    language: str,
    timezone: str,
    calibration: Path | None,
    as_json: bool,
    **foreign: Any,
) -> None:
    """Measure MODEL (.keras or .tflite) on labelled rows; print the result and store it as JSON.

    The rows are fed one by one, as a device gets them. The threshold is the model's own: no label sets it, and no
    row is counted as detected because a neighbour was (no point adjustment). A Keras model of another tool gets its
    threshold from rows of normal operation: --calibration.
    """
    from edgelstm.cli.input_files import check_readable
    from edgelstm.cli.progress import steps
    from edgelstm.runtime.alarms.narrator import Narrator
    from edgelstm.runtime.io.atomic_files import check_writable

    unused = [name for name, value in foreign.items() if value is not None]
    if calibration is None and unused:
        raise click.UsageError(f"--{unused[0].replace('_', '-')} goes with --calibration FILE.")
    target = output or model.with_suffix(".evaluation.json")
    inputs = (data, calibration, foreign["scaler_from"])
    check_readable(*inputs)
    if output or model.is_file():  # else the error is the missing model's
        check_writable(target, model, *inputs)
    narrator = Narrator.of(language, timezone)
    if plot:
        check_writable(plot, model, *inputs)
    if calibration is None and _evaluate_other_kinds(model, data, label_column, target, as_json):
        if plot:
            click.echo(f"Warning: {plot} was not written: this model raises no alarms.", err=True)
        return
    with steps(f"evaluating {model.name}"):
        if calibration is None:
            from edgelstm.evaluation.evaluate import evaluate

            evaluation = evaluate(model, data, label_column, time_column, plot, narrator)
        else:
            wishes = {"calibration": calibration, **foreign}
            evaluation = _foreign(model, data, label_column, time_column, plot, narrator, wishes)
    _store_and_print(evaluation, data, target, as_json)
    if plot:
        click.echo(f"Alarms over time: {plot}", err=True)


def _evaluate_other_kinds(model: Path, data: Path, label_column: str | None, target: Path, as_json: bool) -> bool:
    """Evaluate a classifier or a forecaster of targets; tell whether the model is one."""
    from edgelstm.cli.evaluate_classifier import evaluate_classifier
    from edgelstm.cli.evaluate_forecaster import evaluate_forecaster

    return evaluate_classifier(model, data, label_column, target, as_json) or evaluate_forecaster(
        model, data, target, as_json
    )


def _foreign(
    model: Path,
    data: Path,
    label_column: str | None,
    time_column: str | None,
    plot: Path | None,
    narrator: Narrator,
    foreign: dict[str, Any],
) -> Evaluation:
    """Evaluate a Keras model of another tool."""
    from edgelstm.data.label_columns import require_label_column
    from edgelstm.keras_file import read_extras
    from edgelstm.runtime.errors import ConfigError

    if model.suffix == ".tflite" or read_extras(model)[0] is not None:
        raise ConfigError(
            f"--calibration is for a Keras model of another tool; {model.name} carries its own scaler and threshold. "
            "Leave it out."
        )
    label_column = require_label_column(data, label_column)
    from edgelstm.tensorflow import load_tensorflow

    load_tensorflow()
    from edgelstm.deployment.calibration_file import Wishes
    from edgelstm.deployment.representative_data import read_source
    from edgelstm.evaluation.evaluate import evaluate_foreign

    source = read_source(model, Wishes(**foreign))
    for note in source.notes:
        click.echo(note[0].upper() + note[1:], err=True)
    representative = source.representative
    if representative is None:
        raise ConfigError(
            f"A threshold is fitted on rows; {foreign['calibration'].name} holds windows. Give rows as .csv."
        )
    return evaluate_foreign(
        model, source.metadata, representative.normal, data, label_column, time_column, plot, narrator
    )


def _store_and_print(evaluation: Evaluation, data: Path, target: Path, as_json: bool) -> None:
    from edgelstm.runtime.io.atomic_files import write_atomic

    text = json.dumps({**evaluation.document(), "data": data.name}, indent=1)
    write_atomic(target, text.encode() + b"\n")
    click.echo(text if as_json else _table(evaluation))
    click.echo(f"Stored in {target}", err=True)
    for warning in evaluation.warnings:
        click.echo(f"Warning: {warning}", err=True)


def _table(evaluation: Evaluation) -> str:
    """One line a metric, with its meaning."""
    from edgelstm.evaluation.evaluate import MEANING

    lines = [
        f"{evaluation.model} ({evaluation.scheme}): {evaluation.rows} rows scored, {evaluation.anomalous_rows} "
        f"anomalous, {evaluation.labelled_events} labelled anomalies, {evaluation.alarms} alarms"
    ]
    for name, meaning in MEANING.items():
        value = getattr(evaluation, name)
        lines.append(f"  {name:26} {'-' if value is None else f'{value:.3f}':>8}  {meaning}")
    return "\n".join(lines)
