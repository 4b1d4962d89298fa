"""Model file: the TFLite flatbuffer with its metadata appended as a zip entry.

The layout is the TFLite Metadata convention: interpreters ignore what follows the flatbuffer, and `zipfile`
finds its directory at the end of the file.
"""

from __future__ import annotations

import hashlib
import io
import struct
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import ModelError, NoMetadataError
from ..inference.flatbuffer.reader import read_model
from ..inference.flatbuffer.verifier import verify
from ..io.atomic_files import write_atomic
from . import metadata as meta
from .bounded_json import LARGEST as LARGEST_METADATA

ENTRY = "edgelstm.json"
DIGEST = "edgelstm.sha256"  # member of files of metadata schema 1; since then the checksum is the zip file's comment
LARGEST = 1 << 28  # bytes; a recurrent model for a small computer is far below 256 MiB
LARGEST_DIRECTORY = 1 << 16  # bytes of the zip directory; ours has two entries


@dataclass(frozen=True)
class Bundle:
    """Model file in memory."""

    flatbuffer: bytes = field(repr=False)
    """Model for the interpreter."""
    metadata: meta.Metadata
    """Description of the model for the device."""
    origin: str = "model.tflite"
    """File name, for messages."""

    def to_bytes(self) -> bytes:
        """Encode the file; the same bundle gives the same bytes."""
        buffer = io.BytesIO()
        buffer.write(self.flatbuffer + b"\0" * (-len(self.flatbuffer) % 16))
        body = buffer.getvalue()
        with zipfile.ZipFile(buffer, "a", zipfile.ZIP_DEFLATED) as archive:
            entry = zipfile.ZipInfo(ENTRY)  # date 1980-01-01: nothing in a file may vary from run to run
            archive.writestr(entry, meta.to_json(self.metadata), zipfile.ZIP_DEFLATED, compresslevel=9)
            archive.comment = hashlib.sha256(body).digest()
        return buffer.getvalue()

    def save(self, path: Path | str) -> None:
        """Write the file, whole or not at all.

        Raises:
            OutputError: If it cannot be written.
        """
        write_atomic(path, self.to_bytes())


def load_bundle(path: Path | str) -> Bundle:
    """Read a `.tflite` file and check it whole.

    Raises:
        ModelError: If the file is missing, truncated, damaged, not TFLite, or carries no edgelstm metadata.
    """
    path = Path(path)
    return parse_bundle(read_model_file(path), path.name)


def read_model_file(path: Path) -> bytes:
    """Read the bytes of a model file.

    Raises:
        ModelError: If it is missing, a folder, not readable, or too large to be one.
    """
    try:
        if path.is_file() and path.stat().st_size > LARGEST:
            raise ModelError(f"{path} is larger than {LARGEST >> 20} MiB: not a model of this tool.")
        return path.read_bytes()
    except FileNotFoundError as error:
        raise ModelError(f"There is no model {path}. Check the name, or make one with `edgelstm convert`.") from error
    except OSError as error:
        raise ModelError(f"Cannot read {path}: {error.strerror or error}.") from error


def parse_bundle(content: bytes, origin: str = "model.tflite") -> Bundle:
    """Take a file's content apart and verify it: checksum, metadata and flatbuffer.

    Args:
        content: Bytes of the file.
        origin: Its name, for errors.

    Raises:
        ModelError: As `load_bundle`.
    """
    if content[4:8] != b"TFL3":
        hint = " This is a Keras model: convert it first with `edgelstm convert`." if content[:2] == b"PK" else ""
        raise ModelError(f"{origin} is not a TFLite model (no TFL3 mark).{hint}")
    text, digest, body = _take_apart(content, origin)
    if hashlib.sha256(body).digest() != digest:
        raise ModelError(f"{origin} is damaged (its checksum does not fit). Copy the file again.")
    metadata = meta.from_json(text, origin)
    verify(read_model(body, origin), origin)
    return Bundle(body, metadata, origin)


def _take_apart(content: bytes, origin: str) -> tuple[bytes, bytes, bytes]:
    """Metadata, checksum and flatbuffer of a file; each bounded, whatever sizes the directory names."""
    try:
        if _directory_size(content) > LARGEST_DIRECTORY:
            raise ModelError(f"{origin} has a zip directory of an impossible size. Copy the file again.")
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            text = read_member(archive, ENTRY, LARGEST_METADATA)
            digest = archive.comment or _older_digest(archive)
            body = content[: min(entry.header_offset for entry in archive.infolist())]
    except KeyError as error:
        raise NoMetadataError(
            f"{origin} carries no edgelstm metadata. Convert the Keras model with `edgelstm convert`."
        ) from error
    except zipfile.BadZipFile as error:
        raise NoMetadataError(
            f"{origin} is truncated, or was not made by edgelstm (no metadata at its end). "
            "Copy the file again, or convert the Keras model with `edgelstm convert`."
        ) from error
    except ModelError:
        raise
    except Exception as error:  # zlib.error has no public base class; zipfile raises a dozen others
        raise ModelError(f"{origin} is damaged ({error}). Copy the file again.") from error
    return text, digest, body


def _older_digest(archive: zipfile.ZipFile) -> bytes:
    """Checksum of a file of metadata schema 1; empty when it is no checksum."""
    written = read_member(archive, DIGEST, len(hashlib.sha256().hexdigest()))
    return bytes.fromhex(written.decode("ascii"))


def _directory_size(content: bytes) -> int:
    """Bytes of a zip file's directory as its end says, 0 without one: `zipfile` would read it all."""
    end = content.rfind(b"PK\5\6")
    return int(struct.unpack_from("<I", content, end + 12)[0]) if 0 <= end <= len(content) - 16 else 0


def read_member(archive: zipfile.ZipFile, name: str, largest: int) -> bytes:
    """Inflate a member of a zip file, but no more of it than it may have.

    Args:
        archive: The zip file.
        name: Of the member.
        largest: Bytes that it may have; the size in the directory may be a lie.

    Raises:
        KeyError: If there is none of this name.
        ModelError: If it is larger, or packed in another way than zip files mostly are.
    """
    entry = archive.getinfo(name)
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ModelError(f"{name} in the model file is packed in an unusual way. Copy the file again.")
    with archive.open(entry) as member:
        content = member.read(largest + 1)
    if len(content) > largest or entry.file_size > largest:
        raise ModelError(
            f"{name} in the model file is of an impossible size (above {largest:,} bytes). Copy the file again."
        )
    return content
