"""`edgelstm report`: cost and loss of every scheme, on the user's own data."""

from pathlib import Path
from typing import Any

import click

from edgelstm.cli.foreign_options import foreign_options
from edgelstm.cli.json_option import json_option
from edgelstm.cli.lazy_group import examples
from edgelstm.cli.page_options import words_options

PAGE, ALARMS = "report.html", "alarms.html"


def _schemes(_: click.Context, __: click.Parameter, text: str) -> tuple[str, ...]:
    from edgelstm.runtime.model_file.metadata import SCHEMES

    names = tuple(name.strip() for name in text.split(",") if name.strip())
    unknown = sorted(set(names) - set(SCHEMES))
    if text != "all" and (unknown or not names):
        raise click.BadParameter(
            f"a scheme is all, or some of {', '.join(SCHEMES)}; received {', '.join(unknown) or repr(text)}"
        )
    return () if text == "all" else names


@click.command(
    "report",
    epilog=examples(
        "edgelstm report pump.keras --data faults.csv --label-column anomaly",
        "edgelstm report -o report --bench pi5.json    # add what `edgelstm bench --json` measured on a Raspberry Pi 5",
    ),
)
@click.argument("model", required=False, type=click.Path(path_type=Path), metavar="[MODEL.keras]")
@click.option("--data", type=click.Path(path_type=Path), help="Rows or texts to judge on, with labels or without.")
@click.option("--schemes", default="all", show_default=True, callback=_schemes, help="Comma-separated.")
@click.option("-o", "--output", default="report", show_default=True, type=click.Path(path_type=Path), help="Folder.")
@click.option("--bench", "benches", multiple=True, type=click.Path(path_type=Path), help="Result of `edgelstm bench --json` on another machine; may be given several times.")  # fmt: skip
@click.option("--label-column", metavar="NAME", help="0, false, normal or empty is normal.  [default: a common name]")
@click.option("--time-column", metavar="NAME", help="Column with the time; looked for if left out.")
@foreign_options
@click.option("--widths", type=click.Path(path_type=Path), metavar="FOLDER", help="Files of `edgelstm shrink --widths`: a picture of all widths and schemes.")  # fmt: skip
@words_options
@click.option("--streaming", is_flag=True, help="The form that takes one row a call, of causal forecasters.")
@json_option()
def command(model: Path | None, output: Path, benches: tuple[Path, ...], as_json: bool, **options: Any) -> None:
    """Show accuracy versus size: convert to every scheme, and compare cost and loss with Keras.

    Writes report.html (one page, no network), alarms.html (the alarms over time), report.json, report.md, report.csv and
    the .tflite files into a folder.
    Without MODEL, merges --bench results into the report that is in the folder already.
    """
    from edgelstm.reporting.files import write_report

    if model is None and not benches:
        raise click.UsageError("Missing argument 'MODEL.keras', or --bench to add to an existing report.")
    if options["data"] is None and (options["label_column"] or options["time_column"]):
        raise click.UsageError("--label-column and --time-column are columns of --data FILE. Name it.")
    options["widths"] = _files_of(options["widths"])
    _check_outputs(model, output, benches, options)
    report, models = _merged(output, benches) if model is None else _built(model, output, benches, options)
    page = write_report(output, report, models)
    _show(report, page, as_json)


def _check_outputs(model: Path | None, output: Path, benches: tuple[Path, ...], options: dict[str, Any]) -> None:
    """Refuse a folder where a file of the report would replace one that it is made from."""
    from edgelstm.deployment.convert import file_name
    from edgelstm.reporting.files import FILES
    from edgelstm.runtime.io.atomic_files import check_apart
    from edgelstm.runtime.model_file.metadata import SCHEMES

    models = [] if model is None else [model, *options["widths"]]
    converted = [file_name(path, scheme, options["streaming"]) for path in models for scheme in SCHEMES]
    inputs = options["data"], options["calibration"], options["scaler_from"]
    for name in (*FILES, ALARMS, *converted):
        check_apart(output / name, *models, *inputs, *benches)


def _merged(output: Path, benches: tuple[Path, ...]) -> tuple[Any, dict[str, bytes]]:
    """The report in a folder, with further measurements."""
    from edgelstm.reporting.merge import merge, read_bench
    from edgelstm.reporting.report_json import read_report
    from edgelstm.runtime.errors import OutputError

    path = output / "report.json"
    if not path.is_file():
        raise OutputError(f"There is no {path} to merge into. Name the model to make a report first.")
    return merge(read_report(path.read_text(), str(path)), [read_bench(bench) for bench in benches]), {}


def _built(
    model: Path, output: Path, benches: tuple[Path, ...], options: dict[str, Any]
) -> tuple[Any, dict[str, bytes]]:
    """A new report, and the model files beside it; all inputs are checked before TensorFlow loads."""
    from edgelstm.cli.input_files import check_folder, check_readable
    from edgelstm.cli.progress import steps
    from edgelstm.data.label_columns import require_label_column
    from edgelstm.keras_file import read_extras
    from edgelstm.reporting.merge import merge, read_bench
    from edgelstm.runtime.alarms.narrator import Narrator
    from edgelstm.tensorflow import load_tensorflow

    read_extras(model)
    Narrator.of(options["language"], options["timezone"])
    check_readable(options["data"], options["calibration"], options["scaler_from"])
    if options["label_column"]:
        require_label_column(options["data"], options["label_column"])
    measured = [read_bench(bench) for bench in benches]
    check_folder(output, PAGE)
    with steps(f"report on {model.name}") as tell:
        tell("loading TensorFlow")
        load_tensorflow()
        from edgelstm.converters import SCHEMES
        from edgelstm.reporting.pipeline import build
        from edgelstm.reporting.request import Request

        built = build(Request(model, **{**options, "schemes": options["schemes"] or SCHEMES}), tell)
        return merge(built.report, measured), dict(built.files)


def _files_of(folder: Path | None) -> tuple[Path, ...]:
    """The `.keras` files of a folder, the widest model first."""
    from edgelstm.keras_file import read_extras
    from edgelstm.runtime.errors import ConfigError

    if folder is None:
        return ()
    files = tuple(sorted(folder.glob("*.keras"), key=lambda file: (-file.stat().st_size, file.name)))
    if not files:
        raise ConfigError(
            f"There is no .keras file in {folder}. Make them with `edgelstm shrink MODEL.keras --widths {folder}`."
        )
    for file in files:
        read_extras(file)
    return files


def _show(report: Any, page: Path, as_json: bool) -> None:
    from rich.console import Console

    from edgelstm.reporting.render_terminal import show
    from edgelstm.reporting.render_text import to_json

    if as_json:
        click.echo(to_json(report), nl=False)
    else:
        show(report, Console())
    for note in report.notes:
        click.echo(note, err=True)
    for remark in report.remarks:
        click.echo(f"Warning: {remark}", err=True)
    click.echo(str(page), err=True)
