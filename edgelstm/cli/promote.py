"""`edgelstm promote`: give a model that did well in one group to another."""

from pathlib import Path

import click

from edgelstm.cli.lazy_group import examples
from edgelstm.cli.passphrase import key_option, open_signer


@click.command(
    "promote", epilog=examples("edgelstm promote pump --from canary --to all --in ./repository --key release.key")
)
@click.argument("name")
@click.option("--from", "source", required=True, metavar="GROUP", help="Group that has it.")
@click.option("--to", required=True, metavar="GROUP", help="Group that gets it.")
@click.option(
    "--in", "repository", type=click.Path(path_type=Path), default="repository", show_default=True, help="Repository."
)
@key_option
@click.option("--days", type=float, default=180.0, show_default=True, help="Days until the signatures expire.")
def command(name: str, source: str, to: str, repository: Path, key: Path, days: float) -> None:
    """Give the model NAME of one group to another, unchanged: canary first, then all."""
    from edgelstm.publishing.releases import promote
    from edgelstm.publishing.repository import Repository

    done = promote(name, Repository(repository), source, to, open_signer(key), days)
    click.echo(f"{done.group}  {done.name}  version {done.version}  {done.digest}")
