"""`edgelstm report`: what every scheme costs and loses, on the user's own data."""

from pathlib import Path
from typing import Any

import click

from edgelstm.cli.lazy_group import examples

FILES = ("report.html", "report.json", "report.md", "report.csv")


def _schemes(_: click.Context, __: click.Parameter, text: str) -> tuple[str, ...]:
    from edgelstm.runtime.model_file.metadata import SCHEMES

    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if text != "all" and (not names or (unknown := set(names) - set(SCHEMES))):
        raise click.BadParameter(
            f"a scheme is all, or some of {', '.join(SCHEMES)}; received {', '.join(sorted(unknown))}"
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
@click.option("--label-column", help="0, false, normal or empty is normal.  [default: a usual name]")
@click.option("--time-column", help="Column with the time; default: looked for.")
@click.option("--calibration", type=click.Path(path_type=Path), help="For a foreign model: normal rows (.csv) or windows (.npy, .npz).")  # fmt: skip
@click.option("--scaler", type=click.Choice(["standard", "minmax", "robust", "none"]), help="For --calibration CSV.")
@click.option("--kind", type=click.Choice(["autoencoder", "forecaster", "generic"]), help="Of a foreign model.")
@click.option("--lookback", type=click.IntRange(1), help="Rows, for a model with an open time axis.")
@click.option("--streaming", is_flag=True, help="The form that eats one row a call, of causal forecasters.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(model: Path | None, output: Path, benches: tuple[Path, ...], as_json: bool, **given: Any) -> None:
    """Show accuracy versus size: convert to every scheme, and say what each costs and loses.

    Writes report.html (one page, no network), report.json, report.md, report.csv and the .tflite files into a folder.
    Without MODEL, merges --bench results into the report that is in the folder already.
    """
    from edgelstm.runtime.io.atomic_files import write_atomic

    if model is None and not benches:
        raise click.UsageError("Missing argument 'MODEL.keras', or --bench to add to an existing report.")
    if given["data"] is None and (given["label_column"] or given["time_column"]):
        raise click.UsageError("--label-column and --time-column speak of --data FILE. Name it.")
    built, models = _made(model, output, benches, given)
    for name, content in {**models, **_forms(built)}.items():
        write_atomic(output / name, content)
    _show(built, output, as_json)


def _made(
    model: Path | None, output: Path, benches: tuple[Path, ...], given: dict[str, Any]
) -> tuple[Any, dict[str, bytes]]:
    """The report, and the files that belong to it."""
    from edgelstm.runtime.errors import OutputError

    if model is None:
        from edgelstm.report.merge import merge
        from edgelstm.report.schema import read_report

        path = output / "report.json"
        if not path.is_file():
            raise OutputError(f"There is no {path} to merge into. Name the model to make a report first.")
        return merge(read_report(path.read_text(), str(path)), benches), {}
    from edgelstm.runtime.io.atomic_files import check_writable

    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"Cannot make the folder {output}: {error.strerror}. Choose another with -o.") from error
    check_writable(output / FILES[0])
    return _build(model, benches, given)


def _build(model: Path, benches: tuple[Path, ...], given: dict[str, Any]) -> tuple[Any, dict[str, bytes]]:
    from edgelstm.cli.progress import steps
    from edgelstm.keras_file import read_extras
    from edgelstm.tensorflow import load_tensorflow

    read_extras(model)  # before the long work: is it a model at all?
    with steps(f"report on {model.name}") as tell:
        tell("loading TensorFlow")
        load_tensorflow()
        from edgelstm.converters import SCHEMES
        from edgelstm.report.merge import merge
        from edgelstm.report.pipeline import Request, build

        built = build(Request(model, **{**given, "schemes": given["schemes"] or SCHEMES}), tell)
        return merge(built.report, benches), dict(built.models)


def _forms(report: Any) -> dict[str, bytes]:
    from edgelstm.report.render_html import render
    from edgelstm.report.render_text import to_csv, to_json, to_markdown

    texts = (render(report), to_json(report), to_markdown(report), to_csv(report))
    return {name: text.encode() for name, text in zip(FILES, texts, strict=True)}


def _show(report: Any, output: Path, as_json: bool) -> None:
    from rich.console import Console

    from edgelstm.report.render_terminal import show
    from edgelstm.report.render_text import to_json

    if as_json:
        click.echo(to_json(report), nl=False)
    else:
        show(report, Console())
    click.echo(f"{output / FILES[0]}", err=True)
