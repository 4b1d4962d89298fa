"""The option --json, the same for every command that prints a result."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def json_option(text: str = "Print JSON.") -> Callable[[F], F]:
    """Add --json, the parameter `as_json`.

    Args:
        text: Its help.
    """
    return click.option("--json", "as_json", is_flag=True, help=text)
