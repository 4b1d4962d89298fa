"""`edgelstm fleet convert`: the models of all assets as TFLite files."""

from __future__ import annotations

import click

from .convert import SCHEMES
from .fleet_common import engine_options, finish, follow
from .json_option import json_option
from .lazy_group import examples
from .registered import RuleText
from .streams import RULE_HELP


@click.command("convert", epilog=examples("edgelstm fleet convert models/ --int8"))
@click.argument("folder", metavar="MODELS")
@click.option("--int8", "int8", is_flag=True, help="Short for --scheme int8, the default.")
@click.option("--scheme", "schemes", multiple=True, type=click.Choice(SCHEMES), help="May be given several times.")
@click.option("--target", type=click.Choice(["arm", "x86", "micro"]), help="As of `edgelstm convert`.")
@click.option("--threshold-rule", type=RuleText(), help=f"{RULE_HELP}  [default: as in training]")
@click.option("--allow-drop", is_flag=True, help="Write files even when their error is above the limits.")
@engine_options
@json_option("Print the number of assets in each state as JSON; the manifest holds the rest.")
def command(
    folder: str, int8: bool, schemes: tuple[str, ...], target: str | None, threshold_rule: str | None, allow_drop: bool,
    scheduler: str | None, workers: int | None, as_json: bool,
) -> None:  # fmt: skip
    """Convert the model of each asset in MODELS, as `edgelstm convert` does; what is done stays.

    A model whose error is above the limits is written down with its reason, and the others go on; the exit code is 1 then.
    """
    from edgelstm.fleet.converting import Conversion
    from edgelstm.fleet.open_engine import open_engine
    from edgelstm.fleet.places import Place
    from edgelstm.fleet.run import models, run_stage

    home = Place(folder)
    wanted = tuple(dict.fromkeys((*schemes, *(("int8",) if int8 else ()))))
    wanted = wanted or (("dynamic",) if target == "x86" else ("int8",))
    stage = Conversion(wanted, "" if target in (None, "arm") else str(target), allow_drop, threshold_rule)
    assets = models(home)
    engine = open_engine(scheduler, workers)
    try:
        states = follow("converting", len(assets), engine, run_stage(stage, assets, home, engine))
    finally:
        engine.close()
    finish(home, states, as_json)
