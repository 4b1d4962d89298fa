"""Files of Keras 2, read by Keras 3: the configuration is rewritten, the weights are taken as they are."""

import json
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from edgelstm.runtime.errors import ModelError

from .keras_config import CONFIG, KerasConfig, is_hdf5

DROPPED = {
    "time_major", "ragged", "batch_input_shape", "input_length", "shared_object_id", "build_config", "optional",
    "query_shape", "key_shape", "value_shape",
}  # fmt: skip
SLICE = "SlicingOpLambda"  # as in x[:, -1]
FUNCTIONAL = ("Functional", "Model")
RECURRENT = ("LSTM", "GRU", "SimpleRNN", "RNN", "Bidirectional")
LIST_TAKERS = (
    "Concatenate",
    "Add",
    "Subtract",
    "Multiply",
    "Average",
    "Maximum",
    "Minimum",
    "Dot",
    "Attention",
    "AdditiveAttention",
)


def load_keras2(path: Path, keras: KerasConfig, custom_objects: dict[str, Any]) -> Any:
    """Load a file of Keras 2.

    Args:
        path: A `.keras` or `.h5` file.
        keras: Its configuration.
        custom_objects: Classes and functions of the user's own, by name.

    Raises:
        ModelError: If a layer has rows before windows, which Keras 3 cannot.
    """
    import keras as library

    config = modernized(keras.config)
    if is_hdf5(path):
        with library.saving.custom_object_scope(custom_objects):
            model = library.saving.deserialize_keras_object(config, safe_mode=True)
        model.load_weights(path)
        return model
    with tempfile.TemporaryDirectory(prefix="edgelstm-") as folder:
        target = Path(folder) / "model.keras"
        with zipfile.ZipFile(path) as source, zipfile.ZipFile(target, "w") as archive:
            for name in source.namelist():
                archive.writestr(name, json.dumps(config) if name == CONFIG else source.read(name))
        return library.models.load_model(target, compile=False, safe_mode=True, custom_objects=custom_objects)


def modernized(part: Any, layer: str = "") -> Any:
    """A configuration of Keras 2 as Keras 3 reads it.

    Args:
        part: The configuration, or a part of it.
        layer: Name of the layer that it belongs to.

    Raises:
        ModelError: If a layer has rows before windows, which Keras 3 cannot.

    >>> modernized({"module": "keras.layers", "class_name": "LSTM", "config": {"name": "a", "time_major": False}})
    {'module': 'keras.layers', 'class_name': 'LSTM', 'config': {'name': 'a'}}
    """
    if isinstance(part, list):
        return [modernized(item, layer) for item in part]
    if not isinstance(part, dict):
        return part
    layer = part["name"] if isinstance(part.get("name"), str) else layer
    if part.get("time_major"):
        raise ModelError(
            f"Layer {layer!r} has time_major=True, which Keras 3 does not have. Build it with windows first, "
            "(windows, rows, channels), and copy its weights."
        )
    made = {name: modernized(item, layer) for name, item in part.items() if name not in DROPPED}
    if isinstance(part.get("class_name"), str) and isinstance(part.get("config"), dict):
        _place(made, part)
    return made


def _place(made: dict[str, Any], part: dict[str, Any]) -> None:
    """Say where Keras 3 has an object's class, and give the inputs of models their present form."""
    name, config = part["class_name"], part["config"]
    if name in FUNCTIONAL:
        made |= {"module": "keras.src.models.functional", "class_name": "Functional", "registered_name": "Functional"}
        _rewrite_calls(made["config"])
    elif name == "Sequential":
        made |= {"module": "keras", "registered_name": None}
        first = config["layers"][0]["config"]
        if config["layers"][0]["class_name"] != "InputLayer" and "batch_input_shape" in first:
            shape = {"batch_shape": first["batch_input_shape"], "dtype": first.get("dtype", "float32"), "name": "input"}
            entry = {"module": "keras.layers", "class_name": "InputLayer", "config": shape, "registered_name": None}
            made["config"]["layers"].insert(0, entry)
    elif name == SLICE:
        made |= {"module": "keras.src.ops.numpy", "class_name": "GetItem", "registered_name": "GetItem"}
        made["config"] = {"name": config["name"]}
    elif name == "BatchNormalization" and isinstance(config.get("axis"), list):
        (made["config"]["axis"],) = config["axis"]
    elif name == "InputLayer":
        made["config"]["batch_shape"] = config.get("batch_input_shape", config.get("batch_shape"))
    if "module" not in made:
        made |= {"module": _module(name), "registered_name": None}


def _module(name: str) -> str:
    """Module of Keras' that has a class of this name."""
    import keras

    modules = ("layers", "initializers", "regularizers", "constraints", "activations")
    return next((f"keras.{module}" for module in modules if hasattr(getattr(keras, module), name)), "keras.layers")


def _rewrite_calls(model: dict[str, Any]) -> None:
    """Write the calls of a functional model's layers as Keras 3 does."""
    layers = {entry["name"]: entry for entry in model["layers"]}
    places = [*_places([entry.get("inbound_nodes", []) for entry in model["layers"]]), *_places(model["output_layers"])]
    for name, entry in layers.items():
        # a nested model's own graph counts as its first call in Keras 2
        calls = [place[1] for place in places if place[0] == name]
        ahead = max(calls, default=0) - max(0, len(entry.get("inbound_nodes", [])) - 1)
        for place in places:
            if place[0] == name and ahead > 0:
                place[1] -= ahead
    for entry in model["layers"]:
        kind = entry["class_name"]
        entry["inbound_nodes"] = [_node(kind, node) for node in entry.get("inbound_nodes", [])]


def _places(part: Any) -> list[list[Any]]:
    """All references [layer, call, output, …] within a part of a configuration."""
    if isinstance(part, dict):
        return _places(list(part.values()))
    if not isinstance(part, list):
        return []
    within = [place for item in part for place in _places(item)]
    return [part, *within] if _is_tensor(part[:3]) else within


def _node(kind: str, node: Any) -> Any:
    """A call of a layer, [[layer, call, output, arguments] …], as Keras 3 writes it."""
    if not isinstance(node, list):
        return node
    if kind == "GetItem":
        place = node[0] if isinstance(node[0], list) else node
        return {"args": [_tensor(place[:3]), [_index(item) for item in place[3]["slice_spec"]]], "kwargs": {}}
    tensors = [_tensor(item[:3]) for item in node]
    named = {
        name: _tensor(value) if _is_tensor(value) else value
        for item in node
        for name, value in (item[3] if len(item) > 3 else {}).items()
        if value is not None
    }
    if kind in RECURRENT and len(tensors) > 1:
        return {"args": tensors[:1], "kwargs": {**named, "initial_state": tensors[1:]}}
    return {"args": [tensors] if len(tensors) > 1 or kind in LIST_TAKERS else tensors, "kwargs": named}


def _index(item: Any) -> Any:
    """A part of an index; a slice is an object of its own in Keras 3."""
    return {"class_name": "__slice__", "config": item} if isinstance(item, dict) else item


def _is_tensor(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 3 and isinstance(value[0], str) and isinstance(value[1], int)


def _tensor(place: Any) -> dict[str, Any]:
    """The output of a layer's call; its shape is computed anew when the model is built."""
    history = {"shape": [None], "dtype": "float32", "keras_history": list(place)}
    return {"class_name": "__keras_tensor__", "config": history}
