"""`edgelstm inspect`: contents of a model file."""

import click

from edgelstm.cli.json_option import json_option
from edgelstm.cli.lazy_group import examples


@click.command(epilog=examples("edgelstm inspect pump.int8.tflite --json"))
@click.argument("model", type=click.Path(readable=False))
@json_option()
def command(model: str, as_json: bool) -> None:
    """Show the contents of a .tflite or .keras MODEL; needs neither TensorFlow nor an interpreter."""
    import json

    from edgelstm.inspection import inspect_model, lines
    from edgelstm.runtime.io.terminal import printable

    record = inspect_model(model)
    click.echo(json.dumps(record, indent=2) if as_json else printable("\n".join(lines(record))))
