"""A model with a half of the units of the one just trained, or a quarter: what a search tries beside other designs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from ..deployment.representative_data import read_source
from ..training.trained import Trained
from .description import described
from .distillation import distill, outputs_of
from .narrowing import check_recurrent, narrowed
from .recurrent import units_of
from .shrink import fewer, lessons_of


def halved(trained: Trained, times: int) -> Trained:
    """Distil a student with a half of the units of each recurrent layer, and a student of that one, and so on.

    Args:
        trained: A trained model with its representative rows.
        times: Halvings; 0 leaves the model as it is.

    Returns:
        The last student, with a score, threshold and detection limits of its own.

    Raises:
        ConversionError: If the model has no recurrent layers.
    """
    if not times:
        return trained
    check_recurrent(trained.model)
    with TemporaryDirectory(prefix="edgelstm-") as folder:
        path = Path(folder, "whole.keras")
        trained.save(path)
        source = read_source(path)
    lessons = lessons_of(source)
    targets, student = outputs_of(trained.model, lessons), trained.model
    for _ in range(times):
        units = fewer(units_of(student), 0.5)
        if units == units_of(student):
            break  # the fewest that there are
        student = distill(narrowed(student, units, lessons), lessons, targets)
    return replace(trained, model=student, metadata=described(source, student, trained.model))
