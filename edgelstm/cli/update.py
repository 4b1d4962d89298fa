"""`edgelstm update`: bring the newest signed model to this device."""

from pathlib import Path

import click

from edgelstm.cli.json_option import json_option
from edgelstm.cli.lazy_group import examples


@click.command(
    "update",
    epilog=examples("edgelstm update --from https://models.example/ --root root.json --group canary --to ./models"),
)
@click.option("--from", "source", required=True, metavar="URL|FOLDER", help="The repository.")
@click.option("--root", type=click.Path(path_type=Path), required=True, help="Keys that this device trusts: root.json.")
@click.option("--group", default="all", show_default=True, help="Group of this device.")
@click.option("--to", "folder", type=click.Path(path_type=Path), required=True, help="Folder of this device's models.")
@click.option("--name", default="", help="Name of the model, where the group has several.")
@json_option()
def command(source: str, root: Path, group: str, folder: Path, name: str, as_json: bool) -> None:
    """Fetch the newest model of a group, verify its signature, try it and install it.

    The model at work is FOLDER/NAME.tflite. Whatever is wrong with the repository or the model, the one before stays. A
    model older than one before is never taken.
    """
    from edgelstm.runtime.updates.options import check_word
    from edgelstm.runtime.updates.store import ModelStore
    from edgelstm.runtime.updates.update import Place, update

    for word in filter(None, (group, name)):
        check_word(word, "edgelstm update")
    outcome = update(ModelStore(folder), Place(source, str(root), group, name))
    if as_json:
        import json

        record = {"model": outcome.release.title, "group": outcome.release.group, "refused": bool(outcome.refused)}
        file = str(folder / f"{outcome.release.name}.tflite") if outcome.installed else None
        click.echo(json.dumps({**record, "installed": bool(outcome.installed), "file": file}))
        return
    state = "is at work already"
    if outcome.refused:
        state = "failed or was rolled back here, and is not taken again; see `edgelstm history`"
    elif outcome.installed:
        state = f"is installed: {folder / outcome.release.name}.tflite"
    click.echo(f"{outcome.release.title} of group {outcome.release.group} {state}.")
