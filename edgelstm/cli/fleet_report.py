"""`edgelstm fleet report`: all assets on one page."""

from __future__ import annotations

import json
from pathlib import Path

import click

from .json_option import json_option
from .lazy_group import examples


@click.command("report", epilog=examples("edgelstm fleet report models/ -o report/"))
@click.argument("folder", metavar="MODELS")
@click.option("-o", "--output", default="report", show_default=True, type=click.Path(path_type=Path), help="Folder.")
@click.option("--title", help="Title of the page.  [default: the name of MODELS]")
@json_option("Print the page's place and the number of assets as JSON.")
def command(folder: str, output: Path, title: str | None, as_json: bool) -> None:
    """Show all assets of MODELS on one page: how quality, false alarms and sizes are spread, and who needs a look.

    Writes index.html, which asks for nothing from a network, and a page for each asset. What failed, and what is odd beside the
    rest of the fleet, comes first; filter and sort are in the page.
    """
    from edgelstm.cli.input_files import check_folder
    from edgelstm.fleet.manifest import JSON_FILE, rows, write_manifest
    from edgelstm.fleet.places import Place
    from edgelstm.fleet.report import INDEX, pages
    from edgelstm.runtime.errors import ConfigError
    from edgelstm.runtime.io.atomic_files import write_atomic

    home = Place(folder)
    if next(rows(home), None) is None:
        raise ConfigError(f"{folder} holds no fleet. Make one: edgelstm fleet train DATA -o {folder}.")
    write_manifest(home)
    listed = json.loads(home.read(JSON_FILE) or b"")["assets"]
    check_folder(output / "assets", INDEX)
    for name, page in pages(listed, title or Path(home.path()).name):
        write_atomic(output / name, page.encode())
    click.echo(f"{output / INDEX}: {len(listed):,} assets", err=True)
    if as_json:
        click.echo(json.dumps({"page": str(output / INDEX), "assets": len(listed)}))
