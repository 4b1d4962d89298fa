"""Options and pipe behaviour that the commands over streams share."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, ParamSpec

import click

if TYPE_CHECKING:
    from edgelstm.runtime.model_file.metadata import Metadata
    from edgelstm.runtime.sources import Columns

P = ParamSpec("P")
RULE_HELP = "How the alarm threshold is set, as in alarms:0.1 (a day)."


def columns_options(function: Callable[P, None]) -> Callable[P, None]:
    """Add --columns, --channels, --time-column and --missing."""
    time = click.option("--time-column", metavar="NAME", help="The source's time column; found by itself otherwise.")
    names = click.option(
        "--columns", metavar="A,B", help="The source's columns in the model's order, if they are called differently."
    )
    words = click.option(
        "--missing", multiple=True, metavar="WORD", help="Read WORD as a missing value; may be given several times."
    )
    return names(channels_option(time(words(function))))


def channels_option(function: Callable[P, None]) -> Callable[P, None]:
    """Add --channels, the table of the channels' signals."""
    return click.option(
        "--channels",
        metavar="FILE",
        help="TOML file whose table [channels] says where values lie: path, unit, factor …",
    )(function)


def keeping_options(function: Callable[P, None]) -> Callable[P, None]:
    """Add the stream's name, and the files that outlive the process."""
    options = [
        click.option("--name", help="What to call this model in topics, metrics and records."),
        click.option("--state-dir", metavar="DIR", help="Folder for records that wait for a sink."),
        click.option("--state", metavar="FILE", help="Keep the model's state there; a restart goes on from it."),
        click.option(
            "--event-log", metavar="FILE", help="With --state: events there, none lost or doubled by a crash."
        ),
        click.option("--snapshot-every", type=float, metavar="SECONDS", help="How often the state is kept (300)."),
    ]
    for option in reversed(options):
        function = option(function)
    return function


def serving_options(function: Callable[P, None]) -> Callable[P, None]:
    """Add the settings of the process: room for what waits, live page, language."""
    options = [
        click.option("--spool-limit", type=int, metavar="BYTES", help="How much may wait for each sink (16 MiB)."),
        click.option("--listen", metavar="HOST:PORT", help="Serve a live page, /metrics and /healthz there."),
        click.option("--token-file", metavar="FILE", help="The page's token; needed unless HOST is loopback."),
        click.option("--trusted-proxy", metavar="IP", help="A reverse proxy that asks who comes: it needs no token."),
        click.option(
            "--language",
            metavar="CODE",
            help="Language of the sentences about events and of the live page, such as de (en).",
        ),
        click.option("--timezone", metavar="ZONE", help="Their time zone, as in Europe/Berlin (the system's)."),
    ]
    for option in reversed(options):
        function = option(function)
    return function


def tuning_options(function: Callable[P, None]) -> Callable[P, None]:
    """Add the settings of an installation, which override those of the model file."""
    options = [
        click.option(
            "--threshold", type=float, metavar="SCORE", help="Alarm above it, instead of the model's threshold."
        ),
        click.option("--off", type=float, metavar="FRACTION", help="An alarm ends below this part of it (0.8)."),
        click.option(
            "--minimum", type=int, metavar="N", help="Samples above it before an event opens (model's, or 2)."
        ),
        click.option("--cooldown", type=int, metavar="N", help="Quiet samples before it closes (model's, or 10)."),
        click.option(
            "--adapt", type=float, metavar="FACTOR", help="Let the threshold follow the scores, so far at most."
        ),
        click.option("--limit", multiple=True, metavar="CHANNEL=LOW:HIGH", help="Physically possible values."),
        click.option("--bridge", type=int, metavar="N", help="Missing rows that are filled in (window / 8)."),
        click.option("--hold", type=int, metavar="N", help="Bad samples of a channel before a fault (window / 8)."),
        click.option("--stuck", type=int, metavar="N", help="Equal samples before a channel is stuck (from training)."),
        click.option("--recover", type=int, metavar="N", help="Good samples before a fault is over (window)."),
    ]
    for option in reversed(options):
        function = option(function)
    return function


def parse_columns(
    metadata: Metadata,
    columns: str | None,
    time_column: str | None,
    missing: tuple[str, ...] = (),
    channels: str | None = None,
) -> Columns:
    """The options as a `Columns`.

    Args:
        metadata: The model's.
        columns: Text of --columns.
        time_column: Text of --time-column.
        missing: Words of --missing.
        channels: File of --channels.
    """
    from edgelstm.runtime.sources import Columns

    taken = tuple(name for part in (columns or "").split(",") if (name := part.strip()))
    return Columns.of(metadata, taken, time_column or None, missing, channels or "")


def quiet_pipe(function: Callable[P, None]) -> Callable[P, None]:
    """End without a word when the reader of standard output has gone, as `head` does."""

    @functools.wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            function(*args, **kwargs)
            sys.stdout.flush()
        except OSError as error:
            from edgelstm.runtime.errors import OutputError

            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the exit's own flush fails again
            if not isinstance(error, BrokenPipeError):
                raise OutputError(
                    f"Cannot write to standard output: {error.strerror or error}. Free some space or redirect it."
                ) from error

    return wrapped
