"""Lines from a file or a pipe, as they come: bounded memory, and a read that can be told to stop."""

from __future__ import annotations

import codecs
import itertools
import os
import select
import zlib
from collections.abc import Callable, Iterable, Iterator
from io import FileIO
from pathlib import Path
from threading import Event as Flag

from ..errors import SeriesError

LONGEST = 1 << 20  # bytes a line; the widest data set known to us has 321 channels, some 10 kB
BLOCK = 1 << 16  # bytes a read
PARQUET, ARROW = b"PAR1", b"ARROW1"
STREAM = b"\xff\xff\xff\xff"  # where a message of an Arrow stream begins; no text does
WAIT = 0.2  # seconds after which a waiting read looks whether it should stop


class Splitter:
    r"""Cuts a byte stream into lines, holding at most one unfinished line.

    Zero bytes at a line's start are left out: a power cut leaves holes of them in files.

    Args:
        origin: Name of the stream, for errors.
        pass_over: Takes the error of a line that is too long, which is then left out, as live sources want it;
            None to raise that error.

    >>> splitter = Splitter()
    >>> splitter.feed(b"1,2\n3,"), splitter.feed(b"4\r\n"), splitter.rest()
    (['1,2'], ['3,4'], [])
    """

    def __init__(self, origin: str = "the input", pass_over: Callable[[SeriesError], object] | None = None) -> None:
        self.origin, self.pass_over = origin, pass_over
        self.count = 0
        self._rest = b""
        self._skipping = False

    def feed(self, block: bytes) -> list[str]:
        """Return the lines that a block completes, without their ends.

        Raises:
            SeriesError: If a line does not end within `LONGEST` bytes and `pass_over` is None.
        """
        *whole, rest = (self._rest + block).split(b"\n")
        lines = []
        for line in whole:
            self.count += 1
            if not self._skipping and not self._too_long(line):
                lines.append(_text(line))
            self._skipping = False
        self._rest = b"" if self._skipping else rest.lstrip(b"\0")
        if self._too_long(self._rest):
            self._rest, self._skipping = b"", True
        return lines

    def _too_long(self, line: bytes) -> bool:
        if len(line) <= LONGEST:
            return False
        error = SeriesError(
            f"A line of {self.origin} near line {self.count + 1} is longer than {LONGEST >> 10} KiB. "
            "Check that this is a text file with one row a line."
        )
        if self.pass_over is None:
            self._rest = b""
            raise error
        self.pass_over(error)
        return True

    def rest(self) -> list[str]:
        """The last line where it lacks an end."""
        rest, self._rest = self._rest, b""
        self.count += bool(rest)
        return [_text(rest)] if rest else []


def _text(line: bytes) -> str:
    """UTF-8, or else what old Windows programs write."""
    line = line.lstrip(b"\0").removesuffix(b"\r").removeprefix(codecs.BOM_UTF8)
    try:
        return line.decode()
    except UnicodeDecodeError:
        return line.decode("cp1252", "replace")


def read_lines(
    path: Path | str, stop: Flag | None = None, pass_over: Callable[[SeriesError], object] | None = None
) -> Iterator[str]:
    """The lines of a file or of standard input (`-`), gzipped or not, without their ends.

    Args:
        path: File name, `-` for standard input.
        stop: Ends the reading within `WAIT` seconds once set.
        pass_over: See `Splitter`.

    Raises:
        SeriesError: If it is missing, not readable, or damaged gzip; or a line is too long.
    """
    standard = str(path) == "-"
    name = "standard input" if standard else str(path)
    splitter = Splitter(name, pass_over)
    try:
        with open(0 if standard else path, "rb", buffering=0, closefd=not standard) as stream:
            for block in _plain(_blocks(stream, stop or Flag()), name):
                yield from splitter.feed(block)
            yield from splitter.rest()
    except FileNotFoundError as error:
        raise SeriesError(f"There is no file {path}. Check the name.") from error
    except OSError as error:
        raise SeriesError(f"Cannot read {name}: {error.strerror or error}.") from error


def _blocks(stream: FileIO, stop: Flag) -> Iterator[bytes]:
    while not stop.is_set():
        if not select.select([stream], [], [], WAIT)[0]:
            continue
        block = stream.read(BLOCK)
        if not block:
            return
        yield block


def _plain(blocks: Iterator[bytes], name: str) -> Iterator[bytes]:
    """Blocks of text from blocks of text or of gzip, told apart by their first bytes; UTF-16 becomes UTF-8."""
    first = next(blocks, b"")
    blocks = itertools.chain([first], blocks)
    if first[:2] == b"\x1f\x8b":
        blocks = _unpacked(blocks, name)
        first = next(blocks, b"")
        blocks = itertools.chain([first], blocks)
    if first[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        blocks = (text.encode() for text in codecs.iterdecode(blocks, "utf-16", "replace"))
    yield from blocks


def _unpacked(blocks: Iterator[bytes], name: str) -> Iterator[bytes]:
    try:
        yield from _gunzip(blocks)
    except (EOFError, zlib.error) as error:
        raise SeriesError(f"{name} is a truncated or damaged gzip file. Copy it again.") from error


def _gunzip(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Unpack one gzip member after the other, at most `BLOCK` bytes at a time."""
    member = zlib.decompressobj(zlib.MAX_WBITS | 16)
    for block in blocks:
        while block:
            if member.eof:
                member = zlib.decompressobj(zlib.MAX_WBITS | 16)
            yield member.decompress(block, BLOCK)
            block = member.unused_data if member.eof else member.unconsumed_tail
    yield member.flush()
    if not member.eof:
        raise EOFError


def check_rereadable(path: Path | str) -> None:
    """Refuse what can be read only once, where a file is read several times: what the first reading takes, others lack.

    Args:
        path: File name, `-` for standard input; one that is not there is passed over.

    Raises:
        SeriesError: If it is standard input, a pipe or a device.
    """
    standard = str(path) == "-"
    if standard or (os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path)):
        raise SeriesError(
            f"{'Standard input' if standard else path} can be read only once, and would be read several times. "
            "Write it to a file, and name that."
        )


def file_magic(path: Path | str) -> bytes:
    """The mark that a Parquet or Arrow file begins with; empty for any other file, and where there is none."""
    if not Path(path).is_file():  # a pipe would lose what is read here
        return b""
    try:
        with open(path, "rb") as file:
            begin = file.read(len(ARROW))
    except OSError:
        return b""
    return next((magic for magic in (PARQUET, ARROW, STREAM) if begin.startswith(magic)), b"")
