"""Quality of forecasters, for `edgelstm evaluate`."""

import json
from pathlib import Path

import click


def evaluate_forecaster(model: Path, data: Path, output: Path, as_json: bool) -> bool:
    """Evaluate, print and store if the model is a forecaster with a target.

    Args:
        model: Model file.
        data: CSV file of rows.
        output: JSON file to write.
        as_json: Whether to print JSON.
    """
    from edgelstm.forecasting.evaluate import evaluate, is_forecaster
    from edgelstm.runtime.io.atomic_files import write_atomic

    if not is_forecaster(model):
        return False
    quality = evaluate(model, data)
    text = json.dumps({**quality.record(), "data": data.name}, indent=1)
    write_atomic(output, text.encode() + b"\n")
    if as_json:
        click.echo(text)
        return True
    click.echo(f"{quality.model} ({quality.scheme}): {quality.horizon} rows ahead from {quality.origins} rows")
    for name, one in quality.targets.items():
        held = ", ".join(f"{share:.1%} in the {level} % interval" for level, share in one.coverage.items())
        click.echo(
            f"  {name:20} MAE {one.mae:.4g}, RMSE {one.rmse:.4g}, MAE of the patch before {one.naive_mae:.4g}; {held}"
        )
    click.echo(f"Stored in {output}", err=True)
    return True
