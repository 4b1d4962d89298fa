"""Check of the tokens of requests, which slows down those who guess."""

from __future__ import annotations

import base64
import hmac
import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from ..errors import ConfigError
from .addresses import read_secret

log = logging.getLogger("edgelstm")
SHORTEST = 16  # characters of a token
FREE = 5  # wrong tokens of one client that cost it no wait
LONGEST_WAIT = 300.0  # seconds that a client waits after many wrong tokens; it doubles from 1
CLIENTS = 1000  # clients remembered


@dataclass
class _Client:
    wrong: int = 0
    until: float = 0.0


def read_token(path: str) -> str:
    """Read a token from the first line of a file; empty without a file.

    Raises:
        ConfigError: If it cannot be read, or is too short.
    """
    token = read_secret(path)
    if path and len(token) < SHORTEST:
        raise ConfigError(f"The token in {path} is shorter than {SHORTEST} characters.")
    return token


class TokenGate:
    """Check of tokens that slows guessing down.

    After some wrong tokens a client is not listened to for a time that doubles with each further one; meanwhile a right
    token is refused, too, or guessing would go on.

    Args:
        token: The right one; empty where none is needed.
        clock: Clock that never jumps, seconds.
        name: Name of what it guards, for messages.
    """

    def __init__(self, token: str, clock: Callable[[], float] = time.monotonic, name: str = "Live page") -> None:
        self.token, self._clock, self._name = token, clock, name
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
        word = sent_token(header)
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
            log.warning("%s: %d wrong tokens from %s; it has to wait", self._name, client.wrong, peer)


def sent_token(header: str) -> str:
    """The token in an Authorization header: a bearer's, InfluxDB's form of it, or a password.

    >>> sent_token("Bearer sesame"), sent_token("Token sesame"), sent_token("Basic bWU6c2VzYW1l"), sent_token("Basic ?")
    ('sesame', 'sesame', 'sesame', '')
    """
    kind, _, word = header.strip().partition(" ")
    if kind.lower() != "basic":
        return word.strip() if kind.lower() in ("bearer", "token") else header.strip()
    try:
        return base64.b64decode(word, validate=True).decode().partition(":")[2]
    except ValueError:
        return ""
