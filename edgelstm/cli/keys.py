"""`edgelstm keys`: signing keys, and the list of keys that devices trust."""

import json
from pathlib import Path

import click

from edgelstm.cli.json_option import json_option
from edgelstm.cli.lazy_group import examples
from edgelstm.cli.passphrase import key_option, open_signer, passphrase_of
from edgelstm.cli.release_line import release_line

FILE = click.Path(path_type=Path)


@click.group("keys", epilog=examples("edgelstm keys new root.key", "edgelstm keys new release.key"))
def command() -> None:
    """Make signing keys, and name those that devices trust (on a workstation).

    A release key signs models. A root key names the release keys and its own successor: keep it offline, and a spare one
    elsewhere. Devices get neither, only the public halves in root.json.
    """


@command.command("new", epilog=examples("edgelstm keys new release.key"))
@click.argument("file", type=FILE)
@json_option("Print the places of both keys as JSON.")
def new(file: Path, as_json: bool) -> None:
    """Make an Ed25519 key pair: FILE, encrypted with a passphrase, and FILE.pub.

    The passphrase is asked for, or taken from EDGELSTM_KEY_PASSPHRASE.
    """
    from edgelstm.publishing.keys import new_key

    public = new_key(file, passphrase_of(file, new=True))
    click.echo(
        f"{file}: the private key; keep it off the devices, and keep a copy.\n{public}: the public key.", err=True
    )
    if as_json:
        click.echo(json.dumps({"private": str(file), "public": str(public)}))


@command.command(
    "root",
    epilog=examples(
        "edgelstm keys root --to ./repository --root root.key --root spare.key.pub --release release.key.pub"
    ),
)
@click.option("--to", "repository", type=FILE, required=True, help="Folder of the repository.")
@click.option(
    "--root", "roots", type=FILE, multiple=True, required=True, help="Root key, private to sign with it or .pub."
)
@click.option("--release", "releases", type=FILE, multiple=True, required=True, help="Public release key (.pub).")
@click.option("--signed-by", type=FILE, multiple=True, help="Private root key of before, when root keys change.")
@click.option("--days", type=float, default=1095.0, show_default=True, help="Days until it expires.")
@json_option("Print the place of root.json as JSON.")
def root(
    repository: Path,
    roots: tuple[Path, ...],
    releases: tuple[Path, ...],
    signed_by: tuple[Path, ...],
    days: float,
    as_json: bool,
) -> None:
    """Name the keys that devices trust: a new version of root.json.

    The first one goes to the devices by hand. Later ones they fetch themselves, and take when a root key of before has signed.
    """
    from edgelstm.publishing.keys import load_public_key
    from edgelstm.publishing.repository import Repository

    signers = [open_signer(path) for path in (*roots, *signed_by) if path.suffix != ".pub"]
    publics = [load_public_key(path) for path in roots if path.suffix == ".pub"]
    own = [signer.public_key for signer in signers[: len(roots) - len(publics)]]
    place = Repository(repository)
    with place.locked():
        written = place.write_root([*own, *publics], [load_public_key(path) for path in releases], signers, days)
    click.echo(
        f"{written}: copy it to every device that has none. After a change of release keys: edgelstm keys renew",
        err=True,
    )
    if as_json:
        click.echo(json.dumps({"root": str(written)}))


@command.command("renew", epilog=examples("edgelstm keys renew --to ./repository --key release.key"))
@click.option("--to", "repository", type=FILE, required=True, help="Folder of the repository.")
@key_option
@click.option("--days", type=float, default=180.0, show_default=True, help="Days until the signatures expire.")
@json_option("Print a JSON line a model.")
def renew(repository: Path, key: Path, days: float, as_json: bool) -> None:
    """Sign what is published once more: before it expires, or with a new release key.

    It prints the models that the key vouches for. After a theft of the release key compare their hashes first.
    """
    from edgelstm.publishing.releases import renew as sign
    from edgelstm.publishing.repository import Repository

    for model in sign(Repository(repository), open_signer(key), days):
        click.echo(release_line(model, as_json))
