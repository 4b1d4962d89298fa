"""`edgelstm shrink`: a smaller model of the same behaviour."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgelstm.cli.foreign_options import FILE, foreign_options
from edgelstm.cli.json_option import json_option
from edgelstm.cli.lazy_group import examples

if TYPE_CHECKING:
    from edgelstm.shrinking.shrink import Shrunk


@click.command(
    "shrink",
    epilog=examples(
        "edgelstm shrink pump.keras --data faults.csv -o small.keras && edgelstm convert small.keras --int8",
        "edgelstm shrink pump.keras --data faults.csv --widths widths    # then: report pump.keras --widths widths",
    ),
)
@click.argument("model", type=click.Path(path_type=Path, readable=False), metavar="MODEL.keras")
@click.option("--data", type=FILE, help="Labelled rows: the drop is that of VUS-PR then.")
@click.option("--label-column", metavar="NAME", help="Of --data; looked for if left out.")
@click.option(
    "--max-drop",
    type=click.FloatRange(0),
    default=0.005,
    show_default=True,
    help="Largest drop of VUS-PR, or of the share of the outputs' variance that is told.",
)
@click.option("-o", "--output", type=FILE, help="File to write.  [default: MODEL.small.keras beside it]")
@click.option("--widths", type=FILE, metavar="FOLDER", help="Folder for a file of each width, down to the narrowest.")
@foreign_options
@json_option()
def command(
    model: Path, data: Path | None, label_column: str | None, max_drop: float, output: Path | None, widths: Path | None,
    as_json: bool, **options: Any,
) -> None:  # fmt: skip
    """Make a smaller model that behaves alike.

    The units that matter least are taken out of the recurrent layers, and what is left learns the whole model's outputs on the
    representative rows, without labels: ever fewer units, until the drop is used up. The result is a `.keras` file that stock Keras
    loads, with its own score and threshold if the model had them.

    Labels of --data only tell when to stop. The quality on them is too good all the same: judge the file that you take on other rows.
    """
    from edgelstm.cli.input_files import check_folder, check_readable
    from edgelstm.data.label_columns import require_label_column
    from edgelstm.runtime.io.atomic_files import check_apart, check_writable

    if label_column and data is None:
        raise click.UsageError("--label-column is a column of --data FILE. Name it.")
    target = output or model.with_name(f"{model.stem}.small.keras")
    inputs = (options["calibration"], options["scaler_from"], data)
    if model.is_file():  # else the error is the missing model's
        check_readable(*inputs)
        check_writable(target, model, *inputs)
    if data is not None:
        label_column = require_label_column(data, label_column)
    if widths is not None:
        check_folder(widths, target.name)
        for earlier in widths.glob(f"{model.stem}.u*.keras"):  # by the names of `shrink`, which come after TensorFlow
            check_apart(earlier, model, *inputs)
    result = _shrunk(model, target, widths, {"data": data, "label_column": label_column, "budget": max_drop}, options)
    _show(result, target, as_json)


def _shrunk(model: Path, target: Path, widths: Path | None, wishes: dict[str, Any], options: dict[str, Any]) -> Shrunk:
    """Search, and write the smallest model that fits."""
    from tempfile import TemporaryDirectory

    from edgelstm.cli.progress import steps
    from edgelstm.keras_file import read_extras

    read_extras(model)  # errors come before TensorFlow loads
    with TemporaryDirectory(prefix="edgelstm-") as scratch, steps(f"shrinking {model.name}") as tell:
        tell("loading TensorFlow")
        from edgelstm.tensorflow import load_tensorflow

        load_tensorflow()
        from edgelstm.deployment.calibration_file import Wishes
        from edgelstm.deployment.representative_data import read_source
        from edgelstm.keras_file import load_keras
        from edgelstm.runtime.errors import ConversionError
        from edgelstm.runtime.io.atomic_files import write_atomic
        from edgelstm.shrinking.shrink import lines, refusal, shrink

        foreign = (options[name] for name in ("calibration", "scaler", "scaler_from", "kind", "lookback"))
        source = read_source(model, Wishes(*foreign))
        for note in source.notes:
            click.echo(note[0].upper() + note[1:], err=True)
        result = shrink(
            source, source.model or load_keras(model), folder=widths or Path(scratch), every=widths is not None, tell=tell,
            **wishes,
        )  # fmt: skip
        for line in lines(result):
            click.echo(line, err=True)
        if result.chosen is None:
            raise ConversionError(refusal(result))
        write_atomic(target, result.chosen.file.read_bytes())
    return result


def _show(result: Shrunk, target: Path, as_json: bool) -> None:
    import json

    from edgelstm.shrinking.shrink import record

    assert result.chosen is not None
    if as_json:
        click.echo(json.dumps({"file": str(target), **record(result)}))
    else:
        share = result.chosen.parameters / result.parameters
        click.echo(f"{target}: {result.chosen.parameters:,} of {result.parameters:,} weights ({share:.1%})")
