"""Learners that trainings of equal architecture share: tracing a training step costs as much as hundreds of steps.

A model is traced once. Each later one of the same configuration lends it its initial weights and the states of its random
generators, with an optimizer as new, and takes the trained weights back: the bits are those of a model of its own.
"""

from __future__ import annotations

import json
import random
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .batches import Layout
    from .epochs import Learner

MOST = 4  # learners that are kept
_kept: OrderedDict[str, Learner] = OrderedDict()


def shared_learner(model: Any, optimizer: dict[str, Any], learned: Layout, judged: Layout) -> Learner:
    """Return a learner with a model of the same configuration and state, for Adam and the mean squared error.

    Args:
        model: A built Keras model, as it is to begin.
        optimizer: Arguments of Adam.
        learned: Cuts windows and targets to learn from.
        judged: Cuts those to judge.
    """
    import keras

    from .epochs import learner_of

    config = {name: part for name, part in model.get_config().items() if name != "trainable"}
    key = json.dumps([config, optimizer, str(learned), str(judged)], sort_keys=True, default=str)
    learner = _kept.pop(key, None)
    if learner is None:
        state = random.getstate()  # Keras seeds layers by it: a copy must not draw from it
        learner = learner_of(model, keras.optimizers.Adam(**optimizer), learned, judged)
        random.setstate(state)
    copy = learner.model
    for mine, theirs in zip(_state(copy), _state(model), strict=True):
        mine.assign(theirs)
    for variable in copy.optimizer.variables:
        variable.assign(keras.ops.zeros_like(variable))
    copy.optimizer.learning_rate = optimizer["learning_rate"]
    copy.stop_training = False
    _kept[key] = learner
    while len(_kept) > MOST:
        _kept.popitem(last=False)
    return learner


def _state(model: Any) -> list[Any]:
    """Weights, and the states of random generators."""
    return [*model.trainable_variables, *model.non_trainable_variables]
