"""Choice of the model that a process starts with, where updates are configured."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import ConfigError, DamagedModelError, ModelError
from ..model_file.bundle import Bundle, parse_bundle
from ..model_file.trial import try_model
from .ledger import Release
from .store import ModelStore

log = logging.getLogger("edgelstm")
MOST_STARTS = 3  # that did not end in an orderly way, after which the model before is taken


@dataclass(frozen=True)
class Start:
    """A signed model to start with."""

    release: Release
    """The model."""
    content: bytes
    """Bytes of its file."""
    bundle: Bundle
    """The same, taken apart."""
    fallback: str = ""
    """Reason why it is not the newest one, empty when it is."""


def choose_signed(store: ModelStore, notes: Path | None, *, spare: bool, dry: bool = False) -> Start | None:
    """Return the signed model to start with: the one at work, or the one before where that is damaged, fails or crashed again and again.

    A damaged file is repaired by the next update. A model that fails its trial here, or ended the process again and again, is undone.

    Args:
        store: Folder of the device's models.
        notes: State folder for the notes of trials.
        spare: Whether the configuration names a model to fall back to.
        dry: Whether nothing may be written.

    Returns:
        None when there is no usable one.

    Raises:
        ModelError: If the ledger is damaged.
    """
    ledger = store.ledger
    current, previous = ledger.current, ledger.previous
    if current is None:
        return None
    start, reason, failed = None, f"it ended the process {ledger.starts} times", True
    if ledger.starts < MOST_STARTS or not (spare or previous):
        start, reason, failed = _start(store, current, notes, noted=not dry)
    if start is not None:
        return start
    if previous is not None:
        start = _start(store, previous, notes, noted=not dry)[0]
    if failed and (start or spare) and not dry:
        log.warning("%s is undone: %s", current.title, reason)
        store.leave("undone", reason, current.digest)
    return None if start is None else replace(start, fallback=reason)


def _start(store: ModelStore, release: Release, notes: Path | None, *, noted: bool) -> tuple[Start | None, str, bool]:
    """A model that can be started with; or None, the reason, and whether it will fail the next time, too."""
    try:
        content = store.read(release)
        bundle = parse_bundle(content, release.title)
        try_model(content, release.title, notes, noted=noted)
        return Start(release, content, bundle), "", False
    except ModelError as error:
        log.warning("%s", error)
        passing = isinstance(error, DamagedModelError) or isinstance(
            error.__cause__, OSError
        )  # no process to try it in
        return None, str(error), not passing


def refuse_unsigned(store: ModelStore) -> None:
    """Say that nothing signed can be run.

    Raises:
        ConfigError: Always.
    """
    error = store.ledger.error
    raise ConfigError(
        f"require-signed: no signed model is installed in {store.folder}. {error or 'Publish one: edgelstm publish.'}"
    )
