"""`edgelstm train states`: from labelled rows to a classifier of machine states."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .lazy_group import examples
from .streams import channels_option
from .train_common import (
    check_paths,
    chosen,
    counter_option,
    data_argument,
    grid_option,
    names,
    output_options,
    print_result,
    print_rows,
    row_options,
    signals_of,
    training_options,
    warn_of_lost_rows,
)

if TYPE_CHECKING:
    from edgelstm.runtime.sources.counters import Counters
    from edgelstm.runtime.sources.resampling import Resampling


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
@row_options
@counter_option
@channels_option
@grid_option
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
    time_column: str | None,
    missing: tuple[str, ...],
    channels: str | None,
    grid: Resampling | None,
    counters: Counters,
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
    from edgelstm.data.series import read_series

    check_paths(data, output)
    seed, columns_taken = options.pop("seed"), names(columns) or None
    classifier = Classifier(
        label_column=label_column, columns=columns_taken, time_column=time_column, random_state=seed, **chosen(options)
    )
    series = read_series(
        data,
        columns_taken,
        time_column,
        label_column,
        missing=missing,
        counters=counters,
        signals=signals_of(channels),
        grid=grid,
    )
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
