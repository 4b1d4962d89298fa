"""Token of the live page: where it is kept, and how wrong ones are slowed down."""

from __future__ import annotations

import hmac
import logging
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from ..errors import ConfigError, OutputError
from ..io.addresses import read_secret
from ..io.atomic_files import write_atomic
from ..io.state_folder import state_folder
from .config import Settings

log = logging.getLogger("edgelstm")
SHORTEST = 16  # characters of a token
FREE = 5  # wrong tokens of one client that cost it no wait
LONGEST_WAIT = 300.0  # seconds that a client waits after many wrong tokens; it doubles from 1
CLIENTS = 1000  # clients remembered


@dataclass
class _Client:
    wrong: int = 0
    until: float = 0.0


class TokenGate:
    """Check of tokens that slows guessing down.

    After some wrong tokens a client is not listened to for a time that doubles with each further one; meanwhile a right
    token is refused, too, or guessing would go on.

    Args:
        token: The right one; empty where none is needed.
        clock: Clock that never jumps, seconds.
    """

    def __init__(self, token: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.token, self._clock = token, clock
        self._clients: OrderedDict[str, _Client] = OrderedDict()

    def wait(self, peer: str) -> float:
        """Return the seconds for which a client is not listened to."""
        client = self._clients.get(peer)
        return max(0.0, client.until - self._clock()) if client else 0.0

    def allows(self, peer: str, header: str) -> bool:
        """Tell whether a request carries the right token; a wrong one is counted.

        Args:
            peer: The client's address.
            header: Value of the request's Authorization header, empty without one.
        """
        if not self.token:
            return True
        word = header.removeprefix("Bearer ").strip()
        if not word or self.wait(peer) > 0:
            return False
        if hmac.compare_digest(word.encode(), self.token.encode()):
            self._clients.pop(peer, None)
            return True
        self._count(peer)
        return False

    def _count(self, peer: str) -> None:
        client = self._clients.setdefault(peer, _Client())
        self._clients.move_to_end(peer)
        if len(self._clients) > CLIENTS:
            self._clients.popitem(last=False)
        client.wrong += 1
        if client.wrong > FREE:
            client.until = self._clock() + min(LONGEST_WAIT, 2.0 ** min(client.wrong - FREE - 1, 20))
        if client.wrong == FREE + 1:
            log.warning("Live page: %d wrong tokens from %s; it has to wait", client.wrong, peer)


def page_token(settings: Settings) -> str:
    """Read the configured token, or make one in the state folder that later starts read again.

    Raises:
        ConfigError: If it cannot be read, or is too short.
        OutputError: If it cannot be written.
    """
    if settings.token_file:
        token = read_secret(settings.token_file)
        if len(token) < SHORTEST:
            raise ConfigError(f"The token in {settings.token_file} is shorter than {SHORTEST} characters.")
        return token
    path = state_folder(settings.state_dir) / "token"
    if not path.exists():
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"Cannot make {path.parent}: {error.strerror}.") from error
        write_atomic(path, secrets.token_urlsafe(24).encode() + b"\n", mode=0o600)
    log.info("The live page asks for the token in %s", path)
    return read_secret(str(path))
