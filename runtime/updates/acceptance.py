"""Acceptance of a fetched model: tried and replayed in processes of their own before it may take over."""

from __future__ import annotations

import time
from pathlib import Path

from ..errors import ModelError
from ..input.policies import warmup
from ..model_file.bundle import parse_bundle
from ..model_file.metadata import Metadata
from ..model_file.trial import Trial, note_passed, trial_note
from .child import Child
from .promise import AlarmCount

SECONDS = 60.0  # for the replay
SLOWEST_SHARE = 0.5  # of the time between samples
SLOWEST = 1.0  # seconds a sample, where the time between samples is not known


def accept(path: Path, folder: Path, child: Child, channels: tuple[str, ...] = (), notes: Path | None = None) -> None:
    """Try a model as every foreign file is tried, then replay the last normal rows.

    Args:
        path: The fetched file.
        folder: Folder of the models, which has the rows.
        child: Process for the replay.
        channels: Channels of the model at work; empty for no comparison.
        notes: State folder for the trial's note; None for the user's own.

    Raises:
        ModelError: If it is not to take over.
    """
    content = path.read_bytes()
    bundle = parse_bundle(content, "It")
    if channels and bundle.metadata.names != channels:
        raise ModelError(f"It takes other channels: {', '.join(bundle.metadata.names)}.")
    _try(content, child, notes)
    answer = child.ask("replay_worker", {"model": str(path), "folder": str(folder)}, SECONDS)
    judge_replay(bundle.metadata, answer)


def _try(content: bytes, child: Child, notes: Path | None) -> None:
    """As `try_model`, but it ends when the child is asked to."""
    note = trial_note(content, notes)
    if note.exists():
        return
    try:
        trial = Trial(content, "It")
    except OSError as error:
        raise ModelError(f"No process can be started for a trial ({error.strerror or error}).") from error
    while not trial.ended and not child.stopped:
        time.sleep(0.05)
    if child.stopped:
        trial.close()
        raise ModelError("The update was ended.")
    trial.check()
    note_passed(note)


def judge_replay(metadata: Metadata, answer: dict[str, float]) -> None:
    """Judge what a replay of normal rows gave.

    Args:
        metadata: The model's.
        answer: Counts of `replay_worker`.

    Raises:
        ModelError: If scores are not finite or none come, the model is slow, or alarms more often than it promises.
    """
    rows, scored = int(answer["rows"]), int(answer["scored"])
    if answer["finite"] < scored:
        raise ModelError(f"{scored - int(answer['finite'])} of {scored} scores on normal rows are no numbers.")
    if not scored and rows > 2 * (warmup(metadata) + 1):
        raise ModelError(f"It gave no score on {rows} normal rows.")
    slow = too_slow(metadata, answer["seconds"])
    if slow:
        raise ModelError(f"It is too slow: {slow}.")
    broken = AlarmCount(scored, int(answer["alarms"]), int(answer["alarmed"])).broken_promise(metadata)
    if broken:
        raise ModelError(f"It alarms on normal rows: {broken}.")


def too_slow(metadata: Metadata, seconds: float) -> str:
    """Return why a model is too slow for its stream, empty when it is quick enough.

    Args:
        metadata: The model's.
        seconds: Seconds that a sample takes.
    """
    most = SLOWEST_SHARE * metadata.period if metadata.period else SLOWEST
    return f"{seconds:.3g} s a sample, {most:.3g} s are allowed" if seconds > most else ""
