"""Passphrases of signing keys: from the environment, or asked for."""

from __future__ import annotations

import os
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
    """
    return os.environ.get(VARIABLE) or str(
        click.prompt(f"Passphrase of {path}", hide_input=True, confirmation_prompt=new, err=True)
    )


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
