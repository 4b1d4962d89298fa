"""A narrower copy of a Keras model: fewer units in its recurrent layers, the ones that matter most, with their weights."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from edgelstm.runtime.errors import ConversionError

from .recurrent import GATES, Kept, most_important, narrow_config, outputs_kept, selected_weights, units_of

Array = npt.NDArray[Any]
SAME = {  # layers that leave the last axis as it is
    "Dropout", "SpatialDropout1D", "GaussianNoise", "RepeatVector", "Activation", "ReLU", "LeakyReLU", "GlobalAveragePooling1D",
    "GlobalMaxPooling1D", "MaxPooling1D", "AveragePooling1D", "Masking",
}  # fmt: skip
BY_CHANNEL = {"BatchNormalization", "LayerNormalization"}


def check_recurrent(model: Any) -> None:
    """Refuse a model without recurrent layers at its top level.

    Raises:
        ConversionError: If there are none.
    """
    if not units_of(model):
        raise ConversionError(
            f"Shrinking takes units out of {', '.join(GATES)} layers, and the model has none at its top level. Narrow the "
            "layers within its nested ones by hand, and train again."
        )


def narrowed(model: Any, units: Mapping[str, int], windows: tuple[Array, ...]) -> Any:
    """A copy with fewer units.

    Args:
        model: A Sequential or functional Keras model.
        units: Units of each recurrent layer of the copy, by its name; of each direction where there are two.
        windows: Representative windows, (N, ...) an input: they show which units matter.

    Returns:
        The copy, with the weights of the units that stay wherever it is clear which these are; other weights are fresh.

    Raises:
        ConversionError: If the model has no recurrent layer at its top level, or cannot be made with fewer units.
    """
    import keras

    check_recurrent(model)
    config = model.get_config()
    for item in config["layers"]:
        item.pop("build_config", None)
        if item["config"]["name"] in units:
            narrow_config(item, units[item["config"]["name"]])
    keras.utils.set_random_seed(0)
    try:
        copy = type(model).from_config(config)
    except Exception as error:  # Keras raises what it likes
        reason = " ".join(str(error).split())[:200]
        raise ConversionError(f"The model cannot be made with fewer units: {reason}. Narrow it by hand.") from error
    kept = {
        name: most_important(model.get_layer(name), count, _outputs(model, name, windows))
        for name, count in units.items()
    }
    _copy_weights(model, copy, kept)
    return copy


def _outputs(model: Any, name: str, windows: tuple[Array, ...]) -> Array:
    """Output of a layer on windows; of several (states) the first."""
    import keras

    part = keras.Model(model.inputs, keras.tree.flatten(model.get_layer(name).output)[0])
    return np.asarray(part.predict(list(windows) if len(windows) > 1 else windows[0], verbose=0))


def _copy_weights(model: Any, copy: Any, kept: Mapping[str, list[Kept]]) -> None:
    """Give the copy the weights of the units that stay, layer by layer."""
    outputs: dict[str, Kept | None] = {}
    parents = dict(_parents(model))
    for layer in model.layers:
        sources = parents.get(layer.name, [])
        before = outputs.get(sources[0]) if len(sources) == 1 else None
        if layer.name in kept:
            outputs[layer.name] = outputs_kept(layer, kept[layer.name])
            weights = selected_weights(layer, before, kept[layer.name])
        else:
            outputs[layer.name] = _passed_on(layer, before)
            weights = _selected(layer, before)
        narrow = copy.get_layer(layer.name)
        if weights and [part.shape for part in weights] == [tuple(part.shape) for part in narrow.get_weights()]:
            narrow.set_weights(weights)


def _passed_on(layer: Any, before: Kept | None) -> Kept | None:
    """Channels of the output that stay where a layer moves them; None where that is all, or not known."""
    kind = type(layer).__name__
    if before is None or kind in SAME | BY_CHANNEL:
        return before
    if kind == "Flatten" and len(layer.input.shape) == 3:
        _, rows, channels = layer.input.shape
        places: Kept = (np.arange(rows)[:, None] * channels + before).ravel()
        return places
    return None


def _parents(model: Any) -> Iterator[tuple[str, list[str]]]:
    """Names of the layers that each layer reads."""
    names = [layer.name for layer in model.layers]
    for number, item in enumerate(model.get_config()["layers"]):
        if "inbound_nodes" in item:
            yield item["name"], list(_histories(item["inbound_nodes"]))
        elif number:  # a Sequential model: each layer reads the one before
            name = item["config"]["name"]
            place = names.index(name) if name in names else 0
            yield name, names[place - 1 : place] if place else []


def _histories(node: Any) -> Iterator[str]:
    """Names of layers in a functional model's configuration of a call."""
    if isinstance(node, dict):
        if "keras_history" in node:
            yield str(node["keras_history"][0])
        else:
            for value in node.values():
                yield from _histories(value)
    elif isinstance(node, list | tuple):
        for value in node:
            yield from _histories(value)


def _selected(layer: Any, before: Kept | None) -> list[Array]:
    """A layer's weights for the channels that its input keeps."""
    weights = [np.asarray(part) for part in layer.get_weights()]
    if before is None:
        return weights
    if type(layer).__name__ in BY_CHANNEL:
        return [part[before] for part in weights]
    if type(layer).__name__ in ("Dense", "TimeDistributed") and weights and weights[0].ndim == 2:
        return [weights[0][before], *weights[1:]]
    return weights
