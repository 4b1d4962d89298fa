"""Configuration of a saved Keras model, read without loading Keras: what it is made of, and what stands in the way."""

import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgelstm.runtime.errors import ModelError
from edgelstm.runtime.model_file.bundle import read_member

HDF5 = b"\x89HDF\r\n\x1a\n"
CONFIG, INFO = "config.json", "metadata.json"
LARGEST = 1 << 26  # bytes of a configuration
BUILT_IN = ("keras", "tf_keras", "builtins")
MODELS = ("", "Sequential", "Functional", "Model")
OPERATIONS = {"TFOpLambda", "TensorFlowOpLayer", "ClassMethod", "InstanceMethod", "InstanceProperty"}


@dataclass(frozen=True)
class KerasConfig:
    """A model's layers as a file describes them."""

    config: dict[str, Any]
    """Serialized model."""
    version: str
    """Keras that wrote it, empty when the file does not say."""

    @property
    def old(self) -> bool:
        """Written by Keras 2."""
        return self.version.startswith("2")


def is_hdf5(path: Path) -> bool:
    """Test whether a file is an HDF5 one."""
    with path.open("rb") as file:
        return file.read(len(HDF5)) == HDF5


def read_config(path: Path) -> KerasConfig:
    """Read the configuration of a `.keras` or `.h5` file.

    Raises:
        ModelError: If it holds none, as a file of weights alone.
    """
    if is_hdf5(path):
        import h5py

        with h5py.File(path, "r") as file:
            text, version = file.attrs.get("model_config"), file.attrs.get("keras_version", "2")
        if text is None:
            raise ModelError(
                f"{path} holds weights alone, without layers. Build the model, then model.load_weights({path.name!r}) and "
                "model.save('name.keras')."
            )
        return KerasConfig(json.loads(text), _text(version))
    with zipfile.ZipFile(path) as archive:
        info = json.loads(read_member(archive, INFO, LARGEST)) if INFO in archive.namelist() else {}
        return KerasConfig(json.loads(read_member(archive, CONFIG, LARGEST)), str(info.get("keras_version", "")))


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def check_safe(name: str, keras: KerasConfig, known: frozenset[str] = frozenset()) -> None:
    """Refuse what a file cannot carry: classes and functions of the user's own, and code.

    Args:
        name: The file's, for the error.
        keras: Its configuration.
        known: Names of classes and functions that the caller has.

    Raises:
        ModelError: It names the layer, the reason and the way out.
    """
    for layer, kind, part in _parts(keras.config, "", ""):
        if kind == "Lambda" or part == "Lambda":
            raise ModelError(
                f"{name}: layer {layer!r} is a Lambda, whose code Keras' safe mode does not run from a file. Replace it by "
                "built-in layers or keras.ops, and save the model again."
            )
        if part in OPERATIONS:
            raise ModelError(
                f"{name}: layer {layer!r} is an operation of TensorFlow that Keras 2 recorded as {part}, which Keras 3 does "
                "not read. Build the model with built-in layers (keras.ops.take, Reshape, …) and copy its weights over."
            )
        if part and part not in known:
            holds = f"is {part}" if part == kind else f"({kind}) holds {part}"
            raise ModelError(
                f"{name}: layer {layer!r} {holds}, a class or function of your own, whose code no file carries. Convert it "
                f"in Python, where it is known: edgelstm.convert({name!r}, rows, "
                f"custom_objects={{{part!r}: {part}}})."
            )


def _parts(config: Any, layer: str, kind: str) -> Iterator[tuple[str, str, str]]:
    """(layer name, its class, a part that is not built in or "") for every serialized object."""
    if isinstance(config, list):
        for item in config:
            yield from _parts(item, layer, kind)
    if not isinstance(config, dict):
        return
    inner = config.get("config")
    if isinstance(config.get("class_name"), str):
        class_name = config["class_name"].rsplit(">", 1)[-1]
        own = _own(config, inner)
        if isinstance(inner, dict) and isinstance(inner.get("name"), str) and (kind in MODELS or not own):
            layer, kind = inner["name"], class_name
        if class_name in ("Lambda", *OPERATIONS):
            yield layer, kind, class_name
        elif own:
            yield layer, kind, str(inner) if class_name == "function" else class_name
    for name, item in config.items():
        if name != "build_config":
            yield from _parts(item, layer, kind)


def _own(config: dict[str, Any], inner: Any) -> bool:
    """Test whether an object is none of Keras' own; files of Keras 2 name no module, but register others with a `>`."""
    registered = config.get("registered_name")
    if ">" in config["class_name"] or (isinstance(registered, str) and ">" in registered):
        return True
    if config["class_name"] == "function":
        return isinstance(inner, str) and config.get("module") == "builtins"
    return "module" in config and not str(config["module"] or "").startswith(BUILT_IN)
