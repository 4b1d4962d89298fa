"""Options of commands that write the page of alarms: its file, language and time zone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def plot_option(function: F) -> F:
    """Add --plot with the options of its words."""
    option = click.option(
        "--plot",
        type=click.Path(path_type=Path),
        metavar="FILE.html",
        help="Page of the alarms, sensors and scores to write.",
    )
    return option(words_options(function))


def words_options(function: F) -> F:
    """Add --language and --timezone of the sentences about alarms."""
    zone = click.option("--timezone", metavar="ZONE", default="", help="Time zone of the alarms, as in Europe/Berlin.  [default: the system's]")  # fmt: skip
    return click.option("--language", metavar="CODE", default="en", show_default=True, help="Language of the alarms, such as de.")(zone(function))  # fmt: skip
