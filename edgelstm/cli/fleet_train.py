"""`edgelstm fleet train`: a model for each asset."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from .fleet_common import by_option, engine_options, finish, follow, without
from .json_option import json_option
from .lazy_group import examples
from .reading_options import reading_of
from .train_common import names
from .train_detector import command as detector

if TYPE_CHECKING:
    from edgelstm.fleet.assets import Asset
    from edgelstm.fleet.engine import Engine
    from edgelstm.fleet.places import Place
    from edgelstm.fleet.training import Training

NOT_SHARED = ("data", "output", "as_json", "study", "units_of")


@click.command(
    "train",
    epilog=examples(
        "edgelstm fleet train plant/ -o models/",
        "edgelstm fleet train 's3://plant/{asset}/2026-*.parquet' -o s3://plant/models --scheduler tcp://host:8786",
        "edgelstm fleet train readings.parquet --by pump_id -o models/",
    ),
)
@click.argument("data", metavar="DATA")
@by_option
@click.option(
    "-o",
    "--output",
    required=True,
    metavar="FOLDER",
    help="Folder for the models; on a cluster, one that all workers reach.",
)
@click.option(
    "--warm-start",
    is_flag=True,
    help="Train one model over a sample of assets, and begin each asset's training with its weights.",
)
@engine_options
@json_option("Print the number of assets in each state as JSON; the manifest holds the rest.")
def command(
    data: str,
    by: str,
    output: str,
    scheduler: str | None,
    workers: int | None,
    as_json: bool,
    warm_start: bool,
    columns: str | None,
    label_column: str | None,
    no_embed: bool,
    **options: Any,
) -> None:
    """Train a detector of anomalies for each asset, with the options of `edgelstm train`.

    DATA is a folder with a CSV or Parquet file an asset; a pattern such as 'plant/{asset}/*.csv'; or one long table with an
    asset column. Addresses such as s3://… are read through fsspec.

    A model is trained once: it is trained again when its data, the options or the versions of the tools have changed. An asset
    that fails is written down with its reason, and the others go on; the exit code is 1 then.
    """
    from edgelstm.fleet.assets import list_assets
    from edgelstm.fleet.open_engine import open_engine
    from edgelstm.fleet.places import Place
    from edgelstm.fleet.run import run_stage
    from edgelstm.fleet.settings import Settings, write_settings
    from edgelstm.fleet.training import Training
    from edgelstm.runtime.errors import OutputError

    from .train_detector import detector_of

    home = Place(output)
    reading = reading_of(options, names(columns), label_column)
    stage = Training(detector_of(**options).options(), reading, not no_embed, warm_start)
    if warm_start and options["lookback"] == "best":
        raise click.UsageError(
            "A warm start begins with weights of one look-back. Leave --warm-start or --lookback best out."
        )
    assets = list_assets(data, by, home)
    engine = open_engine(scheduler, workers)
    try:
        write_settings(home, Settings(Place(data).address, by, stage))
        if warm_start:
            _train_common_model(stage, assets, home, engine)
        states = follow("training", len(assets), engine, run_stage(stage, assets, home, engine))
    finally:
        engine.close()
    if finish(home, states, as_json) < states["done"] + states["kept"]:
        raise OutputError(
            f"The workers write elsewhere: {home.address} lists fewer assets than were made. Give a folder that all of them reach."
        )


def _train_common_model(stage: Training, assets: list[Asset], home: Place, engine: Engine) -> None:
    """Train the common model of a warm start, unless it is there.

    Raises:
        TrainingError: If it cannot be trained.
    """
    from edgelstm.fleet.run import run_stage
    from edgelstm.fleet.warm_start import CommonModel, sampled
    from edgelstm.runtime.errors import TrainingError

    sample = sampled(assets)
    click.echo(f"common model of {len(sample.files)} assets", err=True)
    (outcome,) = run_stage(CommonModel(stage.settings, stage.reading), [sample], home, engine)
    if outcome.done.error:
        raise TrainingError(f"The common model of the warm start: {outcome.done.error}")
    if outcome.done.state == "elsewhere":
        raise TrainingError("Another run trains the common model of the warm start. Run this again when it is over.")


command.params += without(NOT_SHARED, detector.params)
