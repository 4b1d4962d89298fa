"""`edgelstm doctor`: what keeps this machine from running a model."""

from pathlib import Path

import click

from edgelstm.cli.json_option import json_option
from edgelstm.cli.lazy_group import examples

MARKS = {"ok": "ok  ", "warn": "WARN", "fail": "FAIL"}


@click.command(epilog=examples("edgelstm doctor pump.int8.tflite"))
@click.argument("model", required=False, type=click.Path())
@click.option(
    "--folder", default=".", show_default=True, type=click.Path(), help="Where outputs and state will be written."
)
@click.option(
    "--updates",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar="DIR",
    help="Check the signed models there, too.",
)
@json_option()
def command(model: str | None, folder: str, updates: Path | None, as_json: bool) -> None:
    """Check this machine, and a MODEL when named; print a remedy for each finding.

    Exit code 1 when something has to be repaired, 0 when there are only warnings.
    """
    import json
    import sys

    from edgelstm.runtime.diagnostics.doctor import examine

    findings = examine(model, folder, updates)
    if as_json:
        click.echo(json.dumps([finding.record() for finding in findings], indent=2))
    else:
        for finding in findings:
            click.echo(f"{MARKS[finding.status]}  {finding.check}: {finding.detail}")
            if finding.remedy:
                click.echo(f"      {finding.remedy}")
    sys.exit(any(finding.status == "fail" for finding in findings))
