"""Quality of classifiers, for `edgelstm evaluate`."""

import json
from pathlib import Path

import click


def evaluate_classifier(model: Path, data: Path, label_column: str | None, target: Path, as_json: bool) -> bool:
    """Evaluate, store and print if the model is a classifier.

    Args:
        model: Model file.
        data: CSV file of labelled texts or rows.
        label_column: Name of the label column; None for the default.
        target: JSON file to write.
        as_json: Whether to print JSON.
    """
    from edgelstm.classification.evaluate import evaluate, is_classifier
    from edgelstm.runtime.io.atomic_files import write_atomic

    if not is_classifier(model):
        return False
    quality = evaluate(model, data, label_column)
    text = json.dumps(quality.record())
    write_atomic(target, text.encode() + b"\n")
    click.echo(f"Stored in {target}", err=True)
    if as_json:
        click.echo(text)
        return True
    click.echo(f"{quality.model} ({quality.scheme}): {quality.examples} examples")
    click.echo(f"  accuracy  {quality.accuracy:.3f}  share of right answers")
    click.echo(f"  macro F1  {quality.macro_f1:.3f}  mean over classes: rare ones count alike")
    click.echo("Confusions, true class → answer:")
    for truth, row in zip(quality.classes, quality.confusion, strict=True):
        wrong = {name: count for name, count in zip(quality.classes, row, strict=True) if count and name != truth}
        if sum(row):
            confusions = ", ".join(f"{name or 'no answer'} {count}" for name, count in wrong.items())
            click.echo(
                f"  {truth:20} {sum(row) - sum(wrong.values())}/{sum(row)} right{'; ' if confusions else ''}{confusions}"
            )
    return True
