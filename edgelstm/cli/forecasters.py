"""What `edgelstm train` does for forecasters with a target."""

import json
from pathlib import Path
from typing import Any

import click

from edgelstm.cli.trained import chosen_options, count, report, tell_rows

UNUSED = {"cell", "bidirectional", "attention", "initializer", "clipnorm", "clipvalue", "minimum", "cooldown"}


def train_forecaster(
    data: tuple[Path, ...], output: Path, columns: str | None, time_column: str | None, given: dict[str, Any]
) -> None:
    """Train, save and report."""
    from edgelstm.cli.progress import epochs
    from edgelstm.data.series import read_series
    from edgelstm.tensorflow import load_tensorflow

    if given["kind"] != "forecaster":
        raise click.UsageError("--target goes with --kind forecaster.")
    load_tensorflow()
    targets, known, others = (_names(text) for text in (given["target"], given["covariates"], columns))
    options = _options(given, len(targets), len(known))
    names = list(dict.fromkeys([*targets, *known, *others]))
    if len(set(targets) | set(known)) < len(targets) + len(known):
        raise click.UsageError("A column is named twice in --target and --covariates. Name each once.")
    series = read_series(data, names, time_column)
    tell_rows(series)
    from edgelstm.forecasting.train import train_forecaster as fit

    with epochs(options.epochs) as callbacks:
        trained = fit(series, options, callbacks)
    trained.save(output, embed=not given["no_embed"])
    _report(trained, output, given["as_json"])


def _names(text: str | None) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()] if text else []


def _options(given: dict[str, Any], targets: int, known: int) -> Any:
    """Options that the user gave; a forecaster's own defaults for the rest."""
    from edgelstm.forecasting.architecture import Network
    from edgelstm.forecasting.train import Options

    chosen = chosen_options(given)
    if unused := chosen & UNUSED:
        raise click.UsageError(f"A forecaster with a target takes no --{min(unused)}.")
    network = {name: given[name] for name in {"dropout"} & chosen}
    if "units" in chosen:
        network["units"] = count(given["units"], "--units")
    lookback = None if given["lookback"] == "auto" else count(given["lookback"], "--lookback")
    rest = {name: given[name] for name in {"scaler", "epochs", "batch_size", "learning_rate", "seed"} & chosen}
    return Options(
        given["horizon"], targets, known, given["calendar"], given["timezone"] or "", lookback, given["normalize"],
        Network(**network), **rest,
    )  # fmt: skip


def _report(trained: Any, output: Path, as_json: bool) -> None:
    metadata, history = trained.metadata, trained.history
    section = metadata.sections["forecast"]
    targets = list(metadata.names[: section["targets"]])
    more = {
        "targets": targets, "lookback": metadata.window, "horizon": metadata.horizon, "normalize": section["normalize"],
        "validation_loss": history["kept_val_loss"][0], "linear_validation_loss": history["linear_val_loss"][0],
    }  # fmt: skip

    def said(found: dict[str, Any]) -> str:
        return (
            f"forecaster of {', '.join(targets)}, {found['lookback']} rows → {found['horizon']}, level: "
            f"{found['normalize']}, {found['parameters']} parameters, validation MAE {found['validation_loss']:.4f} "
            f"deviations (its linear part alone: {found['linear_validation_loss']:.4f})"
        )

    report(trained, output, as_json, said, more)


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
