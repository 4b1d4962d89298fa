"""Recurrent layers whose units can be taken out, one-way and bidirectional ones alike."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Kept = npt.NDArray[np.int64]
GATES = {"LSTM": 4, "GRU": 3, "SimpleRNN": 1}
BOTH = "Bidirectional"


def units_of(model: Any) -> dict[str, int]:
    """Units of each recurrent layer at a model's top level, by name, in its order."""
    return {layer.name: int(cells(layer)[0].units) for layer in model.layers if cells(layer)}


def cells(layer: Any) -> tuple[Any, ...]:
    """One-way layers that a layer consists of; empty for one that is not recurrent."""
    kind = type(layer).__name__
    if kind == BOTH:
        return tuple(part for part in (layer.forward_layer, layer.backward_layer) if type(part).__name__ in GATES)
    return (layer,) if kind in GATES else ()


def narrow_config(item: Mapping[str, Any], units: int) -> None:
    """Write fewer units into a layer's configuration.

    Args:
        item: Its entry in the model's configuration, changed in place.
        units: Units of each direction.
    """
    config = item["config"]
    if item["class_name"] != BOTH:
        config["units"] = units
        return
    for part in ("layer", "backward_layer"):
        if config.get(part):
            config[part].pop("build_config", None)
            config[part]["config"]["units"] = units


def joined(layer: Any) -> bool:
    """Test whether the output holds the units of both directions side by side."""
    return type(layer).__name__ == BOTH and layer.merge_mode == "concat"


def most_important(layer: Any, count: int, hidden: Array) -> list[Kept]:
    """Units that vary most, times the weight that the layer itself gives them a step later; a set a direction.

    Args:
        layer: A recurrent layer.
        count: Units to choose.
        hidden: Its outputs on representative windows, (..., U), or (..., 2 U) of both directions.
    """
    deviations = hidden.reshape(-1, hidden.shape[-1]).std(axis=0)
    parts = cells(layer)
    spread = np.split(deviations, len(parts)) if joined(layer) else [deviations] * len(parts)
    strength = [1 + np.linalg.norm(np.asarray(part.cell.recurrent_kernel), axis=1) for part in parts]
    if not joined(layer) and len(parts) > 1:  # summed unit by unit: both directions keep the same ones
        strength = [np.asarray(sum(strength))] * len(parts)
    return [
        np.sort(np.argsort(-one * other, kind="stable")[:count]) for one, other in zip(spread, strength, strict=True)
    ]


def outputs_kept(layer: Any, kept: Sequence[Kept]) -> Kept:
    """Channels of a layer's output that stay.

    Args:
        layer: A recurrent layer.
        kept: Its units that stay, a set a direction.
    """
    if not joined(layer):
        return kept[0]
    return np.concatenate([part + number * cells(layer)[0].units for number, part in enumerate(kept)])


def selected_weights(layer: Any, before: Kept | None, kept: Sequence[Kept]) -> list[Array]:
    """Weights for the channels that come in and the units that stay, in the layer's own order.

    Args:
        layer: A recurrent layer.
        before: Channels of its input that stay; None for all.
        kept: Its units that stay, a set a direction.
    """
    made: list[Array] = []
    for part, units in zip(cells(layer), kept, strict=True):
        columns = np.concatenate([units + gate * part.units for gate in range(GATES[type(part).__name__])])
        kernel, recurrent, *bias = (np.asarray(weights) for weights in part.get_weights())
        kernel = kernel if before is None else kernel[before]
        made += [kernel[:, columns], recurrent[units][:, columns], *(values[..., columns] for values in bias)]
    return made
