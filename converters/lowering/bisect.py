"""The offending layer of a model without a TFLite form, by converting ever shorter beginnings of it."""

from collections.abc import Callable
from typing import Any

import keras

from ..private_api import functional_graph

Attempt = Callable[[Any], object]


def offending_layer(model: Any, attempt: Attempt) -> Any:
    """The first layer or operation, in nested models too, with which a model cannot be converted.

    Args:
        model: A Sequential or functional model that fails.
        attempt: Converts a model, and raises where it cannot.

    Returns:
        A Keras operation; the model itself if no part of it fails alone.
    """
    graph = functional_graph(model)
    steps = [step for step in graph.operations if not isinstance(step, keras.layers.InputLayer)]
    works, fails = 0, len(steps)  # a beginning of so many steps
    while fails - works > 1:
        middle = (works + fails) // 2
        works, fails = (works, middle) if _raises(attempt, _beginning(graph, steps[:middle])) else (middle, fails)
    if not steps:
        return model
    last = steps[fails - 1]
    return offending_layer(last, attempt) if isinstance(last, keras.Model) and _raises(attempt, last) else last


def _beginning(graph: Any, steps: list[Any]) -> Any:
    """A model that gives all that these steps give."""
    return keras.Model(graph.inputs, [tensor for step in steps for tensor in keras.tree.flatten(step.output)])


def _raises(attempt: Attempt, model: Any) -> bool:
    try:
        attempt(model)
    except Exception:  # TensorFlow's converter raises what it likes
        return True
    return False
