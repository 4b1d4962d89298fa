"""Ever narrower students of a model, until its behaviour drops by more than it may."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgelstm.converters.validation.limits import STRETCH
from edgelstm.runtime.errors import ConversionError

from ..deployment.foreign_kind import DETECTORS
from ..deployment.representative_data import Source, spread_windows
from ..keras_file import save_keras
from .description import described
from .detection import Detection
from .distillation import Arrays, distill, outputs_of
from .narrowing import check_recurrent, narrowed
from .recurrent import units_of

Tell = Callable[[str], None]
SHARES = (0.7, 0.5, 0.35, 0.25, 0.18, 0.125, 0.09)  # of the units, each half the weights of the one before
FEWEST = 2  # units of a layer
LESSONS = 1024  # windows that a student learns on


@dataclass(frozen=True)
class Student:
    """One narrower model."""

    units: tuple[int, ...]
    """Units of its recurrent layers."""
    parameters: int
    """Its weights."""
    drop: float
    """Loss by the measure of the search."""
    fits: bool
    """The loss is within the budget."""
    file: Path
    """Its `.keras` file."""


@dataclass(frozen=True)
class Shrunk:
    """Result of a search."""

    measure: str
    """Meaning of a drop."""
    budget: float
    """Largest drop allowed."""
    parameters: int
    """Weights of the whole model."""
    tried: tuple[Student, ...]
    """All students, the widest first."""

    @property
    def chosen(self) -> Student | None:
        """The smallest student within the budget."""
        return min((item for item in self.tried if item.fits), key=lambda item: item.parameters, default=None)


def shrink(
    source: Source,
    model: Any,
    budget: float,
    folder: Path,
    *,
    data: Path | None = None,
    label_column: str | None = None,
    every: bool = False,
    tell: Tell = lambda _: None,
) -> Shrunk:
    """Distil ever narrower students, each from the one before, until the drop is used up.

    Args:
        source: Model with its representative data.
        model: The Keras model of the source.
        budget: Largest drop: of VUS-PR where there are labels, else of the share of the outputs' variance that is told.
        folder: Folder for the students' `.keras` files.
        data: Labelled rows as CSV.
        label_column: Its column of labels; None looks for one of a usual name.
        every: Go on to the narrowest student when the budget is used up.
        tell: Called with the name of each step and the epoch.

    Raises:
        ConversionError: If the model cannot be made narrower, or the data cannot judge it.
    """
    _check(source, model)
    detection = None if data is None else Detection.of(source, model, data, label_column)
    lessons = lessons_of(source)
    targets, held = outputs_of(model, lessons), outputs_of(model, source.held)
    tried: list[Student] = []
    student = model
    for units in _narrower(units_of(model)):
        step = f"{_named(units)} units"
        tell(step)
        student = distill(narrowed(student, units, lessons), lessons, targets, _epochs(step, tell))
        metadata = described(source, student, model)
        file = folder / f"{source.path.stem}.u{_named(units)}.keras"
        save_keras(student, file, metadata if source.representative else None, source.representative)
        lost = 1 - told(outputs_of(student, source.held), held)
        drop = lost if detection is None else detection.drop(student, metadata)
        tried.append(Student(tuple(units.values()), int(student.count_params()), drop, drop <= budget, file))
        if drop > budget and not every:
            break
    measure = "variance of the outputs not told" if data is None else "VUS-PR below the whole model"
    return Shrunk(measure, budget, int(model.count_params()), tuple(tried))


def _check(source: Source, model: Any) -> None:
    check_recurrent(model)
    if source.metadata.scoring is not None and source.representative is None:
        raise ConversionError(
            "A smaller detector gets a score and threshold of its own on rows of normal operation, and windows are not such "
            "rows. Give --calibration normal.csv."
        )


def _narrower(whole: Mapping[str, int]) -> Iterator[dict[str, int]]:
    """Yield the units of ever narrower models by layer, none twice."""
    before = dict(whole)
    for share in SHARES:
        units = fewer(whole, share)
        if units != before:
            yield units
        before = units


def fewer(whole: Mapping[str, int], share: float) -> dict[str, int]:
    """A share of the units of each layer, two at least where there are as many.

    Args:
        whole: Units by layer.
        share: Of the units, up to 1.
    """
    return {name: min(count, max(FEWEST, round(share * count))) for name, count in whole.items()}


def _epochs(step: str, tell: Tell) -> Callable[[int], None]:
    return lambda epoch: tell(f"{step}, epoch {epoch}")


def _named(units: dict[str, int]) -> str:
    return "-".join(map(str, units.values()))


def lessons_of(source: Source) -> Arrays:
    """Windows to learn on: more than a conversion looks at, where rows are at hand; each fourth one stretched, too.

    A detector's work begins where normal operation ends: a student has to do there what its teacher does.

    Args:
        source: The whole model with its representative data.
    """
    rows = source.representative
    if rows is None or len(source.windows) > 1 or source.metadata.kind not in DETECTORS or source.windows[0].ndim != 3:
        return source.windows
    windows = spread_windows(rows.segments, source.metadata.window, LESSONS)
    places = np.arange(len(windows))
    both = np.concatenate([windows, windows[::4] * np.float32(STRETCH)])
    return (both[np.argsort(np.concatenate([places, places[::4]]), kind="stable")],)


def told(ours: Arrays, exact: Arrays) -> float:
    """Share of the exact outputs' variance that others tell; the least over the outputs.

    Args:
        ours: Outputs of a student.
        exact: Those of its teacher.

    >>> told((np.array([[1.0], [3.0]]),), (np.array([[1.0], [3.0]]),))
    1.0
    """
    shares = []
    for made, wanted in zip(ours, exact, strict=True):
        spread = float(np.mean((wanted - wanted.mean(axis=0)) ** 2))
        shares.append(1 - float(np.mean((made - wanted) ** 2)) / max(spread, 1e-12))
    return min(shares)


def lines(result: Shrunk) -> Iterator[str]:
    """Students as a table for a person."""
    yield f"{'units':>12}  {'weights':>9}  {'of all':>7}  drop ({result.measure})"
    for item in result.tried:
        fits = " fits" if item.fits else ""
        share = item.parameters / result.parameters
        yield f"{'-'.join(map(str, item.units)):>12}  {item.parameters:9,}  {share:7.1%}  {item.drop:+.4f}{fits}"


def record(result: Shrunk) -> dict[str, Any]:
    """As plain JSON types."""
    tried = [{**vars(item), "units": list(item.units), "file": item.file.name} for item in result.tried]
    return {
        "measure": result.measure, "max_drop": result.budget, "parameters": result.parameters, "tried": tried,
    }  # fmt: skip


def refusal(result: Shrunk) -> str:
    """One sentence for a search that ends with nothing that fits."""
    if not result.tried:
        return f"The recurrent layers have the fewest units already, {FEWEST} each. Convert the model as it is."
    first = result.tried[0]
    return (
        f"No smaller model stays within {result.budget:g} ({result.measure}): the widest, {'-'.join(map(str, first.units))} "
        f"units, loses {first.drop:.4f}. Allow more with --max-drop, or give more rows with --calibration."
    )
