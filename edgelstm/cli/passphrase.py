"""Passphrases of signing keys: from the environment, or asked for."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from securesystemslib.signer import CryptoSigner

VARIABLE = "EDGELSTM_KEY_PASSPHRASE"


def passphrase_of(path: Path, *, new: bool = False) -> str:
    """Return the passphrase of a key.

    Args:
        path: The key, for the question.
        new: Whether it is asked for twice.

    Raises:
        ConfigError: If there is nobody to ask.
    """
    passphrase = os.environ.get(VARIABLE)
    if passphrase:
        return passphrase
    if not _has_terminal():
        from edgelstm.runtime.errors import ConfigError

        raise ConfigError(f"There is no terminal to ask for the passphrase of {path}. Set {VARIABLE}.")
    return str(click.prompt(f"Passphrase of {path}", hide_input=True, confirmation_prompt=new, err=True))


def _has_terminal() -> bool:
    if sys.stdin.isatty():
        return True
    try:
        os.close(os.open("/dev/tty", os.O_RDWR))
    except OSError:
        return False
    return True


def open_signer(path: Path) -> CryptoSigner:
    """Open a private key."""
    from edgelstm.publishing.keys import load_signer

    return load_signer(path, passphrase_of(path))


def key_option(function: Any) -> Any:
    """Add --key, the release key."""
    return click.option(
        "--key", type=click.Path(path_type=Path), required=True, envvar="EDGELSTM_KEY", show_envvar=True,
        help="Private release key.",
    )(function)  # fmt: skip
