"""Publication of models to groups of devices, and their promotion from one group to another."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from securesystemslib.signer import Signer
from tuf.api.metadata import TargetFile, Targets

from ..runtime.errors import ConfigError
from ..runtime.io.atomic_files import write_atomic
from ..runtime.model_file.bundle import parse_bundle, read_model_file
from ..runtime.model_file.trial import try_model
from ..runtime.updates.options import check_word
from .repository import RELEASE_DAYS, Repository


@dataclass(frozen=True)
class Published:
    """A model in a repository."""

    name: str
    """Name of the model."""
    group: str
    """Group of devices that take it."""
    version: int
    """Version of the model, counted by name over all groups."""
    digest: str
    """SHA-256 of the file, hex."""


def publish(
    model: Path, repository: Repository, group: str, signer: Signer, name: str = "", days: float = RELEASE_DAYS
) -> Published:
    """Sign a model and publish it to a group.

    Args:
        model: The `.tflite` file.
        repository: Where to.
        group: Group of devices.
        signer: A release key.
        name: Name of the model; empty for the file's name up to the first dot.
        days: Days until the metadata expire.

    Raises:
        ModelError: If the file is damaged or does not pass its trial.
        ConfigError: If the names or the key are not usable.
    """
    content = read_model_file(model)
    parse_bundle(content, model.name)
    try_model(content, model.name)
    name = check_word(name or model.name.partition(".")[0], "A model")
    path = f"{check_word(group, 'A group')}/{name}.tflite"
    with repository.locked():
        targets = repository.targets()
        target = TargetFile.from_data(path, content, ["sha256"])
        digest = target.hashes["sha256"]
        versions = {
            one.hashes["sha256"]: version_of(one) for one in targets.targets.values() if name_of(one.path) == name
        }
        if path in targets.targets and targets.targets[path].hashes["sha256"] == digest:
            return Published(name, group, version_of(targets.targets[path]), digest)
        newest = newest_version(targets, name)
        version = newest if versions.get(digest) == newest else newest + 1  # an older file, published again, is newer
        target.unrecognized_fields["custom"] = {"version": version, "published": int(repository.now)}
        place(repository, target, content)
        targets.targets[path] = target
        targets.unrecognized_fields["newest"] = {**newest_versions(targets), name: version}
        repository.publish(targets, signer, days)
    return Published(name, group, version, digest)


def find_release(name: str, repository: Repository, group: str) -> Published:
    """Return the model that a group has.

    Args:
        name: Name of the model.
        repository: The repository.
        group: The group.

    Raises:
        ConfigError: If there is none.
    """
    target = _target(repository.targets(), name, group)
    return Published(name, group, version_of(target), target.hashes["sha256"])


def _target(targets: Targets, name: str, group: str) -> TargetFile:
    path = f"{group}/{name}.tflite"
    if path not in targets.targets:
        known = ", ".join(sorted(targets.targets)) or "none"
        raise ConfigError(f"The group {group} has no model {name}. Published: {known}.")
    return targets.targets[path]


def promote(
    name: str, repository: Repository, source: str, to: str, signer: Signer, days: float = RELEASE_DAYS
) -> Published:
    """Give the model of one group to another, unchanged.

    Args:
        name: Name of the model.
        repository: Where it is published.
        source: Group that has it.
        to: Group that gets it.
        signer: A release key.
        days: Days until the metadata expire.

    Raises:
        ConfigError: If the group has no such model, or the other group has a newer one.
    """
    with repository.locked():
        targets = repository.targets()
        new = f"{check_word(to, 'A group')}/{name}.tflite"
        origin = _target(targets, name, source)
        version = version_of(origin)
        if new in targets.targets and version_of(targets.targets[new]) > version:
            raise ConfigError(
                f"The group {to} has version {version_of(targets.targets[new])} of {name}, newer than {version}."
            )
        digest = origin.hashes["sha256"]
        content = read_model_file(stored(repository, origin))
        target = TargetFile.from_data(new, content, ["sha256"])
        if target.hashes["sha256"] != digest:
            raise ConfigError(f"{stored(repository, origin)} is not the file that was published. Publish it again.")
        target.unrecognized_fields["custom"] = dict(origin.custom or {})
        place(repository, target, content)
        targets.targets[new] = target
        repository.publish(targets, signer, days)
    return Published(name, to, version, digest)


def renew(repository: Repository, signer: Signer, days: float = RELEASE_DAYS) -> list[Published]:
    """Sign what is published once more, before it expires or with a new key.

    Args:
        repository: The repository.
        signer: A release key.
        days: Days until the metadata expire.

    Returns:
        The models that are vouched for.
    """
    with repository.locked():
        targets = repository.targets()
        repository.publish(targets, signer, days)
    return [
        Published(name_of(path), path.partition("/")[0], version_of(target), target.hashes["sha256"])
        for path, target in sorted(targets.targets.items())
    ]


def place(repository: Repository, target: TargetFile, content: bytes) -> None:
    """Write a model's file, under its hash as consistent snapshots have it.

    Args:
        repository: The repository.
        target: The signed description.
        content: Bytes of the file.
    """
    path = stored(repository, target)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, content)


def stored(repository: Repository, target: TargetFile) -> Path:
    """File of a published model.

    Args:
        repository: The repository.
        target: Its signed description.
    """
    group, _, file = target.path.partition("/")
    path: Path = repository.folder / "targets" / group / f"{target.hashes['sha256']}.{file}"
    return path


def version_of(target: TargetFile) -> int:
    """Version of a published model."""
    return int((target.custom or {}).get("version", 0))


def name_of(path: str) -> str:
    """Name of the model at a path GROUP/NAME.tflite.

    >>> name_of("canary/pump.tflite")
    'pump'
    """
    return path.partition("/")[2].removesuffix(".tflite")


def newest_versions(targets: Targets) -> dict[str, int]:
    """Newest version of each name that was ever published, also of models that are replaced since."""
    return {str(name): int(version) for name, version in targets.unrecognized_fields.get("newest", {}).items()}


def newest_version(targets: Targets, name: str) -> int:
    """As `newest_versions`, for one name.

    Args:
        targets: The targets metadata.
        name: Name of the model.
    """
    return newest_versions(targets).get(name, 0)
