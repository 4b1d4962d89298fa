"""`edgelstm rollback`: return to the model before."""

from pathlib import Path

import click

from edgelstm.cli.json_option import json_option
from edgelstm.cli.lazy_group import examples


@click.command("rollback", epilog=examples("edgelstm rollback ./models --reason 'alarms every night'"))
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--reason", default="by hand", show_default=True, help="Reason, for the history.")
@click.option(
    "--unsigned", is_flag=True, help="Return to the model of the configuration where no signed one came before."
)
@json_option()
def command(folder: Path, reason: str, unsigned: bool, as_json: bool) -> None:
    """Return to the model before, and do not take the one at work again.

    FOLDER is the folder of this device's models. A running watch takes over within seconds.
    """
    from edgelstm.runtime.errors import ConfigError
    from edgelstm.runtime.updates.store import ModelStore

    store = ModelStore(folder)
    ledger = store.ledger
    current = ledger.current
    if current is None:
        raise ConfigError(f"{folder} has no signed model at work. There is nothing to return from.")
    if ledger.previous is None and not unsigned:
        raise ConfigError(
            f"No signed model came before {current.title}. Publish a better one; or, where a configuration names a model of its own, "
            "return to that with --unsigned."
        )
    store.leave("rolled back", reason, current.digest)
    now = store.ledger.current
    if as_json:
        import json

        record = {"rolled_back": current.title, "at_work": now.title if now else None, "reason": reason}
        click.echo(json.dumps(record))
        return
    click.echo(f"{current.title} was rolled back; at work: {now.title if now else 'the model of the configuration'}.")
