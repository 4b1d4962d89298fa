"""Taking over a model file that is replaced while it is at work."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from time import monotonic

from ..detector import Detector
from ..errors import EdgelstmError, ModelError

log = logging.getLogger("edgelstm")
EVERY = 5.0  # seconds between looks at the file


class ModelWatch:
    """Looks at a model file now and then, and gives the new detector once a new file has passed every check.

    Args:
        path: The model file at work.
        load: Makes the detector from it.
        every: Seconds between looks.
    """

    def __init__(
        self, path: Path | str, load: Callable[[Path], Detector] = Detector.load, every: float = EVERY
    ) -> None:
        self.path, self.load, self.every = Path(path), load, every
        self._known = self._stamp()
        self._due = monotonic() + every

    def replaced(self, old: Detector) -> Detector | None:
        """The new detector, None while there is none. A file that fails is told of once, and the old model stays."""
        if monotonic() < self._due:
            return None
        self._due = monotonic() + self.every
        stamp = self._stamp()
        if stamp is None or stamp == self._known:
            return None
        self._known = stamp
        try:
            new = self.load(self.path)
            if new.metadata.names != old.metadata.names:
                raise ModelError(f"It takes other channels: {', '.join(new.metadata.names)}.")
            new.probe()
            new.index = old.index  # ids of events without times stay unique
        except EdgelstmError as error:
            log.warning("%s was replaced by a file that cannot be used, the old model stays: %s", self.path, error)
            return None
        log.info("%s was replaced: the new model warms up", self.path)
        return new

    def _stamp(self) -> tuple[int, int, int] | None:
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino
