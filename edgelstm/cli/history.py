"""`edgelstm history`: who signed what, when it came, and why it left."""

from pathlib import Path

import click

from edgelstm.cli.json_option import json_option
from edgelstm.cli.lazy_group import examples


@click.command("history", epilog=examples("edgelstm history ./models"))
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@json_option("Print one JSON line per entry.")
def command(folder: Path, as_json: bool) -> None:
    """List the signed models of this device: when each came, who signed it, why it left.

    FOLDER is the folder of this device's models.
    """
    import json
    import time
    from dataclasses import asdict

    from edgelstm.runtime.io.terminal import printable
    from edgelstm.runtime.updates.store import ModelStore

    ledger = ModelStore(folder).ledger
    for entry in ledger.history:
        if as_json:
            click.echo(json.dumps(asdict(entry)))
            continue
        moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(entry.time))
        keys = ",".join(key[:12] for key in entry.signers)
        reason = f"  {entry.reason}" if entry.reason else ""
        line = (
            f"{moment}  {entry.event:<11}  {entry.name} {entry.version}  {entry.digest[:12]}  signed by {keys}{reason}"
        )
        click.echo(printable(line))
    if ledger.error and not as_json:
        click.echo(printable(f"Last error: {ledger.error}"), err=True)
