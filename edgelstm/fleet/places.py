"""Folders by address: plain ones, and those of object stores through fsspec."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from edgelstm.runtime.errors import OutputError, SeriesError
from edgelstm.runtime.io.atomic_files import write_atomic


@dataclass(frozen=True)
class Place:
    """A folder, such as `models/` or `s3://plant/models`."""

    url: str
    """Its address, as fsspec takes it."""

    @cached_property
    def _opened(self) -> tuple[Any, str]:
        import fsspec

        try:
            system, root = fsspec.core.url_to_fs(self.url)
        except (ImportError, ValueError) as error:
            raise SeriesError(f"Cannot open {self.url}: {error}.") from error
        return system, str(root).rstrip("/")

    def __getstate__(self) -> dict[str, str]:
        """Return the address alone, a whole one: neither a connection nor a working directory travels to another process."""
        return {"url": self.address}

    def __setstate__(self, state: dict[str, str]) -> None:
        self.__dict__.update(state)

    @property
    def system(self) -> Any:
        """The file system, as fsspec has it."""
        return self._opened[0]

    @property
    def is_local(self) -> bool:
        """True for a folder of this machine."""
        return "file" in _protocols(self.system)

    @property
    def address(self) -> str:
        """Its address, the same from any working directory."""
        return self.path() if self.is_local else self.url

    def path(self, name: str = "") -> str:
        """Path of a file within the file system."""
        return f"{self._opened[1]}/{name}" if name else self._opened[1]

    def read(self, name: str) -> bytes | None:
        """Return a file's content; None where there is no such file."""
        try:
            content: bytes = self.system.cat_file(self.path(name))
        except FileNotFoundError:
            return None
        return content

    def write(self, name: str, content: bytes) -> None:
        """Write a file whole or not at all; an object store does so by itself.

        Args:
            name: Path below the folder.
            content: Bytes of the file.

        Raises:
            OutputError: If it cannot be written.
        """
        path = self.path(name)
        self._prepare(path)
        if self.is_local:
            write_atomic(path, content)
            return
        try:
            self.system.pipe_file(path, content)
        except OSError as error:
            raise OutputError(f"Cannot write {path}: {error}. Check the address and the permissions.") from error

    def create(self, name: str, content: bytes) -> bool:
        """Write a file unless it is there already; tell whether it was written.

        Args:
            name: Path below the folder.
            content: Bytes of the file.
        """
        path = self.path(name)
        self._prepare(path)
        if not self.is_local:
            try:
                self.system.pipe_file(path, content, mode="create")
            except FileExistsError:
                return False
            return True
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        except FileExistsError:
            return False
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
        return True

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        with contextlib.suppress(FileNotFoundError):
            self.system.rm_file(self.path(name))

    def names(self, under: str = "") -> list[str]:
        """Names of the files in a folder below, without those of its own folders, sorted."""
        self.system.invalidate_cache()
        try:
            entries = self.system.ls(self.path(under), detail=True)
        except FileNotFoundError:
            return []
        names = [str(entry["name"]).rsplit("/", 1)[1] for entry in entries if entry["type"] == "file"]
        return sorted(name for name in names if not name.endswith(".part"))

    def _prepare(self, path: str) -> None:
        folder = path.rsplit("/", 1)[0]
        try:
            self.system.makedirs(folder, exist_ok=True)
        except OSError as error:
            raise OutputError(f"Cannot make the folder {folder}: {error.strerror or error}.") from error


def _protocols(system: Any) -> tuple[str, ...]:
    names = system.protocol
    return (names,) if isinstance(names, str) else tuple(names)


def fetch(url: str, folder: Path) -> Path:
    """Return a local path of a file: its own, or a copy in a folder.

    Args:
        url: Address of the file.
        folder: Folder for the copy.

    Raises:
        SeriesError: If it cannot be read.
    """
    import fsspec

    try:
        system, path = fsspec.core.url_to_fs(url)
        if "file" in _protocols(system):
            return Path(path)
        target = folder / str(path).rsplit("/", 1)[-1]
        system.get_file(path, str(target))
    except (OSError, ImportError, ValueError) as error:
        raise SeriesError(f"Cannot read {url}: {error}. Check the address and the permissions.") from error
    return target
