"""`edgelstm fleet evaluate`: quality of all models on labelled rows."""

from __future__ import annotations

import click

from .convert import SCHEMES
from .fleet_common import by_option, engine_options, finish, follow
from .json_option import json_option
from .lazy_group import examples


@click.command(
    "evaluate", epilog=examples("edgelstm fleet evaluate models/ 'labelled/{asset}.csv' --label-column anomaly")
)
@click.argument("folder", metavar="MODELS")
@click.argument("data", metavar="LABELLED")
@by_option
@click.option(
    "--scheme",
    type=click.Choice(["keras", *SCHEMES]),
    help="Models to judge.  [default: int8 where there is one, else keras]",
)
@click.option("--label-column", metavar="NAME", help="0, false, normal or empty is normal.  [default: a common name]")
@click.option("--time-column", metavar="NAME", help="Column with the time; looked for if left out.")
@engine_options
@json_option("Print the number of assets in each state as JSON; the manifest holds the rest.")
def command(
    folder: str, data: str, by: str, scheme: str | None, label_column: str | None, time_column: str | None,
    scheduler: str | None, workers: int | None, as_json: bool,
) -> None:  # fmt: skip
    """Measure the model of each asset on its labelled rows, as `edgelstm evaluate` does.

    LABELLED is a folder, a pattern or a long table, as for `edgelstm fleet train`. Assets without labelled rows are left out,
    and counted.
    """
    from edgelstm.fleet.assets import list_assets
    from edgelstm.fleet.evaluating import Judging
    from edgelstm.fleet.open_engine import open_engine
    from edgelstm.fleet.places import Place
    from edgelstm.fleet.run import models, run_stage
    from edgelstm.runtime.errors import SeriesError

    home = Place(folder)
    known, labelled = {asset.name for asset in models(home)}, list_assets(data, by, home)
    assets = [asset for asset in labelled if asset.name in known]
    if not assets:
        raise SeriesError(f"{data} has no asset of {folder}: {labelled[0].name}, … there, {min(known)}, … here.")
    if len(assets) < len(known):
        click.echo(f"{len(known) - len(assets):,} of {len(known):,} models have no labelled rows.", err=True)
    if len(assets) < len(labelled):
        click.echo(f"{len(labelled) - len(assets):,} of {len(labelled):,} assets in {data} have no model.", err=True)
    engine = open_engine(scheduler, workers)
    try:
        stage = Judging(scheme, label_column, time_column)
        states = follow("evaluating", len(assets), engine, run_stage(stage, assets, home, engine))
    finally:
        engine.close()
    finish(home, states, as_json)
