"""`edgelstm publish`: sign a model for a group of devices."""

from pathlib import Path

import click

from edgelstm.cli.json_option import json_option
from edgelstm.cli.lazy_group import examples
from edgelstm.cli.passphrase import key_option, open_signer
from edgelstm.cli.release_line import release_line


@click.command(
    "publish", epilog=examples("edgelstm publish pump.int8.tflite --to ./repository --group canary --key release.key")
)
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--to", "repository", type=click.Path(path_type=Path), required=True, help="Folder of the repository.")
@click.option(
    "--group", default="all", show_default=True, help="Group of devices that take it; all are in the group all."
)
@key_option
@click.option("--name", default="", help="Name of the model; the file's name up to the first dot if left out.")
@click.option("--days", type=float, default=180.0, show_default=True, help="Days until the signatures expire.")
@json_option()
def command(model: Path, repository: Path, group: str, key: Path, name: str, days: float, as_json: bool) -> None:
    """Sign MODEL and publish it to a group of devices, as the next version of its name.

    The file is verified and tried first. The repository is a folder: serve it with any web server, or carry it on a USB stick.
    """
    from edgelstm.publishing.releases import publish
    from edgelstm.publishing.repository import Repository

    done = publish(model, Repository(repository), group, open_signer(key), name, days)
    click.echo(release_line(done, as_json))
