"""`edgelstm card`: the model card of a file, as Markdown."""

from pathlib import Path

import click

from edgelstm.cli.json_option import json_option
from edgelstm.cli.lazy_group import examples


@click.command(
    "card",
    epilog=examples(
        "edgelstm card pump.int8.tflite > pump.md",
        "edgelstm card pump.keras --evaluation pump.int8.evaluation.json -o pump.md",
    ),
)
@click.argument("model", type=click.Path(path_type=Path, readable=False), metavar="MODEL")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File to write; standard output if left out.")
@click.option(
    "--evaluation",
    type=click.Path(path_type=Path),
    help="What `edgelstm evaluate` stored.  [default: MODEL.evaluation.json, where it is]",
)
@json_option()
def command(model: Path, output: Path | None, evaluation: Path | None, as_json: bool) -> None:
    """Write the card of MODEL (.keras or .tflite): data, quality, limits and validation, as Markdown.

    All of it comes from the model's file; the quality from what `edgelstm evaluate` stored beside it.
    """
    import json

    from edgelstm.model_card import card_of, evaluation_of
    from edgelstm.runtime.io.atomic_files import check_writable

    if output is not None:
        check_writable(output, model, evaluation or evaluation_of(model))
    card = card_of(model, evaluation)
    if output is not None:
        card.save(output)
        click.echo(str(output), err=True)
    if as_json:
        click.echo(json.dumps(card.record()))
    elif output is None:
        click.echo(card.markdown, nl=False)
