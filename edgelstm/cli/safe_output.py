"""One place through which all commands' text passes before it reaches a terminal."""

from typing import IO, Any

import click

_echo = click.echo


def install() -> None:
    """Escape control characters and mask secrets: names in files, streams and models must not steer a terminal."""
    import logging

    from edgelstm.runtime.io.terminal import SafeFormatter

    click.echo = _safe_echo
    if logging.lastResort is not None:  # the handler of commands that set up no logging
        logging.lastResort.setFormatter(SafeFormatter("%(message)s"))


def _safe_echo(
    message: Any = None, file: IO[Any] | None = None, nl: bool = True, err: bool = False, color: bool | None = None
) -> None:
    if isinstance(message, str) and not (message.isascii() and message.isprintable()):
        from edgelstm.runtime.io.terminal import printable

        message = printable(message)
    _echo(message, file, nl, err, color)
