"""A stream whose model is updated: its store, the model to start with, and the watch that follows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from ..detector import Detector
from ..errors import ConfigError
from ..model_file.bundle import Bundle
from ..updates.options import parse_updates
from ..updates.startup import Start, choose_signed, refuse_unsigned
from ..updates.store import ModelStore
from ..updates.update import Place, update
from ..updates.update_watch import UpdateWatch
from .config import StreamConfig
from .last_good import LoadedModel


class SignedStream:
    """Signed models of one stream.

    Args:
        config: The stream's configuration, with `updates`.
        folder: State folder.
        dry: Whether nothing may be written.

    Raises:
        ConfigError: If the configuration is not usable, or a signed model is required and none can be had.
        ModelError: As `ConfigError`, where the repository refuses.
    """

    def __init__(self, config: StreamConfig, folder: Path, *, dry: bool) -> None:
        options = parse_updates(config.updates, f"{config.label}: updates")
        self.options = replace(options, name=options.name or config.label)
        self.notes, self.dry = folder, dry
        self.spare = Path(config.model) if config.model and not config.require_signed else None
        place = Path(options.folder) if options.folder else folder / "updates" / config.label
        if find_spec("tuf") is None:
            raise ConfigError("updates need tuf, which the base install leaves out: pip install 'edgelstm[update]'")
        if not Path(options.root).is_file():
            raise ConfigError(f"There is no root metadata {options.root}. Copy root.json from the repository.")
        self._start: Start | None = None
        if dry and not place.exists():
            self._refuse_without_model(place)
            return
        self.store = ModelStore(place)
        self._start = choose_signed(self.store, folder, spare=self.spare is not None, dry=dry)
        if self._start is None and self.spare is None:
            self._first_update()
        if self._start is not None and not dry:
            self.store.count_start(self.store.ledger.starts + 1)

    def _refuse_without_model(self, place: Path) -> None:
        if self.spare is None:
            raise ConfigError(
                f"No signed model is installed in {place}. The first run fetches one, or: edgelstm update"
            )

    def _first_update(self) -> None:
        """Fetch a model before the stream can begin: there is no other."""
        if not self.dry:
            options = self.options
            update(self.store, Place(options.url, options.root, options.group, options.name), notes=self.notes)
            self._start = choose_signed(self.store, self.notes, spare=False)
        if self._start is None:
            refuse_unsigned(self.store)

    @property
    def model(self) -> LoadedModel | None:
        """The signed model to start with, None to start with the configuration's."""
        start = self._start
        return None if start is None else LoadedModel(start.content, start.bundle, start.fallback)

    def watch(self, load: Callable[[Bundle], Detector], channels: int) -> UpdateWatch:
        """Return the watch that follows the store.

        Args:
            load: Function that makes the detector.
            channels: Number of channels, F.
        """
        release = self._start.release if self._start else None
        return UpdateWatch(self.store, self.options, load, release, channels, self.spare, self.notes)

    def forget(self) -> None:
        """Take the count of this start back: the program ends in an orderly way."""
        if self._start is not None and not self.dry:
            self.store.count_start(0)
