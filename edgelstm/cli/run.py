"""`edgelstm run`: watch streams."""

from pathlib import Path
from typing import Any

import click

from edgelstm.cli.lazy_group import examples
from edgelstm.cli.stream_command import StreamCommand
from edgelstm.cli.streams import columns_options, keeping_options, quiet_pipe, serving_options, tuning_options


@click.command(
    "run",
    cls=StreamCommand,
    epilog=examples("edgelstm run pump.int8.tflite mqtt://broker/plant/pump --to sqlite:events.db"),
)
@click.argument("model", required=False)
@click.argument("source", required=False)
@click.option("--config", type=click.Path(path_type=Path), help="TOML file; its keys are the flags' names.")
@click.option("--scores", is_flag=True, default=None, help="Print one JSON line per sample instead of one per event.")
@click.option(
    "--telegraf",
    is_flag=True,
    default=None,
    help="Work as Telegraf's execd processor: points in, points and scores out.",
)
@click.option("--follow", is_flag=True, default=None, help="Read a file on as it grows, through rotation (tail -F).")
@columns_options
@click.option("--to", multiple=True, metavar="SINK", help="Send events there too; may be given several times.")
@click.option("--scores-to", multiple=True, metavar="SINK", help="As --to, with a record for every sample.")
@keeping_options
@tuning_options
@click.option("--level", type=click.IntRange(1, 99), help="Percent that a forecaster's interval holds (80).")
@click.option(
    "--delegate", metavar="LIBRARY", help="Accelerator's library, LIBRARY?option=value; checked against the CPU."
)
@serving_options
@click.option("--dry-run", is_flag=True, help="Check models, sources and sinks; print what would run.")
@quiet_pipe
def command(config: Path | None, dry_run: bool, **flags: Any) -> None:
    """Watch SOURCE with MODEL and print one JSON line per event, when it opens and when it closes.

    A forecaster of rows to come prints a forecast with each row, too; see also `edgelstm forecast --live`. SOURCE and SINK are of the forms under Sources and Sinks below; a FILE or - holds CSV or JSON lines, also gzipped.

    SIGTERM and Ctrl-C end the run cleanly: open events are closed, records are delivered or kept for the next start.
    SIGHUP takes a snapshot of the state and reopens the event log.
    """
    from edgelstm.cli.stream_work import work

    work(config, flags, dry_run)
