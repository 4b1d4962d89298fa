"""`edgelstm train states`: from labelled rows to a classifier of machine states."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from .lazy_group import examples
from .reading_options import reading_of, reading_options
from .train_common import (
    check_paths,
    chosen,
    data_argument,
    names,
    output_options,
    print_result,
    print_rows,
    training_options,
    warn_of_lost_rows,
)


@click.command("states", epilog=examples("edgelstm train states runs.csv -o states.keras --label-column state"))
@data_argument()
@output_options
@click.option(
    "--label-column",
    default="state",
    show_default=True,
    metavar="NAME",
    help="Column with the state; empty cells are normal.",
)
@click.option("--columns", metavar="A,B", help="Channels to take; all number columns but labels if left out.")
@reading_options
@click.option("--lookback", type=click.IntRange(2), help="Rows a window.  [default: 32]")
@click.option("--bidirectional", is_flag=True, help="Read windows in both directions.")
@training_options(
    "windows", {"units": "32", "dropout": "0.2", "epochs": "10", "batch-size": "128", "learning-rate": "0.008"}
)
def command(
    data: tuple[Path, ...],
    output: Path,
    label_column: str,
    columns: str | None,
    no_embed: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Train a classifier of machine states over windows of rows, for `edgelstm classify --rows`.

    DATA is one or more CSV files with number columns and a label column. The state of a window is that of its newest
    row.
    """
    from edgelstm import Classifier
    from edgelstm.cli.progress import epochs

    check_paths(data, output, options["channels"])
    reading, seed = reading_of(options, names(columns), label_column), options.pop("seed")
    classifier = Classifier(
        label_column=label_column, columns=reading.columns or None, time_column=reading.time_column,
        random_state=seed, **chosen(options),
    )  # fmt: skip
    series = reading.series(data)
    print_rows(series)
    with epochs(classifier.options().epochs) as callbacks:
        classifier.fit(series, callbacks=callbacks)
    trained = classifier.trained_
    classifier.save(output, embed=not no_embed)
    warn_of_lost_rows(series)
    more = {"classes": trained.metadata.sections["classifier"]["labels"]}
    print_result(trained, output, as_json, sentence, more)


def sentence(record: dict[str, Any]) -> str:
    """Sentence about a trained classifier, from its record."""
    return (
        f"{len(record['classes'])} classes, {record['parameters']} parameters, "
        f"loss {record['loss']:.4f} after {record['epochs']} epochs"
    )
