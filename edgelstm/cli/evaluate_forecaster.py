"""Quality of forecasters, for `edgelstm evaluate`."""

import json
from pathlib import Path

import click


def evaluate_forecaster(model: Path, data: Path, output: Path, as_json: bool) -> bool:
    """Evaluate, print and store when the model is a forecaster with a target; else say so."""
    from edgelstm.forecasting.evaluate import evaluate, is_forecaster
    from edgelstm.runtime.io.atomic_files import write_atomic

    if not is_forecaster(model):
        return False
    found = evaluate(model, data)
    text = json.dumps({**found.record(), "data": data.name}, indent=1)
    write_atomic(output, text.encode() + b"\n")
    if as_json:
        click.echo(text)
        return True
    click.echo(f"{found.model} ({found.scheme}): {found.horizon} rows ahead from {found.origins} rows")
    for name, one in found.targets.items():
        held = ", ".join(f"{share:.1%} in the {level} % interval" for level, share in one.coverage.items())
        click.echo(
            f"  {name:20} MAE {one.mae:.4g}, RMSE {one.rmse:.4g}, MAE of the patch before {one.naive_mae:.4g}; {held}"
        )
    click.echo(f"Stored in {output}", err=True)
    return True
