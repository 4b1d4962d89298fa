"""One update: fetch, verify, try and install."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from ..errors import DamagedModelError, EdgelstmError, ModelError
from .acceptance import accept
from .child import Child
from .ledger import Ledger, Release
from .store import ModelStore

FETCH_SECONDS = 30.0  # what was fetched until then is kept, so that slow links get on


class Place(NamedTuple):
    """A repository as one device sees it."""

    url: str
    """Address: http, https or a folder."""
    root: str
    """File with the root metadata."""
    group: str
    """Group of the device."""
    name: str
    """Name of the model; empty where the group has one only."""


class Outcome(NamedTuple):
    """Result of an update."""

    release: Release
    """The newest model of the group."""
    installed: bool
    """True if it was installed now."""
    refused: bool = False
    """True if it failed here before, and is not taken again."""


def update(
    store: ModelStore,
    place: Place,
    child: Child | None = None,
    *,
    trial: bool = False,
    channels: tuple[str, ...] = (),
    notes: Path | None = None,
) -> Outcome:
    """Bring the newest model of a group to a device.

    Args:
        store: Folder of the device's models.
        place: The repository.
        child: Processes for it, to end them from another thread; None for new ones.
        trial: Whether a trial time begins.
        channels: Channels of the model at work; empty for no comparison.
        notes: State folder for the trial's note; None for the user's own.

    Raises:
        ModelError: If the repository or the model is refused; the model at work stays, and the reason is in the ledger.
        ConfigError: If another update of the folder is running.
        OutputError: If the disk is full.
    """
    child = child or Child()
    lock = store.updating()
    try:
        outcome = _update(store, place, child, trial, channels, notes)
        if not outcome.refused:
            store.note_error("")
        return outcome
    except EdgelstmError as error:
        if not child.stopped:
            store.note_error(str(error))
        raise
    finally:
        lock.close()


def _update(
    store: ModelStore, place: Place, child: Child, trial: bool, channels: tuple[str, ...], notes: Path | None
) -> Outcome:
    ledger = store.ledger
    request = {
        **place._asdict(), "folder": str(store.folder), "have": _whole(store, ledger), "highest": ledger.highest,
        "highest_keys": ledger.highest_keys, "refused": ledger.refused,
    }  # fmt: skip
    answer = child.ask("fetch_worker", request, FETCH_SECONDS)
    record = answer["release"]
    release = Release(**{**record, "signers": tuple(record["signers"]), "trusted": tuple(record["trusted"])})
    if not answer["fetched"]:
        return Outcome(release, False, release.digest in ledger.refused)
    incoming = store.incoming / release.digest
    try:
        accept(incoming, store.folder, child, channels, notes)
    except ModelError as error:
        if child.stopped:
            raise
        store.refuse(release, str(error))
        raise ModelError(f"{release.title} was refused: {error}") from error
    content = incoming.read_bytes()
    store.install(release, content, trial=trial)
    incoming.unlink(missing_ok=True)
    return Outcome(release, True)


def _whole(store: ModelStore, ledger: Ledger) -> str:
    """Hash of the model at work; empty where there is none, or its file is damaged and fetched again."""
    if ledger.current is None:
        return ""
    try:
        store.read(ledger.current)
    except DamagedModelError:
        return ""
    return ledger.current.digest
