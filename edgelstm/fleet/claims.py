"""Claims on assets: a file with a pulse, so that no two workers make the same model to its end.

A claim is a file that one worker alone can create. Its holder counts up in it every few seconds. Whoever meets another's claim
watches the count: a holder that lives is left alone, one that is dead is followed. So no two clocks are compared.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from .places import Place

FOLDER = ".fleet/claims"
PULSE = 5.0  # seconds between two counts
DEAD = 30.0  # seconds without one, after which the holder is dead


class Elsewhere(Exception):  # noqa: N818 (an outcome, not an error)
    """Another run is at work on this asset."""


@dataclass(frozen=True)
class Holder:
    """Holder of a claim."""

    run: str
    """Its run."""
    host: str
    """Name of its machine."""
    process: int
    """Number of its process."""
    started: int
    """Start of that process, in clock ticks since the machine's, since numbers are used again."""
    count: int = 0
    """Pulse."""

    @property
    def is_dead(self) -> bool:
        """True if it was a process of this machine that is gone; of others nobody knows."""
        return self.host == socket.gethostname() and started(self.process) != self.started


def started(process: int) -> int:
    """Start of a process in clock ticks since that of the machine; 0 if there is none."""
    try:
        text = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return 0
    fields = text.rpartition(")")[2].split()
    return 0 if fields[0] == "Z" else int(fields[19])


def read_claim(home: Place, name: str) -> Holder | None:
    """Return the holder of a claim; None where there is none.

    Args:
        home: The fleet's folder.
        name: Name of the claim.
    """
    content = home.read(f"{FOLDER}/{name}")
    if content is None:
        return None
    try:
        return Holder(**json.loads(content))
    except (ValueError, TypeError):  # its writer was killed
        return Holder("", "", 0, 0)


class Claim:
    """A claim that is held.

    Args:
        home: The fleet's folder.
        name: Name of what is claimed.
        holder: The process that holds it.
    """

    def __init__(self, home: Place, name: str, holder: Holder) -> None:
        self._home, self._file, self._holder = home, f"{FOLDER}/{name}", holder
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)
        self._thread.start()

    def _beat(self) -> None:
        count = 0
        while not self._ended.wait(PULSE):
            count += 1
            if not self.is_mine():
                return
            self._home.write(self._file, _packed(self._holder, count))

    def is_mine(self) -> bool:
        """Tell whether nobody has followed."""
        now = read_claim(self._home, self._file.rpartition("/")[2])
        return now is not None and (now.host, now.process) == (self._holder.host, self._holder.process)

    def release(self) -> None:
        """Give it up."""
        self._ended.set()
        self._thread.join()
        if self.is_mine():
            self._home.remove(self._file)


@contextmanager
def claimed(home: Place, name: str, run: str) -> Iterator[Claim]:
    """Hold a claim while the block runs.

    Args:
        home: The fleet's folder.
        name: Name of the claim.
        run: The run that works; of one run an attempt follows another, once that is dead.

    Raises:
        Elsewhere: If a worker of another run lives and has it.
    """
    holder = Holder(run, socket.gethostname(), os.getpid(), started(os.getpid()))
    while not home.create(f"{FOLDER}/{name}", _packed(holder, 0)):
        before = read_claim(home, name)
        if before is not None and not before.is_dead and _lives(home, name, before, run):
            raise Elsewhere
        _withdraw(home, name, before)
    claim = Claim(home, name, holder)
    try:
        yield claim
    finally:
        claim.release()


def _lives(home: Place, name: str, before: Holder, run: str) -> bool:
    """Watch a claim until it is released or dead; one of another run only until its next pulse."""
    watched = time.monotonic()
    while time.monotonic() < watched + DEAD:
        time.sleep(PULSE / 5)
        now = read_claim(home, name)
        if now is None:
            return False
        if now != before:
            if now.run != run:
                return True
            before, watched = now, time.monotonic()
    return False


def _withdraw(home: Place, name: str, before: Holder | None) -> None:
    """Remove the claim of a dead holder, unless somebody was faster."""
    if before is not None and read_claim(home, name) == before:
        home.remove(f"{FOLDER}/{name}")


def _packed(holder: Holder, count: int) -> bytes:
    return json.dumps({**asdict(holder), "count": count}).encode()
