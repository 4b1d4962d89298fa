"""An Optuna study that processes share, that goes on where it stopped, and loses no trial of a process that was killed."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Any

from edgelstm.runtime.errors import ConfigError

from ..fleet.claims import Holder, started
from ..fleet.engine import Engine
from ..fleet.places import Place
from .design import Design, design_of, suggest
from .trial import Result, Rival, TrialTask, family, run_trial

NAME = "edgelstm"
HOLDER, RESULT, QUESTION, VOID, IDENTITY = "holder", "result", "question", "void", "identity"
MARK = ".study"  # file of a folder of models: identity of the study that they are of
REPEATS = 10  # of a known design, after which designs are drawn at random
ABANDONED = timedelta(hours=2)  # after which a trial of another machine counts as lost
UNNAMED = timedelta(minutes=1)  # the same for a trial that was just begun: naming its process takes milliseconds


def open_study(address: str, seed: int = 0) -> Any:
    """Open a study, or begin it.

    Args:
        address: File of a journal, or URL of a database such as postgresql://….
        seed: Of the sampler.

    Raises:
        ConfigError: If it cannot be opened.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        study = optuna.create_study(
            storage=_storage(address), study_name=NAME, directions=["maximize", "minimize"], load_if_exists=True,
        )  # fmt: skip
    except Exception as error:  # of a database's driver, or of a damaged journal
        reason = " ".join(str(error).split())[:200]
        raise ConfigError(
            f"The study {address} cannot be opened: {reason}. Name a journal file or a database."
        ) from error
    # a killed run must not sample its first trials again
    study.sampler = optuna.samplers.TPESampler(seed=seed + len(study.trials))
    return study


def _storage(address: str) -> Any:
    import optuna

    if "://" in address:
        return address
    from optuna.storages.journal import JournalFileBackend

    return optuna.storages.JournalStorage(JournalFileBackend(address))


def check_question(study: Any, digest: str, cost: str) -> None:
    """Refuse to mix two questions in one study.

    Args:
        study: The study.
        digest: Hash of data and settings.
        cost: Name of the second objective.

    Raises:
        ConfigError: If it was begun with others.
    """
    asked = study.user_attrs.get(QUESTION)
    if asked is None:
        study.set_user_attr(QUESTION, [digest, cost])
    elif asked != [digest, cost]:
        raise ConfigError("This study was begun with other data, labels or options. Name another file with --study.")


def take_folder(study: Any, home: Place) -> None:
    """Write into a folder which study its models are of.

    Args:
        study: The study.
        home: Folder for its models.

    Raises:
        ConfigError: If the folder holds another study's models.
        OutputError: If it cannot be written to.
    """
    if IDENTITY not in study.user_attrs:
        study.set_user_attr(IDENTITY, os.urandom(8).hex())
    identity = str(study.user_attrs[IDENTITY]).encode()
    other = home.read(MARK)
    if other is None:
        home.write(MARK, identity)
    elif other != identity:
        raise ConfigError(f"{home.address} holds the models of another study. Name another folder with -o.")


def run_study(study: Any, engine: Engine, task: TrialTask, trials: int) -> Iterator[tuple[int, Design, Result]]:
    """Make trials until the study has as many, and yield them as they end.

    Args:
        study: The study.
        engine: Processes that make them.
        task: What all trials share; number, design and rivals are filled in.
        trials: Trials of the study that ended, earlier runs included.
    """
    requeue_lost(study)
    if not study.trials:
        study.enqueue_trial(Design().parameters)  # what `edgelstm train` makes
    for outcome in engine.run(run_trial, _asked_until(study, task, trials)):
        result = outcome.value if isinstance(outcome.value, Result) else Result(error=outcome.error)
        _tell(study, outcome.task.number, result)
        yield outcome.task.number, outcome.task.design, result


def _asked_until(study: Any, task: TrialTask, trials: int) -> Iterator[TrialTask]:
    """Ask for trials until as many have ended or are under way, those of other runs on the same study included."""
    while len(ended_trials(study)) + sum(_is_under_way(trial) for trial in study.trials) < trials:
        yield _ask(study, task)


def _is_under_way(trial: Any) -> bool:
    return trial.state.name == "RUNNING" and not _is_lost(trial)


def _ask(study: Any, task: TrialTask) -> TrialTask:
    """Ask for a design that is new: a sampler proposes good ones again and again, and would learn nothing from their trials.

    Of a space that is used up, an old one is tried once more.
    """
    import optuna

    known = {_design(trial) for trial in study.trials if not _is_void(trial)}
    samplers = [study.sampler] * REPEATS + [optuna.samplers.RandomSampler(seed=len(study.trials))] * REPEATS
    trial, design = _asked(study, samplers[0])
    for sampler in samplers[1:]:
        if design not in known:
            break
        _withdraw(study, trial)
        trial, design = _asked(study, sampler)
    study.sampler = samplers[0]
    return replace(task, number=trial.number, design=design, rivals=tuple(_rivals(study)))


def _asked(study: Any, sampler: Any) -> tuple[Any, Design]:
    study.sampler = sampler
    trial = study.ask()
    trial.set_user_attr(HOLDER, asdict(Holder("", socket.gethostname(), os.getpid(), started(os.getpid()))))
    return trial, suggest(trial)


def _design(trial: Any) -> Design | None:
    """Design of a trial; None while another run still chooses it."""
    try:
        return design_of(trial.params)
    except KeyError:
        return None


def _withdraw(study: Any, trial: Any) -> None:
    from optuna.trial import TrialState

    trial.set_user_attr(VOID, True)
    study.tell(trial, state=TrialState.FAIL)


def _is_void(trial: Any) -> bool:
    """Tell whether a trial never was one, or was lost: its design is still to be tried."""
    return VOID in trial.user_attrs or (trial.state.is_finished() and RESULT not in trial.user_attrs)


def _tell(study: Any, number: int, result: Result) -> None:
    from optuna.exceptions import UpdateFinishedTrialError
    from optuna.trial import TrialState

    identity = study.trials[number]._trial_id
    with suppress(UpdateFinishedTrialError):  # another machine took it for lost, and its design is tried again
        study._storage.set_trial_user_attr(identity, RESULT, {**asdict(result), "losses": _keyed(result.losses)})
        if result.quality is not None:
            study.tell(number, [result.quality, result.cost])
        else:
            study.tell(number, state=TrialState.PRUNED if result.pruned else TrialState.FAIL)


def _keyed(losses: Mapping[int, float]) -> dict[str, float]:
    return {str(rung): loss for rung, loss in losses.items()}


def ended_trials(study: Any) -> list[Any]:
    """Trials with an outcome: completed, given up, or failed by themselves."""
    return [trial for trial in study.trials if trial.state.is_finished() and RESULT in trial.user_attrs]


def _rivals(study: Any) -> Iterator[Rival]:
    for trial in ended_trials(study):
        result = trial.user_attrs[RESULT]
        if result["losses"]:
            losses = {int(rung): loss for rung, loss in result["losses"].items()}
            yield Rival(family(design_of(trial.params)), result["parameters"], losses)


def requeue_lost(study: Any) -> int:
    """Give designs another turn whose process was killed, and return their number.

    Optuna watches the pulse of trials in databases alone; a journal has none. So each trial names its process.
    """
    from optuna.trial import TrialState

    lost = [trial for trial in study.get_trials(states=(TrialState.RUNNING,)) if _is_lost(trial)]
    for trial in lost:
        try:
            study.tell(trial.number, state=TrialState.FAIL)
        except ValueError:  # another run was quicker
            continue
        if "kind" in trial.params:
            study.enqueue_trial(trial.params)
    return len(lost)


def _is_lost(trial: Any) -> bool:
    known = trial.user_attrs.get(HOLDER)
    holder = Holder(**known) if known else None
    if holder is not None and holder.host == socket.gethostname():
        return holder.is_dead
    # killed before it named its process, it has no design either: nothing is lost, and nobody is at work on it for long
    limit = ABANDONED if known or trial.params else UNNAMED
    return trial.datetime_start is not None and datetime.now() - trial.datetime_start > limit
