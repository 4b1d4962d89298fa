"""Quality of classifiers, for `edgelstm evaluate`."""

import json
from pathlib import Path

import click


def evaluate_classifier(model: Path, data: Path, label_column: str | None, target: Path, as_json: bool) -> bool:
    """Evaluate, store and print when the model is a classifier; else say so."""
    from edgelstm.classification.evaluate import evaluate, is_classifier
    from edgelstm.runtime.io.atomic_files import write_atomic

    if not is_classifier(model):
        return False
    found = evaluate(model, data, label_column)
    text = json.dumps(found.record())
    write_atomic(target, text.encode() + b"\n")
    click.echo(f"Stored in {target}", err=True)
    if as_json:
        click.echo(text)
        return True
    click.echo(f"{found.model} ({found.scheme}): {found.examples} examples")
    click.echo(f"  accuracy  {found.accuracy:.3f}  share of right answers")
    click.echo(f"  macro F1  {found.macro_f1:.3f}  mean over classes: rare ones count alike")
    click.echo("Confusions, true class → answer:")
    for truth, row in zip(found.classes, found.confusion, strict=True):
        wrong = {name: count for name, count in zip(found.classes, row, strict=True) if count and name != truth}
        if sum(row):
            said = ", ".join(f"{name or 'no answer'} {count}" for name, count in wrong.items())
            click.echo(f"  {truth:20} {sum(row) - sum(wrong.values())}/{sum(row)} right{'; ' if said else ''}{said}")
    return True
