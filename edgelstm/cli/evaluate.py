"""`edgelstm evaluate`: detection quality on labelled rows."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(
    "evaluate",
    epilog="Example: edgelstm evaluate pump.int8.tflite faults.csv --label-column anomaly",
)
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("data", type=click.Path(path_type=Path), metavar="LABELLED.csv")
@click.option(
    "--label-column", help="0, false, normal or empty is normal.  [default: anomaly; intent or state of classifiers]"
)
@click.option("--time-column", help="Column with the time; default: looked for.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Also store the result as JSON here.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    model: Path, data: Path, label_column: str | None, time_column: str | None, output: Path | None, as_json: bool
) -> None:
    """Measure MODEL (.keras or .tflite) on labelled rows.

    The rows are fed one by one, as a device gets them. The threshold is the model's own: no label sets it, and no
    row is counted as found because a neighbour was (no point adjustment).
    """
    import json

    from edgelstm.cli.classifiers import evaluate_classifier
    from edgelstm.cli.progress import steps
    from edgelstm.evaluation import MEANING, evaluate
    from edgelstm.runtime.files import write_atomic

    if evaluate_classifier(model, data, label_column, output, as_json):
        return
    with steps(f"evaluating {model.name}"):
        found = evaluate(model, data, label_column or "anomaly", time_column)
    text = json.dumps(found.record())
    if output:
        write_atomic(output, text.encode() + b"\n")
    if as_json:
        click.echo(text)
        return
    click.echo(
        f"{found.model} ({found.scheme}): {found.rows} rows scored, {found.anomalous_rows} anomalous, "
        f"{found.labelled_events} labelled anomalies, {found.alarms} alarms"
    )
    for name, meaning in MEANING.items():
        value = getattr(found, name)
        click.echo(f"  {name:22} {'-' if value is None else f'{value:.3f}':>8}  {meaning}")
