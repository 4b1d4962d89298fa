"""Compiled models that trainings of equal architecture share: tracing a training step costs as much as hundreds of steps.

A model is compiled and traced once. Each later one of the same configuration lends it its initial weights and the states of
its random generators, with an optimizer as new, and takes the trained weights back: the bits are those of a model of its own.
"""

from __future__ import annotations

import json
import random
from collections import OrderedDict
from typing import Any

MOST = 4  # models that are kept
_compiled: OrderedDict[str, Any] = OrderedDict()


def compiled(model: Any, optimizer: dict[str, Any]) -> Any:
    """Return a model of the same configuration and state, compiled for Adam and the mean squared error.

    Args:
        model: A built Keras model, as it is to begin.
        optimizer: Arguments of Adam.
    """
    import keras

    config = {name: part for name, part in model.get_config().items() if name != "trainable"}
    key = json.dumps([config, optimizer], sort_keys=True, default=str)
    kept = _compiled.pop(key, None)
    if kept is None:
        state = random.getstate()  # Keras shuffles batches by it: a clone must not draw from it
        kept = keras.models.clone_model(model)
        random.setstate(state)
        kept.compile(keras.optimizers.Adam(**optimizer), "mse")
        kept.optimizer.build(kept.trainable_variables)
    for mine, theirs in zip(_state(kept), _state(model), strict=True):
        mine.assign(theirs)
    for variable in kept.optimizer.variables:
        variable.assign(keras.ops.zeros_like(variable))
    kept.optimizer.learning_rate = optimizer["learning_rate"]
    kept.stop_training = False
    _compiled[key] = kept
    while len(_compiled) > MOST:
        _compiled.popitem(last=False)
    return kept


def _state(model: Any) -> list[Any]:
    """Weights, and the states of random generators."""
    return [*model.trainable_variables, *model.non_trainable_variables]
