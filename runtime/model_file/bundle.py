"""A model file: the TFLite flatbuffer with its metadata appended as a zip entry.

The layout is the TFLite Metadata convention: interpreters ignore what follows the flatbuffer, and `zipfile`
finds its directory at the end of the file.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

from ..errors import ModelError
from ..io.atomic_files import write_atomic
from . import metadata as meta

ENTRY = "edgelstm.json"
DIGEST = "edgelstm.sha256"
LARGEST = 1 << 30  # bytes; a recurrent model for a small computer is far below 1 GiB
LARGEST_METADATA = 1 << 26


@dataclass(frozen=True)
class Bundle:
    """One `.tflite` file in memory."""

    flatbuffer: bytes
    """The model as the interpreter takes it."""
    metadata: meta.Metadata
    """What the device needs beside it."""
    origin: str = "model.tflite"
    """File name, for messages."""

    def to_bytes(self) -> bytes:
        """The file's content; the same bundle gives the same bytes."""
        buffer = io.BytesIO()
        buffer.write(self.flatbuffer + b"\0" * (-len(self.flatbuffer) % 16))
        body = buffer.getvalue()
        with zipfile.ZipFile(buffer, "a", zipfile.ZIP_DEFLATED) as archive:
            for name, content in (
                (ENTRY, meta.to_json(self.metadata)),
                (DIGEST, hashlib.sha256(body).hexdigest().encode()),
            ):
                entry = zipfile.ZipInfo(name)  # date 1980-01-01: nothing in a file may vary from run to run
                entry.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(entry, content)
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
    """The bytes of a model file.

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
    """Take a file's content apart.

    Raises:
        ModelError: As `load_bundle`.
    """
    if content[4:8] != b"TFL3":
        hint = " This is a Keras model: convert it first with `edgelstm convert`." if content[:2] == b"PK" else ""
        raise ModelError(f"{origin} is not a TFLite model (no TFL3 mark).{hint}")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if max(archive.getinfo(name).file_size for name in (ENTRY, DIGEST)) > LARGEST_METADATA:
                raise ModelError(f"{origin} has metadata of an impossible size. Copy the file again.")
            text, digest = archive.read(ENTRY), archive.read(DIGEST).decode()
            body = content[: min(entry.header_offset for entry in archive.infolist())]
    except KeyError as error:
        raise ModelError(
            f"{origin} carries no edgelstm metadata. Convert the Keras model with `edgelstm convert`."
        ) from error
    except (
        zipfile.BadZipFile,
        zipfile.LargeZipFile,
        EOFError,
        OSError,
        ValueError,
        NotImplementedError,
        RuntimeError,
    ) as error:
        raise ModelError(
            f"{origin} is truncated, or was not made by edgelstm (no metadata at its end). "
            "Copy the file again, or convert the Keras model with `edgelstm convert`."
        ) from error
    except Exception as error:
        if isinstance(error, ModelError):
            raise
        # zlib.error has no public base class
        raise ModelError(f"{origin} is damaged ({error}). Copy the file again.") from error
    if hashlib.sha256(body).hexdigest() != digest:
        raise ModelError(f"{origin} is damaged (its checksum does not fit). Copy the file again.")
    return Bundle(body, meta.from_json(text, origin), origin)
