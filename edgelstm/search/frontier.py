"""The Pareto frontier of a study: designs that no other one beats in quality and cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from edgelstm.runtime.errors import ConfigError

from ..pareto import pareto_front
from .design import Design, design_of
from .study import RESULT, ended_trials

HEARD = 0.5  # times the highest F1 of a study, which a design's own threshold has to reach
INK, BLUE, GREY, ORANGE = "#1d2430", "#0072B2", "#98a2b3", "#D55E00"  # Okabe and Ito's palette


@dataclass(frozen=True)
class Point:
    """A completed trial."""

    number: int
    """Its number."""
    design: Design
    """Its design."""
    quality: float
    """VUS-PR, which asks for no threshold."""
    f1: float
    """F1 of the rows at the model's own threshold; 0 where the study is older."""
    cost: float
    """Bytes, or microseconds a call."""
    size: int
    """Bytes of its file."""
    file: str
    """Name of its file."""


def points(study: Any) -> list[Point]:
    """Completed trials, in their order."""
    made = []
    for trial in ended_trials(study):
        result = trial.user_attrs[RESULT]
        if trial.values:
            quality, cost = trial.values
            f1 = float(result.get("f1") or 0.0)
            made.append(Point(trial.number, design_of(trial.params), quality, f1, cost, result["size"], result["file"]))
    return made


def frontier(made: Sequence[Point]) -> list[Point]:
    """Points that no other one beats, the cheapest first; of those whose alarms are heard.

    Args:
        made: All points.
    """
    return pareto_front(heard(made), cost=lambda point: point.cost, quality=lambda point: point.quality)


def heard(made: Sequence[Point]) -> list[Point]:
    """Points whose own threshold finds anomalies: a good ranking of rows does not help where the threshold is out of reach.

    Args:
        made: All points.
    """
    least = HEARD * max((point.f1 for point in made), default=0.0)
    return [point for point in made if point.f1 >= least]


def chosen(study: Any, number: int | None = None) -> Point:
    """Return the point to train by: one by its number, or the best one.

    Args:
        study: The study.
        number: Number of the trial; None for the highest quality, the cheaper one of equals.

    Raises:
        ConfigError: If there is none.
    """
    made = points(study)
    if not made:
        raise ConfigError("This study holds no completed trial. Run edgelstm search first.")
    if number is None:
        return frontier(made)[-1]
    for point in made:
        if point.number == number:
            return point
    raise ConfigError(f"This study has no completed trial {number}. On its frontier: {_numbers(frontier(made))}.")


def _numbers(best: Sequence[Point]) -> str:
    return ", ".join(str(point.number) for point in best)


def table(best: Sequence[Point], unit: str) -> list[str]:
    """Lines of a plain table.

    Args:
        best: The frontier.
        unit: Unit of the cost.
    """
    lines = [f"{'trial':>6}  {'VUS-PR':>6}  {'F1':>5}  {unit:>9}  design"]
    lines += [
        f"{point.number:>6}  {point.quality:>6.3f}  {point.f1:>5.3f}  {point.cost:>9,.0f}  {point.design}"
        for point in best
    ]
    return lines


def picture(made: Sequence[Point], unit: str) -> bytes:
    """Draw all points and the frontier, as PNG.

    Args:
        made: All points.
        unit: Unit of the cost.
    """
    from matplotlib.figure import Figure

    best = frontier(made)
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axis = figure.subplots()
    axis.scatter([p.cost for p in made], [p.quality for p in made], s=14, color=GREY, label="trials")
    axis.step([p.cost for p in best], [p.quality for p in best], where="post", color=BLUE, linewidth=1)
    axis.scatter([p.cost for p in best], [p.quality for p in best], s=26, color=BLUE, label="frontier", zorder=3)
    if made and made[0].number == 0:
        axis.scatter(
            [made[0].cost], [made[0].quality], s=60, marker="x", color=ORANGE, label="default of train", zorder=4
        )
    for point in best:
        axis.annotate(
            str(point.number),
            (point.cost, point.quality),
            xytext=(4, 4),
            textcoords="offset points",
            fontsize=7,
            color=INK,
        )
    axis.set_xscale("log")
    axis.set_xlabel(unit)
    axis.set_ylabel("VUS-PR")
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(frameon=False, fontsize=8, loc="lower right")
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=150, metadata={"Software": None})
    return buffer.getvalue()
