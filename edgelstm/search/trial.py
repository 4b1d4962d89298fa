"""One trial in a worker: train, shrink, convert, judge; a hopeless one is given up."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from edgelstm.runtime.errors import EdgelstmError

from ..data.series import Series
from ..fleet.fresh_session import ALONE, fresh_session
from ..fleet.places import Place
from ..training.options import Options
from .design import Design

RUNGS = (3, 8, 16)  # epochs at which a trial is compared with others
RIVALS = 3  # that must be better and not larger, for a trial to be hopeless
MARGIN = 1.1  # times their loss


@dataclass(frozen=True)
class Rival:
    """An earlier trial, to compare with."""

    family: str
    """See `family`."""
    parameters: int
    """Weights of its model."""
    losses: Mapping[int, float]
    """Validation loss by rung."""


@dataclass(frozen=True)
class TrialTask:
    """A trial to be made."""

    number: int
    """Its number in the study."""
    design: Design
    """Its design."""
    settings: Options
    """Settings that the search does not vary."""
    series: Series
    """Rows to train on."""
    labelled: bytes
    """Rows to judge on, as CSV."""
    label_column: str | None
    """Their column of labels; None looks for one."""
    latency: bool
    """True if the time of a call is an objective."""
    rivals: tuple[Rival, ...] = ()
    """Earlier trials."""
    home: Place | None = None
    """Folder that gets the file; None for none."""


@dataclass(frozen=True)
class Result:
    """Result of a trial."""

    quality: float | None = None
    """VUS-PR; None for a trial that was given up or failed."""
    f1: float | None = None
    """F1 of the rows at the model's own threshold."""
    size: int = 0
    """Bytes of the file."""
    latency: float | None = None
    """Microseconds of a call on the worker's machine."""
    file: str = ""
    """Name of the file."""
    parameters: int = 0
    """Weights of the Keras model as it was trained, before it was shrunk."""
    losses: Mapping[int, float] = field(default_factory=dict)
    """Validation loss by rung."""
    pruned: bool = False
    """True if it was given up as hopeless."""
    error: str = ""
    """Reason of a failure, one line."""

    @property
    def cost(self) -> float:
        """Second objective: microseconds where they were measured, else bytes."""
        return float(self.size) if self.latency is None else self.latency


class _Hopeless(Exception):  # noqa: N818 (no error)
    pass


def family(design: Design) -> str:
    """Group of designs whose losses can be compared: they forecast the same rows by like parts, or rebuild as many rows."""
    return f"{design.kind} {design.lookback if design.kind == 'autoencoder' else design.score}"


def run_trial(task: TrialTask) -> Result:
    """Make a trial."""
    with ALONE:
        fresh_session()
        watch = _watch(task)
        try:
            return _made(task, watch)
        except _Hopeless:
            return Result(parameters=watch.parameters, losses=watch.losses, pruned=True)
        except EdgelstmError as error:
            return Result(losses=watch.losses, error=" ".join(str(error).split())[:300])


def _watch(task: TrialTask) -> Any:
    """A Keras callback that keeps the losses at the rungs, and gives a hopeless trial up."""
    import keras

    rivals = [rival for rival in task.rivals if rival.family == family(task.design)]

    class Watch(keras.callbacks.Callback):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.losses: dict[int, float] = {}
            self.parameters = 0
            self.best = float("inf")

        def on_epoch_end(self, epoch: int, logs: Mapping[str, float]) -> None:
            self.parameters = int(self.model.count_params())
            self.best = min(self.best, float(logs["val_loss"]))
            if epoch + 1 in RUNGS:
                self.losses[epoch + 1] = self.best
                if hopeless(rivals, epoch + 1, self.best, self.parameters):
                    raise _Hopeless

    return Watch()


def hopeless(rivals: Sequence[Rival], rung: int, loss: float, parameters: int) -> bool:
    """Tell whether several earlier trials are better and not larger.

    Args:
        rivals: Trials whose losses can be compared.
        rung: Epoch of the comparison.
        loss: Best validation loss so far.
        parameters: Weights of the model.
    """
    better = [
        rival
        for rival in rivals
        if rival.parameters <= parameters and rung in rival.losses and rival.losses[rung] * MARGIN < loss
    ]
    return len(better) >= RIVALS


def _made(task: TrialTask, watch: Any) -> Result:
    from ..deployment.convert import convert_file
    from ..evaluation.evaluate import evaluate
    from ..shrinking.halving import halved
    from ..training.train import train

    scheme = task.design.scheme
    with TemporaryDirectory(prefix="edgelstm-") as temporary:
        folder = Path(temporary)
        (folder / "labelled.csv").write_bytes(task.labelled)
        whole = train(task.series, task.design.options(task.settings), callbacks=[watch])
        trained = halved(whole, task.design.halvings)
        name = f"trial-{task.number:04}"
        model = folder / f"{name}.keras"
        trained.save(model)
        converted = convert_file(model, (scheme,), apart=False)[scheme]
        target = folder / f"{name}.{scheme}.tflite"
        converted.bundle.save(target)
        evaluation = evaluate(target, folder / "labelled.csv", task.label_column)
        if evaluation.vus_pr is None or not np.isfinite(evaluation.vus_pr):
            return Result(error="the rows to judge on hold no labelled anomaly that was scored")
        content = target.read_bytes()
        if task.home is not None:
            task.home.write(target.name, content)
            task.home.write(model.name, model.read_bytes())
        latency = _latency(converted.bundle.flatbuffer) if task.latency else None
        return Result(
            evaluation.vus_pr, evaluation.f1, len(content), latency, target.name,
            int(whole.model.count_params()), watch.losses,
        )  # fmt: skip


def _latency(flatbuffer: bytes) -> float:
    from edgelstm.runtime.diagnostics.benchmark import bare_call, compare
    from edgelstm.runtime.inference.interpreter import TFLiteModel

    return float(compare({"model": bare_call(TFLiteModel(flatbuffer))}, 0.2)["model"].p50)


def digest_of(series: Series, labelled: bytes, settings: Options, label_column: str | None = None) -> str:
    """Hash of what a study rests on, so that two questions are not mixed in one.

    Args:
        series: Rows to train on.
        labelled: Rows to judge on.
        settings: Settings that the search does not vary.
        label_column: Column of labels.
    """
    buffer = io.BytesIO()
    np.save(buffer, series.values)
    np.save(buffer, series.time)
    facts = repr((series.channels, series.segments, settings, label_column)).encode()
    return hashlib.sha256(buffer.getvalue() + labelled + facts).hexdigest()
