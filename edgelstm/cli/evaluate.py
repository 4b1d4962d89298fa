"""`edgelstm evaluate`: detection quality on labelled rows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgelstm.cli.lazy_group import examples

if TYPE_CHECKING:
    from edgelstm.evaluation.evaluate import Evaluation


@click.command(
    "evaluate",
    epilog=examples("edgelstm evaluate pump.int8.tflite faults.csv --label-column anomaly"),
)
@click.argument("model", type=click.Path(path_type=Path, readable=False))
@click.argument("data", type=click.Path(path_type=Path, readable=False), metavar="LABELLED.csv")
@click.option(
    "--label-column", help="0, false, normal or empty is normal.  [default: anomaly; intent or state of classifiers]"
)
@click.option("--time-column", help="Column with the time; default: looked for.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="JSON file to store.  [default: MODEL.evaluation.json]"
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    model: Path, data: Path, label_column: str | None, time_column: str | None, output: Path | None, as_json: bool
) -> None:
    """Measure MODEL (.keras or .tflite) on labelled rows; print the result and store it as JSON.

    The rows are fed one by one, as a device gets them. The threshold is the model's own: no label sets it, and no
    row is counted as found because a neighbour was (no point adjustment).
    """
    import json

    from edgelstm.cli.evaluate_classifier import evaluate_classifier
    from edgelstm.cli.evaluate_forecaster import evaluate_forecaster
    from edgelstm.cli.progress import steps
    from edgelstm.evaluation.evaluate import evaluate
    from edgelstm.runtime.io.atomic_files import check_writable, write_atomic

    target = output or model.with_suffix(".evaluation.json")
    if output or model.is_file():  # else the error is the missing model's
        check_writable(target)
    if evaluate_classifier(model, data, label_column, target, as_json):
        return
    if evaluate_forecaster(model, data, target, as_json):
        return
    with steps(f"evaluating {model.name}"):
        found = evaluate(model, data, label_column or "anomaly", time_column)
    text = json.dumps({**found.document(), "data": data.name}, indent=1)
    write_atomic(target, text.encode() + b"\n")
    click.echo(text if as_json else _table(found))
    click.echo(f"Stored in {target}", err=True)


def _table(found: Evaluation) -> str:
    """A line a metric, with what it means."""
    from edgelstm.evaluation.evaluate import MEANING

    lines = [
        f"{found.model} ({found.scheme}): {found.rows} rows scored, {found.anomalous_rows} anomalous, "
        f"{found.labelled_events} labelled anomalies, {found.alarms} alarms"
    ]
    for name, meaning in MEANING.items():
        value = getattr(found, name)
        lines.append(f"  {name:26} {'-' if value is None else f'{value:.3f}':>8}  {meaning}")
    return "\n".join(lines)
