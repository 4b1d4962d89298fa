"""`edgelstm classify`: the intent of texts, or the state over windows of rows, on the device."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from edgelstm.cli.json_option import json_option
from edgelstm.cli.lazy_group import examples


@click.command(
    "classify",
    epilog=examples(
        'edgelstm classify intents.int8.tflite "turn on the light"',
        "edgelstm classify intents.int8.tflite < sentences.txt",
        "edgelstm classify pump.int8.tflite --rows new.csv",
    ),
)
@click.argument("model", type=click.Path(path_type=Path), metavar="MODEL.tflite")
@click.argument("texts", nargs=-1, metavar="[TEXT]...")
@click.option("--rows", type=click.Path(path_type=Path), help="CSV rows for a model of states, - for standard input.")
@click.option("--stride", default=1, show_default=True, type=click.IntRange(1), help="Rows from answer to answer.")
@json_option("Print a JSON line an answer, with all probabilities.")
def command(model: Path, texts: tuple[str, ...], rows: Path | None, stride: int, as_json: bool) -> None:
    """Classify each TEXT; without TEXT, each line of standard input.

    Prints class, probability and text, separated by tabs. A text without a word (empty) or without any known word
    (unknown), such as one in another script, gets no class: `-` and the reason.
    """
    import json

    from edgelstm.runtime.classification.classifier import Classifier
    from edgelstm.runtime.model_file.trial import load_tried_bundle

    classifier = Classifier.from_bundle(load_tried_bundle(model))
    if texts and rows:
        raise click.UsageError("Name texts or --rows, not both.")
    takes_rows = classifier.vocabulary is None
    if takes_rows and rows is None:
        raise click.UsageError(f"{model.name} classifies rows. Give a CSV file with --rows FILE.")
    if rows is not None and not takes_rows:
        raise click.UsageError(f"{model.name} classifies texts. Leave --rows out.")
    answers = _states(classifier, rows, stride) if rows is not None else _intents(classifier, texts)
    for key, value, answer in answers:
        if as_json:
            click.echo(json.dumps({key: value, **answer.record()}, ensure_ascii=False))
        else:
            label = answer.label if answer.label is not None else f"-\t{answer.reason}"
            click.echo(
                f"{label}\t{answer.confidence:.3f}\t{value}" if answer.label is not None else f"{label}\t{value}"
            )


def _intents(classifier: Any, texts: tuple[str, ...]) -> Iterator[tuple[str, Any, Any]]:
    if texts:
        for text in texts:
            yield "text", text, classifier.text(text)
        return
    with click.open_file("-", encoding="utf-8", errors="replace") as lines:
        for line in lines:
            yield "text", line.rstrip("\r\n"), classifier.text(line)


def _states(classifier: Any, path: Path, stride: int) -> Iterator[tuple[str, Any, Any]]:
    """A state a window; the key is the time as written, or the row's number."""
    from collections import deque

    from edgelstm.runtime.sources import Columns, open_file

    newest: deque[list[float]] = deque(maxlen=classifier.metadata.window)
    for count, row in enumerate(open_file(path, Columns.of(classifier.metadata)), 1):
        newest.append(row.values)
        if len(newest) == newest.maxlen and (count - newest.maxlen) % stride == 0:
            yield "time", row.label or str(count - 1), classifier.window(list(newest))
