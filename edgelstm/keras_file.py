"""The `.keras` file as a carrier: metadata and representative data ride along as extra zip members.

Stock Keras loads such a file as if they were not there, and drops them when it saves it again.
"""

import io
import os
import shutil
import tempfile
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgelstm.runtime.errors import ModelError
from edgelstm.runtime.io.atomic_files import replacing
from edgelstm.runtime.model_file import metadata as meta
from edgelstm.runtime.model_file.bounded_json import LARGEST as LARGEST_METADATA
from edgelstm.runtime.model_file.bundle import load_bundle, read_member

from .tensorflow import load_tensorflow

METADATA, DATA = "edgelstm.json", "edgelstm.npz"
LARGEST_DATA = 1 << 28  # bytes of representative rows, packed or not
HDF5 = b"\x89HDF\r\n\x1a\n"
PARTS = ("segments", "held", "answers")
Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Representative:
    """Scaled samples of normal operation, in time order; no window may span two segments."""

    segments: tuple[Array, ...]
    """Contiguous stretches, each (T_i, F), to choose quantization ranges and score statistics on; of a text model one
    array of whole texts, (N, L, K)."""
    held: tuple[Array, ...]
    """A later, held-back tail, each (T_i, F), to prove the conversion on."""
    answers: tuple[Array, ...] = ()
    """What the held-back windows of a model that forecasts should give; empty for others."""


def save_keras(model: Any, path: Path | str, metadata: meta.Metadata, representative: Representative | None) -> None:
    """Write a Keras model with its metadata and, unless None, its representative data.

    Raises:
        OutputError: If the file cannot be written.
    """
    with (
        replacing(path) as beside,
        tempfile.TemporaryDirectory(dir=beside.parent, prefix=".edgelstm-") as folder,
    ):
        plain = os.path.join(folder, "model.keras")
        model.save(plain)
        with zipfile.ZipFile(plain, "a") as archive:
            archive.writestr(zipfile.ZipInfo(METADATA), meta.to_json(metadata))
            if representative is not None:
                archive.writestr(zipfile.ZipInfo(DATA), _pack(representative))
        shutil.copyfile(plain, beside)


def read_extras(path: Path | str) -> tuple[meta.Metadata | None, Representative | None]:
    """The extra members of a `.keras` file, None for each that is not there.

    Raises:
        ModelError: If the file is missing or not a `.keras` archive.
    """
    path = Path(path)
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
            if "config.json" not in names:
                raise ModelError(
                    f"{path} is a zip archive but not a Keras 3 model (no config.json). Save it with model.save('name.keras')."
                )
            metadata = (
                meta.from_json(read_member(archive, METADATA, LARGEST_METADATA), path.name)
                if METADATA in names
                else None
            )
            data = _unpack(read_member(archive, DATA, LARGEST_DATA)) if DATA in names else None
    except FileNotFoundError as error:
        raise ModelError(f"There is no model {path}. Check the name, or make one with `edgelstm train`.") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, KeyError, NotImplementedError, MemoryError) as error:
        raise ModelError(_not_keras(path, error)) from error
    except IsADirectoryError as error:
        raise ModelError(
            f"{path} is a folder, such as a SavedModel, which holds a traced graph instead of layers. "
            "Save the model where it was built: model.save('name.keras')."
        ) from error
    except OSError as error:
        raise ModelError(f"Cannot read {path}: {error.strerror or error}.") from error
    return metadata, data


def _not_keras(path: Path, error: Exception) -> str:
    """What another file is, and how to come by a `.keras` one."""
    with path.open("rb") as file:
        hdf5 = file.read(len(HDF5)) == HDF5
    if not hdf5:
        return f"{path} is not a Keras 3 model file ({error}). Save it with model.save('name.keras')."
    if path.name.endswith(".weights.h5"):
        return (
            f"{path} holds weights alone, without layers. Build the model, then model.load_weights({path.name!r}) and "
            "model.save('name.keras')."
        )
    return (
        f"{path} is an HDF5 file, Keras' older form, which may carry code. Save it anew where you trust it: "
        f"keras.models.load_model({path.name!r}, compile=False).save('name.keras')."
    )


def model_parts(path: Path) -> tuple[meta.Metadata, bytes]:
    """Metadata of a model file, and the flatbuffer of a `.tflite` one (empty for `.keras`).

    Raises:
        ModelError: If it is neither, or carries no metadata of ours.
    """
    if path.suffix != ".keras":
        bundle = load_bundle(path)
        return bundle.metadata, bundle.flatbuffer
    metadata, _ = read_extras(path)
    if metadata is None:
        raise ModelError(
            f"{path.name} carries no edgelstm metadata. Train it with `edgelstm train`, "
            "or give rows of normal operation with --calibration FILE, where the command takes it."
        )
    return metadata, b""


def load_keras(path: Path | str) -> Any:
    """Load the Keras model itself, in safe mode (a file that wants to run code is refused).

    Raises:
        ModelError: If it is not a Keras 3 model, or needs code that the file cannot carry.
    """
    read_extras(path)
    load_tensorflow()
    import keras

    try:
        return keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:
        reason = " ".join(str(error).split())
        raise ModelError(
            f"{Path(path).name} cannot be loaded in Keras safe mode: {reason[:300]} "
            "Models with Lambda layers or custom objects run code from the file and are refused; use built-in layers."
        ) from error


def _pack(data: Representative) -> bytes:
    buffer = io.BytesIO()
    arrays = {f"{part}{i:04}": array for part in PARTS for i, array in enumerate(getattr(data, part))}
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def _unpack(content: bytes) -> Representative:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        size = sum(entry.file_size for entry in archive.infolist())
    if size > LARGEST_DATA:
        raise ValueError(f"representative data of {size >> 20} MiB")
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        names = sorted(arrays.files)
        pick = {part: tuple(arrays[name] for name in names if name.startswith(part)) for part in PARTS}
    return Representative(**pick)
