"""A repository of signed models: a folder that any web server, object store or USB stick serves.

    root.json                      newest list of trusted keys, to be given to devices
    metadata/N.root.json           every version of it
    metadata/N.targets.json        models with lengths and hashes
    metadata/N.snapshot.json       version of the targets
    metadata/timestamp.json        version of the snapshot: written last, so a publication is there whole or not at all
    targets/GROUP/HASH.NAME.tflite the models

Format: The Update Framework 1.0, consistent snapshots (https://theupdateframework.github.io/specification/latest).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from securesystemslib.signer import Key, Signer
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, MetaFile, Root, Snapshot, Targets, Timestamp
from tuf.api.serialization.json import JSONSerializer

from ..runtime.errors import ConfigError
from ..runtime.io.atomic_files import write_atomic
from ..runtime.io.file_lock import FileLock

RELEASE_ROLES = ("targets", "snapshot", "timestamp")
RELEASE_DAYS = 180.0  # a device takes nothing older; long enough for a model retrained every season
ROOT_DAYS = 1095.0
DAY = 86_400.0


class Repository:
    """A repository's folder.

    Args:
        folder: The folder.
        now: Time of signing, seconds since 1970; None for the clock.
    """

    def __init__(self, folder: Path, now: float | None = None) -> None:
        self.folder, self.now = folder, time.time() if now is None else now
        self.metadata = folder / "metadata"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep a second publisher out while the block runs."""
        self.metadata.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.folder / ".lock", f"The repository {self.folder}", "Try again when it has ended.")
        try:
            yield
        finally:
            lock.close()

    def root(self) -> Metadata[Root] | None:
        """Newest root metadata, None in an empty repository."""
        return self._newest("root")

    def targets(self) -> Targets:
        """Targets that the timestamp leads to; empty ones in a repository without a model."""
        snapshot = self._snapshot()
        if snapshot is None:
            return Targets()
        targets: Metadata[Targets] = self._read(f"{snapshot.meta['targets.json'].version}.targets.json")
        return targets.signed

    def _timestamp(self) -> Timestamp | None:
        if not (self.metadata / "timestamp.json").exists():
            return None
        metadata: Metadata[Timestamp] = self._read("timestamp.json")
        return metadata.signed

    def _snapshot(self) -> Snapshot | None:
        timestamp = self._timestamp()
        if timestamp is None:
            return None
        metadata: Metadata[Snapshot] = self._read(f"{timestamp.snapshot_meta.version}.snapshot.json")
        return metadata.signed

    def write_root(
        self, root_keys: Sequence[Key], release_keys: Sequence[Key], signers: Sequence[Signer], days: float = ROOT_DAYS
    ) -> Path:
        """Name the keys that devices trust, in a new version of the root metadata.

        Args:
            root_keys: Keys of which each may sign the next root metadata.
            release_keys: Keys of which each may sign models.
            signers: Private keys that sign it: one of the new root keys, and one of the old where there are some.
            days: Days until it expires.

        Raises:
            ConfigError: If a key has both roles, or devices that know the old root would refuse the new one.
        """
        shared = {key.keyid for key in root_keys} & {key.keyid for key in release_keys}
        if shared:
            raise ConfigError("A root key cannot be a release key, too: make two keys and keep the root key offline.")
        old = self.root()
        root = Root(version=old.signed.version + 1 if old else 1, expires=self._expiry(days), consistent_snapshot=True)
        root.unrecognized_fields["published"] = int(self.now)
        for key in root_keys:
            root.add_key(key, Root.type)
        for role in RELEASE_ROLES:
            for key in release_keys:
                root.add_key(key, role)
        metadata = Metadata(root)
        for signer in signers:
            metadata.sign(signer, append=True)
        self._check_root(metadata, old)
        content = metadata.to_bytes(JSONSerializer())
        write_atomic(self.metadata / f"{root.version}.root.json", content)
        write_atomic(self.folder / "root.json", content)
        return self.folder / "root.json"

    def _check_root(self, metadata: Metadata[Root], old: Metadata[Root] | None) -> None:
        if not metadata.signed.get_verification_result("root", metadata.signed_bytes, metadata.signatures):
            raise ConfigError("The root metadata need a signature by one of their own root keys. Name its private key.")
        if old and not old.signed.get_verification_result("root", metadata.signed_bytes, metadata.signatures):
            raise ConfigError(
                "Devices that trust the root keys so far would refuse the new ones. Sign with one of the old, too: "
                "--signed-by OLD.key"
            )

    def publish(self, targets: Targets, signer: Signer, days: float = RELEASE_DAYS) -> None:
        """Sign changed targets, and the snapshot and the timestamp that lead to them.

        Args:
            targets: The targets, as `targets` returned them, changed.
            signer: A release key.
            days: Days until all of it expires.

        Raises:
            ConfigError: If the repository does not trust the key.
        """
        self._check_release_key(signer)
        last, snapshot, timestamp = self._snapshot(), Snapshot(), Timestamp()
        if last is not None:
            targets.version += 1  # new ones are of version 1
            snapshot.version = last.version + 1
            timestamp.version = (self._timestamp() or timestamp).version + 1
        snapshot.meta["targets.json"] = MetaFile(targets.version)
        timestamp.snapshot_meta = MetaFile(snapshot.version)
        timestamp.unrecognized_fields["published"] = int(self.now)
        for signed in (targets, snapshot, timestamp):
            signed.expires = self._expiry(days)
        self._write(f"{targets.version}.targets.json", targets, signer)
        self._write(f"{snapshot.version}.snapshot.json", snapshot, signer)
        self._write("timestamp.json", timestamp, signer)

    def _check_release_key(self, signer: Signer) -> None:
        root = self.root()
        if root is None:
            raise ConfigError(
                f"{self.folder} has no root metadata. Make them: edgelstm keys root --to {self.folder} "
                "--root root.key --release release.key.pub"
            )
        if signer.public_key.keyid not in root.signed.roles["targets"].keyids:
            raise ConfigError(
                "This key may not sign models here. Name the release key, or trust it: edgelstm keys root"
            )

    def _newest(self, role: str) -> Metadata[Any] | None:
        versions = [
            int(number)
            for path in self.metadata.glob(f"*.{role}.json")
            if (number := path.name.partition(".")[0]).isdigit()
        ]
        return self._read(f"{max(versions)}.{role}.json") if versions else None

    def _read(self, name: str) -> Metadata[Any]:
        try:
            return Metadata.from_file(str(self.metadata / name))
        except (RepositoryError, OSError) as error:
            raise ConfigError(
                f"{self.metadata / name} cannot be read ({error}). Restore the repository from its backup."
            ) from error

    def _write(self, name: str, signed: Targets | Snapshot | Timestamp, signer: Signer) -> None:
        metadata = Metadata(signed)
        metadata.sign(signer)
        write_atomic(self.metadata / name, metadata.to_bytes(JSONSerializer()))

    def _expiry(self, days: float) -> datetime:
        moment = datetime.fromtimestamp(self.now, timezone.utc).replace(microsecond=0)
        return moment + timedelta(days=days)
