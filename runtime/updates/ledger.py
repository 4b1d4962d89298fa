"""The record of a device's models: which one is at work, which came before, and why each left.

One JSON file, replaced whole: it alone decides which model is at work, so a power cut leaves the old or the new one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

SCHEMA = 1
MOST_ENTRIES = 200  # of the history; at one update a week four years
MOST_REFUSED = 200


@dataclass(frozen=True)
class Release:
    """A signed model."""

    name: str
    """Name of the model."""
    version: int
    """Its version."""
    group: str
    """Group that it was published to."""
    digest: str
    """SHA-256 of the file, hex."""
    signers: tuple[str, ...] = ()
    """Identities of the keys that signed it."""
    trusted: tuple[str, ...] = ()
    """Identities of all keys that might have: with other keys, versions are counted anew."""

    @property
    def title(self) -> str:
        """Name, version and hash for messages."""
        return f"{self.name} version {self.version} ({self.digest[:12]})"


@dataclass(frozen=True)
class Entry:
    """A line of the history."""

    time: float
    """Seconds since 1970."""
    event: str
    """installed, confirmed, undone, rolled back, refused or repaired."""
    name: str
    """Name of the model."""
    version: int
    """Its version."""
    digest: str
    """SHA-256 of its file, hex."""
    signers: tuple[str, ...] = ()
    """Identities of the keys that signed it."""
    reason: str = ""
    """Reason why it left."""


@dataclass(frozen=True)
class Ledger:
    """The whole record."""

    current: Release | None = None
    """Model at work, None for the one that the configuration names."""
    previous: Release | None = None
    """Model to return to, None for the one that the configuration names."""
    older: Release | None = None
    """Model before that one: the way back after an undone update."""
    trial_since: float | None = None
    """Time at which the trial time of the current model began, None when it is over."""
    starts: int = 0
    """Starts of the current model that did not end in an orderly way."""
    highest: int = 0
    """Newest version that was ever installed under `highest_keys`."""
    highest_keys: tuple[str, ...] = ()
    """Keys that were trusted then."""
    refused: tuple[str, ...] = ()
    """Hashes of models that failed here."""
    error: str = ""
    """The last error, empty when the last look went well."""
    history: tuple[Entry, ...] = field(default=())
    """Newest last."""

    def note(self, event: str, release: Release, now: float, reason: str = "") -> Ledger:
        """Return the ledger with another line of history.

        Args:
            event: See `Entry`.
            release: The model.
            now: Seconds since 1970.
            reason: Reason, if there is one.
        """
        entry = Entry(now, event, release.name, release.version, release.digest, release.signers, reason)
        return replace(self, history=(*self.history, entry)[-MOST_ENTRIES:])

    def install(self, release: Release, now: float, *, trial: bool) -> Ledger:
        """Return the ledger with another model at work; the one to return to is the last that was no trial.

        Args:
            release: The model.
            now: Seconds since 1970.
            trial: Whether a trial time begins.
        """
        previous, older = (self.current, self.previous) if self.trial_since is None else (self.previous, self.older)
        ledger = self.note("installed", release, now)
        return replace(
            ledger, current=release, previous=previous, older=older, trial_since=now if trial else None, starts=0, error="",
            highest=max(release.version, self.floor(release.trusted)), highest_keys=release.trusted,
        )  # fmt: skip

    def floor(self, trusted: tuple[str, ...]) -> int:
        """Lowest version that may be installed; a new set of release keys starts anew, or a thief's versions would stay."""
        return self.highest if trusted == self.highest_keys else 0

    def confirm(self, now: float) -> Ledger:
        """Return the ledger after the trial time of the current model."""
        if self.current is None or self.trial_since is None:
            return replace(self, starts=0)
        return replace(self.note("confirmed", self.current, now), trial_since=None, starts=0)

    def leave(self, event: str, reason: str, now: float) -> Ledger:
        """Return the ledger with the previous model at work; the current one is not taken again.

        Args:
            event: `undone` or `rolled back`.
            reason: Reason for the history.
            now: Seconds since 1970.
        """
        if self.current is None:
            return self
        ledger = self.note(event, self.current, now, reason).refuse(self.current.digest)
        error = f"{self.current.title} was {event}: {reason}"
        return replace(
            ledger, current=self.previous, previous=self.older, older=None, trial_since=None, starts=0, error=error
        )

    def refuse(self, digest: str) -> Ledger:
        """Return the ledger with a hash that is not taken again."""
        kept = tuple(one for one in self.refused if one != digest)
        return replace(self, refused=(*kept, digest)[-MOST_REFUSED:])

    def to_json(self) -> bytes:
        """Encode it."""
        return json.dumps({"schema": SCHEMA, **asdict(self)}, indent=1).encode()


def ledger_from_json(content: bytes) -> Ledger:
    """Decode a ledger.

    Raises:
        ValueError: If it is none, or of another version.
    """
    try:
        record = json.loads(content)
        if record.pop("schema") != SCHEMA:
            raise ValueError("it is of another version of edgelstm")
        for key in ("current", "previous", "older"):
            record[key] = _release(record[key]) if record[key] else None
        for key in ("highest_keys", "refused"):
            record[key] = tuple(record[key])
        record["history"] = tuple(Entry(**{**entry, "signers": tuple(entry["signers"])}) for entry in record["history"])
        return Ledger(**record)
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"it is damaged ({error})") from error


def _release(record: Mapping[str, Any]) -> Release:
    release = Release(**{**record, "signers": tuple(record["signers"]), "trusted": tuple(record["trusted"])})
    if len(release.digest) != 64 or not all(letter in "0123456789abcdef" for letter in release.digest):
        raise ValueError("it names no hash")
    return release
