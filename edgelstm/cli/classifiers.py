"""What `edgelstm train` and `edgelstm evaluate` do for classifiers."""

import json
from pathlib import Path
from typing import Any

import click

from edgelstm.cli.trained import chosen_options, count, report, tell_rows

UNUSED = {"horizon", "cell", "attention", "initializer", "clipnorm", "clipvalue", "patience", "keep_all"}


def train_classifier(
    data: tuple[Path, ...], output: Path, columns: str | None, time_column: str | None, given: dict[str, Any]
) -> None:
    """Train on texts when the data have a text column, else on windows of rows."""
    from edgelstm.classification.data import INTENTS, embedded_texts, read_texts
    from edgelstm.classification.train import train_texts, train_windows
    from edgelstm.cli.progress import epochs
    from edgelstm.data.series import read_series
    from edgelstm.tensorflow import load_tensorflow

    text_column = given["text_column"] or _find_text(data)
    label_column = given["label_column"] or ("intent" if text_column else "state")
    options = _options(given, window=not text_column)
    load: Any
    if text_column:
        loaded: Any = read_texts(data, text_column, label_column) if data else embedded_texts(INTENTS)
        click.echo(f"{len(loaded.texts)} texts, {len(set(loaded.labels))} classes", err=True)
        load = train_texts
    else:
        names = [name.strip() for name in columns.split(",")] if columns else None
        loaded = read_series(data, names, time_column, label_column)
        tell_rows(loaded)
        load = train_windows
    load_tensorflow()
    with epochs(options.epochs) as callbacks:
        trained = load(loaded, options, callbacks)
    trained.save(output, embed=not given["no_embed"])
    _report(trained, output, given["as_json"], embedded=not data)


def _find_text(data: tuple[Path, ...]) -> str | None:
    """`text` when the data set that comes along is taken, or the first file has such a column."""
    from edgelstm.data.table import read_names

    return "text" if not data or "text" in read_names(data[0]) else None


def _options(given: dict[str, Any], window: bool) -> Any:
    """Options that the user gave; a classifier's own defaults for the rest."""
    from dataclasses import replace

    from edgelstm.classification.train import Options

    chosen = chosen_options(given)
    if unused := chosen & UNUSED:
        listed = ", ".join(f"--{name}".replace("_", "-") for name in sorted(unused))
        raise click.UsageError(f"A classifier takes no {listed}.")
    options = Options.for_windows() if window else Options()
    names = {"epochs", "batch_size", "learning_rate", "seed", "scaler"} & chosen
    options = replace(options, **{name: given[name] for name in names})
    network = replace(options.network, **{name: given[name] for name in {"dropout", "bidirectional"} & chosen})
    if "units" in chosen:
        network = replace(network, units=count(given["units"], "--units"))
    if "lookback" in chosen and given["lookback"] != "auto":
        options = replace(options, lookback=count(given["lookback"], "--lookback"))
    return replace(options, network=network)


def _report(trained: Any, output: Path, as_json: bool, embedded: bool) -> None:
    more = {"classes": trained.metadata.sections["classifier"]["labels"]}
    tested = ""
    if embedded:
        more |= _against_baseline(output)
        tested = (
            f"\nOn {more['test_examples']} phrasings that training never saw: {more['test_accuracy']:.1%}; "
            "TF-IDF + logistic regression "
            f"{', '.join(f'{share:.1%} on {kind}' for kind, share in more['baselines'].items())}"
        )

    def said(found: dict[str, Any]) -> str:
        return (
            f"{len(found['classes'])} classes, {found['parameters']} parameters, "
            f"loss {found['loss']:.4f} after {found['epochs']} epochs{tested}"
        )

    report(trained, output, as_json, said, more)


def _against_baseline(model: Path) -> dict[str, Any]:
    """The model's and the baselines' figures on the test phrasings of the data set that comes along."""
    from tempfile import TemporaryDirectory

    from edgelstm import calibration_data
    from edgelstm.classification.baseline import BASELINES, fit_baseline
    from edgelstm.classification.data import INTENTS, INTENTS_TEST, embedded_texts
    from edgelstm.classification.evaluate import evaluate

    with TemporaryDirectory() as folder:
        found = evaluate(model, calibration_data.write(INTENTS_TEST, Path(folder)))
    train, test = embedded_texts(INTENTS), embedded_texts(INTENTS_TEST)
    baselines = {kind: float(fit_baseline(train, kind).score(test.texts, test.labels)) for kind in BASELINES}
    return {"test_examples": found.examples, "test_accuracy": found.accuracy, "baselines": baselines}


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
