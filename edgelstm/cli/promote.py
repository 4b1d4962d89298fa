"""`edgelstm promote`: give a model that did well in one group to another."""

from pathlib import Path

import click

from edgelstm.cli.json_option import json_option
from edgelstm.cli.lazy_group import examples
from edgelstm.cli.passphrase import key_option, open_signer
from edgelstm.cli.release_line import release_line


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
@click.option(
    "--mqtt",
    "broker",
    metavar="URL",
    envvar="EDGELSTM_FLEET",
    show_envvar=True,
    help="Broker with the devices' reports; trouble of one refuses.",
)
@click.option("--force", is_flag=True, help="Promote although devices report trouble.")
@click.option("--days", type=float, default=180.0, show_default=True, help="Days until the signatures expire.")
@json_option()
def command(
    name: str,
    source: str,
    to: str,
    repository: Path,
    key: Path,
    broker: str | None,
    force: bool,
    days: float,
    as_json: bool,
) -> None:
    """Give the model NAME of one group to another, unchanged: canary first, then all.

    With --mqtt the devices of the group are asked first: each must run the model, be online and through its trial time,
    and report no error.
    """
    from edgelstm.publishing.releases import find_release, promote
    from edgelstm.publishing.repository import Repository

    if broker and not force:
        from edgelstm.publishing.fleet import check_canaries, read_fleet

        check_canaries(read_fleet(broker), name, source, find_release(name, Repository(repository), source).digest)
    elif not force:
        click.echo(f"The devices of the group {source} were not asked: name their broker with --mqtt.", err=True)
    done = promote(name, Repository(repository), source, to, open_signer(key), days)
    click.echo(release_line(done, as_json))
