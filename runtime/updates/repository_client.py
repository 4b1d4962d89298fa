"""Client of a repository: verifies its metadata and fetches the newest model of a group.

python-tuf verifies signatures, expiry and versions. What it does not know is added here: the version of the model, which never
goes down, and a clock that may be wrong.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from tuf.api.exceptions import LengthOrHashMismatchError
from tuf.api.metadata import Metadata, Root, TargetFile, Targets
from tuf.ngclient import Updater, UpdaterConfig

from ..errors import ModelError
from ..model_file.bundle import LARGEST
from .clock import newest_time
from .ledger import Release
from .transport import Transport

EVERYONE = "all"  # the group that every device belongs to
LIMITS = UpdaterConfig(
    max_root_rotations=64, root_max_length=64 << 10, timestamp_max_length=16 << 10, snapshot_max_length=64 << 10,
    targets_max_length=1 << 20,
)  # fmt: skip


@dataclass(frozen=True)
class Request:
    """A device's question to a repository."""

    url: str
    """Address of the repository: http, https or a folder."""
    root: str
    """File with the root metadata that the device trusts."""
    folder: str
    """Folder of the device's models."""
    group: str
    """Group of the device."""
    name: str = ""
    """Name of the model; empty where the group has one model only."""
    have: str = ""
    """Hash of the model at work."""
    highest: int = 0
    """Newest version that was installed."""
    highest_keys: tuple[str, ...] = ()
    """Keys that were trusted then."""
    refused: tuple[str, ...] = ()
    """Hashes that are not taken again."""


def fetch_release(request: Request, now: float | None = None) -> tuple[Release, bool]:
    """Verify a repository, and fetch the newest model of the group unless the device has or refuses it.

    The model is left in the folder `incoming`, under its hash.

    Args:
        request: The question.
        now: Seconds since 1970; None for the clock.

    Returns:
        The release, and whether it was fetched.

    Raises:
        ModelError: If there is no such model, or it is older than one before.
        RepositoryError, DownloadError: If python-tuf refuses the repository, or it cannot be read.
    """
    folder, transport = Path(request.folder), Transport()
    root, tuf = _read_root(Path(request.root)), folder / "tuf"
    for leftover in tuf.glob("tmp*"):
        leftover.unlink()
    base = request.url.rstrip("/")
    updater = Updater(str(tuf), f"{base}/metadata/", fetcher=transport, config=LIMITS, bootstrap=root)
    moment = datetime.fromtimestamp(newest_time(tuf, root, now), timezone.utc)
    updater._trusted_set.reference_time = moment  # private: there is no public way to give a time; a test watches it
    updater.refresh()
    _sync(tuf)  # versions that were seen must outlive a power cut
    targets, signers, trusted = _signed_targets(tuf)
    target = _newest(targets, request)
    verified = updater.get_targetinfo(target.path)
    if verified is None or verified.hashes.get("sha256") != target.hashes["sha256"]:
        raise ModelError(f"{target.path} is not among the signed models.")
    group, _, file = target.path.partition("/")
    release = Release(file.removesuffix(".tflite"), _version(target), group, target.hashes["sha256"], signers, trusted)
    if release.digest == request.have or release.digest in request.refused:
        return release, False
    if trusted == request.highest_keys and release.version < request.highest:
        raise ModelError(
            f"The repository offers {release.title}; this device had version {request.highest} already. An older model "
            "is never taken: publish it again as a new version."
        )
    fetch_target(transport, f"{base}/targets/{group}/{release.digest}.{file}", target, folder / "incoming")
    return release, True


def _read_root(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(LIMITS.root_max_length)
    except OSError as error:
        raise ModelError(
            f"Cannot read the root metadata {path}: {error.strerror or error}. Copy root.json from the repository."
        ) from error


def _signed_targets(tuf: Path) -> tuple[Targets, tuple[str, ...], tuple[str, ...]]:
    """Targets that were verified, the keys that signed them, and all keys that might have."""
    root: Metadata[Root] = Metadata.from_file(str(tuf / "root.json"))
    targets: Metadata[Targets] = Metadata.from_file(str(tuf / "targets.json"))
    result = root.signed.get_verification_result("targets", targets.signed_bytes, targets.signatures)
    return targets.signed, tuple(sorted(result.signed)), tuple(sorted(root.signed.roles["targets"].keyids))


def _newest(targets: Targets, request: Request) -> TargetFile:
    """Newest model of the group or of everyone."""
    groups = dict.fromkeys((request.group, EVERYONE))
    paths = [path for path in targets.targets if path.partition("/")[0] in groups]
    names = sorted({path.partition("/")[2].removesuffix(".tflite") for path in paths})
    if not request.name and len(names) > 1:
        raise ModelError(f"The group {request.group} has the models {', '.join(names)}. Name one.")
    name = request.name or (names[0] if names else "")
    known = [targets.targets[path] for group in groups if (path := f"{group}/{name}.tflite") in targets.targets]
    if not known:
        raise ModelError(
            f"The repository has no model {name or 'at all'} for the group {request.group}; it has: "
            f"{', '.join(names) or 'none'}. Publish one: edgelstm publish."
        )
    return max(known, key=_version)


def _version(target: TargetFile) -> int:
    version = (target.custom or {}).get("version")
    if not isinstance(version, int) or version < 1:
        raise ModelError(f"{target.path} is signed without a version. Publish it with `edgelstm publish`.")
    return version


def fetch_target(transport: Transport, url: str, target: TargetFile, folder: Path) -> Path:
    """Fetch a model; what an interruption leaves is gone on with next time.

    Args:
        transport: Reader of files.
        url: Address of the model.
        target: Its signed description.
        folder: Where it is left, under its hash.

    Raises:
        ModelError: If it has another length or hash than was signed.
    """
    if target.length > LARGEST:
        raise ModelError(f"{target.path} is larger than {LARGEST >> 20} MiB: not a model of this tool.")
    path = folder / str(target.hashes["sha256"])
    for other in folder.iterdir():
        if other != path:
            other.unlink()
    size = path.stat().st_size if path.exists() else 0
    with path.open("ab") as file:
        if size < target.length:
            for chunk in transport.read(url, size):
                size += len(chunk)
                if size > target.length:
                    break
                file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
    try:
        if size != target.length:
            raise LengthOrHashMismatchError(f"it has {size} bytes instead of {target.length}")
        with path.open("rb") as stream:
            target.verify_length_and_hashes(stream)
    except LengthOrHashMismatchError as error:
        path.unlink()
        raise ModelError(f"{target.path} is not the file that was signed: {error}") from error
    return path


def _sync(folder: Path) -> None:
    for path in (*folder.glob("*.json"), folder):
        with suppress(OSError):
            descriptor = os.open(path, os.O_RDONLY)
            os.fsync(descriptor)
            os.close(descriptor)
