"""Choice of the model that a process starts with, where updates are configured."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from ..errors import ConfigError, ModelError
from ..model_file.bundle import Bundle, parse_bundle
from ..model_file.trial import try_model
from .ledger import Ledger, Release
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


def choose_signed(store: ModelStore, notes: Path | None, *, spare: bool) -> Start | None:
    """Return the signed model to start with: the one at work, or the one before where that is damaged or crashed again and again.

    Args:
        store: Folder of the device's models.
        notes: State folder for the notes of trials.
        spare: Whether the configuration names a model to fall back to.

    Returns:
        None when there is no usable one.

    Raises:
        ModelError: If the ledger is damaged.
    """
    ledger = _after_crashes(store, spare)
    reason = ""
    for release in filter(None, (ledger.current, ledger.previous)):
        try:
            content = store.read(release)
            bundle = parse_bundle(content, release.title)
            try_model(content, release.title, notes)
            return Start(release, content, bundle, reason)
        except ModelError as error:
            log.warning("%s", error)
            reason = reason or str(error)
    return None


def _after_crashes(store: ModelStore, spare: bool) -> Ledger:
    ledger = store.ledger
    if ledger.current is None or ledger.starts < MOST_STARTS or not (spare or ledger.previous):
        return ledger
    reason = f"it ended the process {ledger.starts} times"
    log.warning("%s is undone: %s.", ledger.current.title, reason)
    store.leave("undone", reason, ledger.current.digest)
    return store.ledger


def refuse_unsigned(store: ModelStore) -> None:
    """Say that nothing signed can be run.

    Raises:
        ConfigError: Always.
    """
    error = store.ledger.error
    raise ConfigError(
        f"require-signed: no signed model is installed in {store.folder}. {error or 'Publish one: edgelstm publish.'}"
    )
