"""The loop of a spawned worker; it ends with its parent, however that ends."""

from __future__ import annotations

import os
import signal
import threading
from multiprocessing.connection import Connection
from pathlib import Path

from .engine import answer

IDLE = 120.0  # seconds without a task, after which it ends: TensorFlow holds 0.8 GB


def main(descriptor: int) -> None:
    """Answer tasks until the connection closes.

    Args:
        descriptor: Socket to the parent.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with Connection(descriptor) as pipe:
        while pipe.poll(IDLE):
            try:
                function, task = pipe.recv()
            except EOFError:
                return
            pipe.send((answer(function, task), memory()))


def _end_with_parent() -> None:
    while os.read(0, 1):
        pass
    os._exit(1)


def memory() -> int:
    """Bytes of memory that this process has resident."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
