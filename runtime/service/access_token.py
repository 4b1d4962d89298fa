"""Token of the live page: where it is kept."""

from __future__ import annotations

import logging
import secrets

from ..errors import OutputError
from ..io.addresses import read_secret
from ..io.atomic_files import write_atomic
from ..io.state_folder import state_folder
from ..io.token_gate import read_token
from .config import Settings

log = logging.getLogger("edgelstm")


def page_token(settings: Settings) -> str:
    """Read the configured token, or make one in the state folder that later starts read again.

    Raises:
        ConfigError: If it cannot be read, or is too short.
        OutputError: If it cannot be written.
    """
    if settings.token_file:
        return read_token(settings.token_file)
    path = state_folder(settings.state_dir) / "token"
    if not path.exists():
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"Cannot make {path.parent}: {error.strerror}.") from error
        write_atomic(path, secrets.token_urlsafe(24).encode() + b"\n", mode=0o600)
    log.info("The live page asks for the token in %s", path)
    return read_secret(str(path))
