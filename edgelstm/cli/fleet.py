"""`edgelstm fleet`: a model for each of many assets; and the devices with their models."""

import click

from .lazy_group import LazyGroup, examples

STEPS = {
    "train": "Train a model for each asset.",
    "convert": "Convert the models of all assets.",
    "evaluate": "Measure the models of all assets on labelled rows.",
    "report": "Show all assets on one page.",
    "status": "Tell which assets are done, failed, stale or running; or what devices report.",
}


@click.group(
    "fleet",
    cls=LazyGroup,
    modules={name: f"edgelstm.cli.fleet_{name}" for name in STEPS},
    summaries=STEPS,
    epilog=examples(
        "edgelstm fleet train 'plant/{asset}.csv' -o models/ && edgelstm fleet convert models/ --int8",
        "edgelstm fleet report models/ -o report/",
        "edgelstm fleet status --mqtt mqtt://broker/plant/#",
    ),
)
def command() -> None:
    """Make and renew a model for each of many assets, on this machine or on a Dask cluster.

    Each step goes on where it stopped: what is done, with the same data, options and versions, stays.
    """
