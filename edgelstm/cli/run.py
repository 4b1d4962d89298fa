"""`edgelstm run`: watch streams."""

from pathlib import Path
from typing import Any

import click

from edgelstm.cli.lazy_group import examples
from edgelstm.cli.streams import columns_options, quiet_pipe, tuning_options


class RunCommand(click.Command):
    """Command whose help lists the sources and sinks that are there."""

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the help text with the forms of sources and sinks.

        Args:
            ctx: The call.
            formatter: Receiver of the text.
        """
        from edgelstm.runtime.sinks import registry as sinks
        from edgelstm.runtime.sources import registry as sources

        super().format_help_text(ctx, formatter)
        for title, kinds in (("Sources", sources.SOURCES), ("Sinks", sinks.SINKS)):
            with formatter.section(title):
                formatter.write_text(", ".join(kind.example for kind in kinds))


@click.command(
    "run",
    cls=RunCommand,
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
@click.option("--name", help="What to call this model in topics, metrics and records.")
@click.option("--state-dir", metavar="DIR", help="Folder for records that wait for a sink.")
@click.option("--state", metavar="FILE", help="Keep the detector's state there; a restart goes on from it.")
@click.option("--event-log", metavar="FILE", help="With --state: events there, none lost or doubled by a crash.")
@click.option("--snapshot-every", type=float, metavar="SECONDS", help="How often the state is kept (300).")
@tuning_options
@click.option(
    "--delegate", metavar="LIBRARY", help="Accelerator's library, LIBRARY?option=value; checked against the CPU."
)
@click.option("--spool-limit", type=int, metavar="BYTES", help="How much may wait for each sink (16 MiB).")
@click.option("--listen", metavar="HOST:PORT", help="Serve a live page, /metrics and /healthz there.")
@click.option("--token-file", metavar="FILE", help="The page's token; needed unless HOST is loopback.")
@click.option("--trusted-proxy", metavar="IP", help="A reverse proxy that asks who comes: it needs no token.")
@click.option("--language", metavar="CODE", help="Language of the sentences about events: en or de (en).")
@click.option("--timezone", metavar="ZONE", help="Their time zone, as in Europe/Berlin (the system's).")
@click.option("--dry-run", is_flag=True, help="Check models, sources and sinks; print what would run.")
@quiet_pipe
def command(config: Path | None, dry_run: bool, **flags: Any) -> None:
    """Watch SOURCE with MODEL and print one JSON line per event, when it opens and when it closes.

    SOURCE and SINK are of the forms under Sources and Sinks below; a FILE or - holds CSV or JSON lines, also gzipped.

    SIGTERM and Ctrl-C end the run cleanly: open events are closed, records are delivered or kept for the next start.
    SIGHUP takes a snapshot of the state and reopens the event log.
    """
    from edgelstm.runtime.io.terminal import log_safely
    from edgelstm.runtime.service.assembly import assemble, describe
    from edgelstm.runtime.service.config import load_config, make_config
    from edgelstm.runtime.service.run_together import handling_signals, run_all
    from edgelstm.runtime.service.systemd import serving

    settings = {name.replace("_", "-"): value for name, value in flags.items() if value not in (None, ())}
    chosen = load_config(config, settings) if config else make_config(settings)
    log_safely()
    if dry_run:
        click.echo("\n".join(describe(chosen)))
        return
    runners = assemble(chosen)
    with handling_signals(*runners), serving(runners, chosen.settings):
        run_all(runners)
    for runner in runners:
        done = runner.status
        troubles = "".join(f"; {count} {reason}" for reason, count in runner.troubles.items())
        click.echo(
            f"{runner.name}: {done.samples} samples, {done.scored} scored, {done.opened.total()} events{troubles}.",
            err=True,
        )
        if runner.warning:
            click.echo(f"Warning: {runner.warning}", err=True)
