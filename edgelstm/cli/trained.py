"""What the kinds of `edgelstm train` have in common."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click


def chosen_options(given: dict[str, Any]) -> set[str]:
    """Names of the options that the user gave; a kind's own defaults hold for the rest."""
    source = click.get_current_context().get_parameter_source
    return {name for name in given if (found := source(name)) is not None and found.name == "COMMANDLINE"}


def count(text: str, option: str) -> int:
    """An option's number, where the models have one layer."""
    if not text.isdecimal() or int(text) < 1:
        raise click.BadParameter(f"{text!r} is not a count: this kind of model has one layer", param_hint=option)
    return int(text)


def tell_rows(series: Any) -> None:
    """What was read, and what was mended in it."""
    channels = series.channels
    for sentence in [
        f"{len(series.values)} rows, {len(channels)} channels: {', '.join(channels)}",
        *series.repairs.sentences(),
    ]:
        click.echo(sentence, err=True)


def report(
    trained: Any,
    output: Path,
    as_json: bool,
    said: Callable[[dict[str, Any]], str],
    more: dict[str, Any],
    hint: str = "",
) -> None:
    """Print what came of it: a line of JSON, or a sentence and what to do next.

    Args:
        trained: The model with its history.
        output: The file it was saved to.
        as_json: Whether a program reads it.
        said: The sentence about a record.
        more: The record's entries that not every kind has.
        hint: Further options of the conversion.
    """
    losses = trained.history["loss"]
    record = {
        "model": str(output), "kind": trained.metadata.kind, "parameters": int(trained.model.count_params()),
        "epochs": len(losses), "loss": losses[-1], "bytes": output.stat().st_size, **more,
    }  # fmt: skip
    if as_json:
        click.echo(json.dumps(record))
        return
    click.echo(f"{output}: {said(record)}", err=True)
    click.echo(f"Next: edgelstm convert {output} --int8{hint}", err=True)
