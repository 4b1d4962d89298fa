"""A step for all assets of a fleet, through an engine."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import unquote

from edgelstm.runtime.errors import ConfigError

from ..versions import tool_versions
from .assets import Asset
from .engine import Engine, Outcome
from .places import Place
from .stage import Done, Stage, Task, perform, write_crash

Perform = Callable[[Task], Done]


@dataclass(frozen=True)
class Progress:
    """One asset's outcome."""

    done: Done
    """State of the asset."""
    seconds: float
    """Processor time that it took."""
    attempts: int
    """Processes that it was given to."""


def run_stage(
    stage: Stage, assets: Iterable[Asset], home: Place, engine: Engine, function: Perform = perform
) -> Iterator[Progress]:
    """Do a step for each asset, and yield the outcomes as they come.

    Args:
        stage: The step.
        assets: All assets.
        home: The fleet's folder.
        engine: Its processes.
        function: Worker's function.
    """
    run, versions = os.urandom(6).hex(), tool_versions()
    tasks = (Task(stage, asset, home, run, versions) for asset in assets)
    for outcome in engine.run(function, tasks):
        yield Progress(_done(outcome), outcome.seconds, outcome.attempts)


def _done(outcome: Outcome) -> Done:
    if isinstance(outcome.value, Done):
        return outcome.value
    write_crash(outcome.task, outcome.error)
    return Done(outcome.task.asset.name, "failed", outcome.error)


def models(home: Place) -> list[Asset]:
    """Assets that have a model.

    Raises:
        ConfigError: If there is none.
    """
    assets = [Asset(unquote(name.removesuffix(".keras")), ()) for name in home.names() if name.endswith(".keras")]
    if not assets:
        raise ConfigError(f"{home.url} holds no models. Make them: edgelstm fleet train DATA -o {home.url}.")
    return assets


def summary(states: Counter[str]) -> str:
    """Count of each state, as a sentence.

    >>> summary(Counter(done=2, kept=1))
    '2 done, 1 done before'
    """
    names = {"done": "done", "kept": "done before", "failed": "failed", "elsewhere": "at work in another run"}
    return ", ".join(f"{states[state]:,} {name}" for state, name in names.items() if states[state]) or "nothing to do"
