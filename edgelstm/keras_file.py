"""The `.keras` file as a carrier: metadata and representative data ride along as extra zip members.

Stock Keras loads such a file as if they were not there, and drops them when it saves it again.
"""

import io
import json
import os
import re
import tempfile
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from edgelstm.runtime.errors import ModelError
from edgelstm.runtime.inference.flatbuffer.reader import MARK
from edgelstm.runtime.io.atomic_files import replacing
from edgelstm.runtime.model_file import metadata as meta
from edgelstm.runtime.model_file.bounded_json import LARGEST as LARGEST_METADATA
from edgelstm.runtime.model_file.bundle import load_bundle, read_member

from .keras2_file import load_keras2
from .keras_config import check_safe, is_hdf5, read_config
from .tensorflow import load_tensorflow

METADATA, DATA = "edgelstm.json", "edgelstm.npz"
LARGEST_DATA = 1 << 28  # bytes of representative rows, packed or not
SHARED = re.compile(rb'("shared_object_id": )(\d+)')  # by which Keras tells that two layers share an object
PARTS = ("segments", "held", "answers")
Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Representative:
    """Scaled samples of normal operation, in time order; no window may span two segments."""

    segments: tuple[Array, ...]
    """Contiguous stretches, each (T_i, F), to choose quantization ranges and score statistics on; of a text model one
    array of whole texts, (N, L, K)."""
    held: tuple[Array, ...]
    """A later, held-back tail, each (T_i, F), to validate the conversion on."""
    answers: tuple[Array, ...] = ()
    """Targets of the held-back windows of a model that forecasts; empty for others."""

    @property
    def normal(self) -> list[Array]:
        """All stretches: those to choose on, then those held back."""
        return [*self.segments, *self.held]

    def __repr__(self) -> str:
        sizes = (sum(map(len, parts)) for parts in (self.segments, self.held))
        return "Representative({} rows, {} held back)".format(*sizes)


def save_keras(
    model: Any, path: Path | str, metadata: meta.Metadata | None, representative: Representative | None
) -> None:
    """Write a Keras model with, unless None, its metadata and its representative data: the same model, the same bytes.

    Args:
        model: Keras model.
        path: File to write.
        metadata: What the converter and the device need beside the weights.
        representative: Scaled representative data, or None.

    Raises:
        OutputError: If the file cannot be written.
    """
    with (
        replacing(path) as beside,
        tempfile.TemporaryDirectory(dir=beside.parent, prefix=".edgelstm-") as folder,
    ):
        plain = os.path.join(folder, "model.keras")
        model.save(plain)
        with zipfile.ZipFile(plain) as saved, zipfile.ZipFile(beside, "w") as archive:
            _copy_undated(saved, archive)
            if metadata is not None:
                archive.writestr(zipfile.ZipInfo(METADATA), meta.to_json(metadata))
            if representative is not None:
                archive.writestr(zipfile.ZipInfo(DATA), _pack(representative))


def _copy_undated(saved: zipfile.ZipFile, archive: zipfile.ZipFile) -> None:
    """Copy what Keras saved, without date and memory addresses: the same weights give the same file."""
    for name in saved.namelist():
        content = saved.read(name)
        if name == "metadata.json":
            facts = json.loads(content)
            facts.pop("date_saved", None)
            content = json.dumps(facts).encode()
        if name == "config.json":
            content = _renumbered(content)
        archive.writestr(zipfile.ZipInfo(name), content)


def _renumbered(config: bytes) -> bytes:
    numbers: dict[bytes, bytes] = {}
    return SHARED.sub(lambda match: match[1] + numbers.setdefault(match[2], b"%d" % len(numbers)), config)


def read_extras(path: Path | str) -> tuple[meta.Metadata | None, Representative | None]:
    """Read the extra members of a `.keras` file, None for each that is not there, as in every `.h5` file.

    Raises:
        ModelError: If the file is missing or no Keras model.
    """
    path = Path(path)
    try:
        if is_hdf5(path):
            read_config(path)
            return None, None
        _check_unconverted(path)
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
        raise ModelError(
            f"{path} is not a Keras model file ({error}). Save it with model.save('name.keras')."
        ) from error
    except IsADirectoryError as error:
        raise ModelError(
            f"{path} is a folder, such as a SavedModel, which holds a traced graph instead of layers. "
            "Save the model where it was built: model.save('name.keras')."
        ) from error
    except OSError as error:
        raise ModelError(f"Cannot read {path}: {error.strerror or error}.") from error
    return metadata, data


def _check_unconverted(path: Path) -> None:
    """Refuse a converted model by name: ours end with a zip archive of metadata, so that they would pass for a damaged one."""
    with path.open("rb") as file:
        if file.read(8)[4:] == MARK:
            raise ModelError(
                f"{path} is a TFLite model, converted already; a Keras model is wanted here. Name the .keras file that it was "
                "made from: layers and weights cannot be taken back from it."
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


def load_keras(path: Path | str, custom_objects: Mapping[str, Any] = MappingProxyType({})) -> Any:
    """Load the Keras model itself, in safe mode (a file that wants to run code is refused); files of Keras 2, too.

    Args:
        path: A `.keras` or `.h5` file.
        custom_objects: Classes and functions of the user's own, by name.

    Raises:
        ModelError: If it is no Keras model, or needs code that the file cannot carry.
    """
    path = Path(path)
    read_extras(path)
    config = read_config(path)
    check_safe(path.name, config, frozenset(name.rsplit(">", 1)[-1] for name in custom_objects))  # a package in front
    load_tensorflow()
    import keras

    try:
        if config.old:
            return load_keras2(path, config, dict(custom_objects))
        return keras.models.load_model(path, compile=False, safe_mode=True, custom_objects=dict(custom_objects))
    except ModelError:
        raise
    except Exception as error:  # Keras raises what it likes
        reason = " ".join(str(error).split()).split(". ")[0]
        raise ModelError(
            f"{path.name} cannot be loaded by Keras {keras.__version__}: {reason[:200].rstrip('.')}. Load it where it was "
            "made, build it anew from built-in layers, copy the weights (set_weights), and save it as name.keras."
        ) from error


def needs_loading(path: Path) -> bool:
    """Test whether a file must be loaded here because a plain `keras.models.load_model` does not read it."""
    return is_hdf5(path) or read_config(path).old


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
