"""Writing files so that a crash or a power cut leaves the old one or the new one, never half of one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import OutputError


@contextmanager
def replacing(path: Path | str, mode: int = 0o666) -> Iterator[Path]:
    """Give a temporary name beside `path`; rename it into place when the block ends well.

    Order: write, fsync, rename, fsync of the folder (the order that survives a power cut on ext4 and on SD cards).

    Args:
        path: The file to be made or replaced.
        mode: Permission bits of a new file, before the umask.

    Raises:
        OutputError: If the folder is missing or not writable, or the disk is full.

    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "note.txt"
    >>> with replacing(target) as beside:
    ...     _ = beside.write_text("whole or not at all")
    >>> target.read_text()
    'whole or not at all'
    """
    target = Path(path)
    if _is_device(target):
        with _through(target) as beside:
            yield beside
        return
    target = target.resolve() if os.path.islink(target) else target
    beside = target.with_name(f".{target.name}.{os.getpid()}-{os.urandom(4).hex()}.part")
    try:
        os.close(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode))
        yield beside
        _sync(beside)
        os.replace(beside, target)
        _sync(target.parent)
    except OSError as error:
        raise OutputError(f"Cannot write {target}: {error.strerror or error}. {_remedy(error, target)}") from error
    finally:
        with suppress(OSError):
            beside.unlink()


def _is_device(target: Path) -> bool:
    """Tell whether a path is a device or a pipe, such as /dev/stdout."""
    # os.path, since Path's own questions raise where this user may not look
    return os.path.exists(target) and not os.path.isfile(target) and not os.path.isdir(target)


@contextmanager
def _through(device: Path) -> Iterator[Path]:
    """Write into a device or a pipe, such as /dev/stdout; a rename would put a file in its place."""
    import shutil
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        beside = Path(folder) / "output"
        beside.touch()
        yield beside
        try:
            with beside.open("rb") as content, device.open("wb", buffering=0) as stream:
                shutil.copyfileobj(content, stream)
        except OSError as error:
            raise OutputError(f"Cannot write {device}: {error.strerror or error}. {_remedy(error, device)}") from error


def write_atomic(path: Path | str, content: bytes, mode: int = 0o666) -> None:
    """Write `content` to `path`, whole or not at all.

    Args:
        path: The file to be made or replaced.
        content: Its bytes.
        mode: Permission bits of the new file, before the umask; it has them from the first instant.

    Raises:
        OutputError: If the folder is missing or not writable, or the disk is full.
    """
    with replacing(path, mode) as beside:
        beside.write_bytes(content)


def check_apart(output: Path | str, *inputs: Path | str | None) -> None:
    """Find out before any work whether its result would replace what is read.

    Args:
        output: File to write, or to append to.
        *inputs: Files that are read, `-` for standard input; None and addresses that are no files are passed over.

    Raises:
        OutputError: If the output is one of them, by whatever name.

    >>> import tempfile
    >>> data = Path(tempfile.mkdtemp()) / "pump.csv"
    >>> check_apart(data, data)  # there is nothing to lose yet
    >>> _ = data.write_text("flow")
    >>> check_apart(data, data)
    Traceback (most recent call last):
    edgelstm.runtime.errors.OutputError: Cannot write ...pump.csv: it is the input ...pump.csv. Name another output.
    """
    if not os.path.isfile(output):  # a terminal is read and written
        return
    for path in filter(None, inputs):
        with suppress(OSError, ValueError):  # no file, or not even a name of one
            piped = str(path) == "-"
            if os.path.samefile(output, 0 if piped else str(path)):
                name = "standard input" if piped else path
                raise OutputError(f"Cannot write {output}: it is the input {name}. Name another output.")


def check_writable(path: Path | str, *inputs: Path | str | None) -> None:
    """Find out before long work whether its result could be written.

    Args:
        path: File to write.
        *inputs: Files that are read, see `check_apart`.

    Raises:
        OutputError: If the folder is missing or not writable, or the path is a folder or one of the inputs.
    """
    target = Path(path)
    check_apart(target, *inputs)
    if _is_device(target):
        return
    if target.is_dir():
        raise OutputError(f"Cannot write {target}: it is a folder. Name a file.")
    if not target.parent.is_dir():
        raise OutputError(f"Cannot write {target}: there is no folder {target.parent}. Make it first.")
    if not os.access(target.parent, os.W_OK | os.X_OK):
        raise OutputError(f"Cannot write {target}: no permission in {target.parent.absolute()}. Choose another output.")


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remedy(error: OSError, target: Path) -> str:
    if isinstance(error, FileNotFoundError):
        return f"Make the folder {target.parent} first, or name another output."
    if isinstance(error, PermissionError):
        return "Choose an output that this user may write."
    return "Free some space or choose another output."
