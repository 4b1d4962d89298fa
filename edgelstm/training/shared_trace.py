"""Graphs that trainings of equal architecture share: tracing a training step costs as much as hundreds of steps.

A model is traced once. Each later one of the same configuration lends it its initial weights and the states of its random
generators, with an optimizer as new, and takes the trained weights back: the bits are those of a model of its own. The same
goes for predictions on held-back rows.
"""

from __future__ import annotations

import json
import random
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from .batches import Layout
    from .epochs import Learner

T = TypeVar("T")
MOST = 4  # learners that are kept, and models that predict
_learners: OrderedDict[str, Learner] = OrderedDict()
_predictors: OrderedDict[str, Any] = OrderedDict()


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

    key = _key(model, optimizer, str(learned), str(judged))
    learner = _shared(
        _learners, key, lambda: learner_of(model, keras.optimizers.Adam(**optimizer), learned, judged)
    )  # fmt: skip
    copy = learner.model
    _lend(model, copy)
    for variable in copy.optimizer.variables:
        variable.assign(keras.ops.zeros_like(variable))
    copy.optimizer.learning_rate = optimizer["learning_rate"]
    copy.stop_training = False
    return learner


def shared_predictor(model: Any) -> Any:
    """Return a Keras model of the same configuration and weights that may have been traced before.

    Args:
        model: A built Keras model. What is returned stands for it until a model of the same configuration is given.
    """
    import keras

    copy = _shared(_predictors, _key(model), lambda: keras.models.clone_model(model))
    _lend(model, copy)
    return copy


def _key(model: Any, *more: Any) -> str:
    config = {name: part for name, part in model.get_config().items() if name != "trainable"}
    return json.dumps([config, *more], sort_keys=True, default=str)


def _shared(kept: OrderedDict[str, T], key: str, make: Callable[[], T]) -> T:
    """Return what is kept under a key, made if there is none, and forget what was longest of no use."""
    graphs = kept.pop(key, None)
    if graphs is None:
        state = random.getstate()  # Keras seeds layers by it: a copy must not draw from it
        graphs = make()
        random.setstate(state)
    kept[key] = graphs
    while len(kept) > MOST:
        kept.popitem(last=False)
    return graphs


def _lend(model: Any, copy: Any) -> None:
    for mine, theirs in zip(_state(copy), _state(model), strict=True):
        mine.assign(theirs)


def _state(model: Any) -> list[Any]:
    """Weights, and the states of random generators."""
    return [*model.trainable_variables, *model.non_trainable_variables]
