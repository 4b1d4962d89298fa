"""Wheels of a distribution and of all that it requires on another platform than this one.

pip judges the markers of requirements (`platform_machine != 'armv7l'`) by the machine that it runs on, also when it downloads for
another one. Here they are judged for the target: level by level, pip fetches files and their metadata say what they require.
"""

import subprocess
import sys
import zipfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from email import message_from_bytes
from email.message import Message
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename


@dataclass(frozen=True)
class Target:
    """A platform to install on."""

    machine: str
    """Answer of `platform.machine()` there."""
    python: str
    """Version of Python, as in 3.11."""
    tags: tuple[str, ...]
    """Platform tags of wheels that it takes; pip does not expand one to the older ones."""
    provided: Collection[str] = ()
    """Distributions that the system brings, by canonical name."""

    @property
    def environment(self) -> Mapping[str, str]:
        """Values of environment markers there."""
        return {
            "platform_machine": self.machine,
            "python_version": self.python,
            "python_full_version": f"{self.python}.0",
            "sys_platform": "linux",
            "platform_system": "Linux",
            "os_name": "posix",
            "implementation_name": "cpython",
            "platform_python_implementation": "CPython",
        }


def metadata_of(wheel: Path) -> Message:
    """Return the METADATA of a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        name = next(
            name for name in archive.namelist() if name.endswith(".dist-info/METADATA") and name.count("/") == 1
        )
        return message_from_bytes(archive.read(name))


def requirements(wheel: Path, extras: Collection[str], target: Target) -> Iterator[Requirement]:
    """Yield what a wheel requires on a target.

    Args:
        wheel: The wheel.
        extras: Its extras that are wanted.
        target: The platform.
    """
    for line in metadata_of(wheel).get_all("Requires-Dist") or []:
        requirement = Requirement(line)
        marker = requirement.marker
        # packaging asks for an extra's name even where none is wanted
        if not marker or any(marker.evaluate({**target.environment, "extra": extra}) for extra in ("", *extras)):
            yield requirement


def collect(wheel: Path, extras: Collection[str], target: Target, folder: Path, constraints: Path) -> list[Path]:
    """Fetch all that a wheel requires, and return the wheels, its own first, then by name.

    Args:
        wheel: The wheel to install.
        extras: Its extras.
        target: The platform to install on.
        folder: Folder for what is fetched; what is there is fetched again only in other versions.
        constraints: File with the versions to take, where it names one.
    """
    here = {canonicalize_name(parse_wheel_filename(wheel.name)[0]): wheel}
    level = [(wheel, tuple(extras))]
    while level:
        wanted = [item for path, names in level for item in requirements(path, names, target)]
        wanted = [item for item in wanted if canonicalize_name(item.name) not in {*here, *target.provided}]
        files = _download(wanted, target, folder, constraints)
        here |= files
        level = [(files[name], tuple(_extras(wanted, name))) for name in files]
    return list(dict(sorted(here.items(), key=lambda item: (item[1] != wheel, item[0]))).values())


def _extras(wanted: Sequence[Requirement], name: str) -> set[str]:
    return {extra for item in wanted if canonicalize_name(item.name) == name for extra in item.extras}


def _download(wanted: Sequence[Requirement], target: Target, folder: Path, constraints: Path) -> dict[str, Path]:
    """Fetch the wheels of requirements, without those that they require."""
    if not wanted:
        return {}
    lines = {f"{item.name}{item.specifier}" for item in wanted}
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    command += ["--implementation", "cp", "--python-version", target.python, "--constraint", str(constraints)]
    command += [word for tag in target.tags for word in ("--platform", tag)]
    folder.mkdir(parents=True, exist_ok=True)
    report = folder / "level"
    report.mkdir(exist_ok=True)
    try:
        subprocess.run([*command, "--dest", str(report), "--find-links", str(folder), *sorted(lines)], check=True)
        return {
            canonicalize_name(parse_wheel_filename(path.name)[0]): path.rename(folder / path.name)
            for path in sorted(report.glob("*.whl"))
        }
    finally:
        report.rmdir()


def least_glibc(wheels: Sequence[Path]) -> str:
    """Return the oldest glibc that all wheels run with, from their manylinux tags: 2.17 at least."""
    versions = [(2, 17)]
    for wheel in wheels:
        platforms = [tag.platform for tag in parse_wheel_filename(wheel.name)[3]]
        numbers = [tuple(map(int, name.split("_")[1:3])) for name in platforms if name.startswith("manylinux_2_")]
        versions.append(min(numbers, default=(2, 17)))
    return ".".join(map(str, max(versions)))
