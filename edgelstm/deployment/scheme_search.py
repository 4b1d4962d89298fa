"""The smallest model that loses no more than it may."""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgelstm.converters import SCHEMES, check_representative, convert
from edgelstm.converters.validation.limits import within_limits
from edgelstm.runtime.errors import ConversionError
from edgelstm.runtime.scoring.threshold_rules import unlabelled_rule

from ..evaluation.evaluate import Evaluation, evaluate, evaluate_foreign
from .convert import Converted, finish
from .representative_data import Source

Judge = Callable[[Converted], float]


@dataclass(frozen=True)
class Candidate:
    """One model of a search."""

    name: str
    """Scheme, and the layers that differ from it."""
    size: int
    """Bytes of the flatbuffer."""
    error: float
    """RMS difference of its output from float's, as a share of the deviation."""
    drop: float | None
    """Loss by the measure of the search; None when a smaller one was taken before."""
    fits: bool
    """The loss is within the budget, and the error within the limits of every conversion."""


@dataclass(frozen=True)
class SearchResult:
    """Result of a search."""

    measure: str
    """Meaning of a drop."""
    budget: float
    """Largest drop allowed."""
    tried: tuple[Candidate, ...]
    """All models, the smallest first."""
    chosen: Converted | None
    """The smallest that fits, None when none does."""


def search(
    source: Source,
    budget: float,
    data: Path | None = None,
    label_column: str | None = None,
    *,
    lookback: int | None = None,
    io: str = "auto",
    allow_drop: bool = False,
    threshold_rule: str | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> SearchResult:
    """Try every scheme and mixtures of them, the smallest first, until one is within the budget.

    Args:
        source: Model and representative windows.
        budget: Largest drop allowed: of VUS-PR where there are labels, else of the output's error.
        data: Labelled rows as CSV.
        label_column: Its column of labels; None looks for one of a usual name.
        lookback: Rows for an open time axis.
        io: Input and output type of int8 models: int8, float32, or auto, which is int16 for a model with a linear path.
        allow_drop: Accept errors above the limit of every conversion.
        threshold_rule: How a detector's threshold is set; None for the rule it was trained with.
        tell: Called with the name of each step.

    Raises:
        ConversionError: If the model cannot be converted, or the labels cannot judge it.
    """
    made = convert(
        source.model or source.path, source.windows, source.held, SCHEMES,
        lookback=lookback, io=io, allow_drop=allow_drop, search=True,
        like_inputs=source.like_inputs, byte_budget=source.byte_budget, tell=tell,
    )  # fmt: skip
    rule = unlabelled_rule(threshold_rule)
    check, exact = check_representative(source.windows, source.held, source.metadata.names), made["float32"].flatbuffer
    judge = _output_error if data is None else _detection(source, data, label_column)
    chosen, tried = None, []
    for name, conversion in sorted(made.items(), key=lambda item: item[1].validation.size):
        error, drop, fits = conversion.validation.error, None, False
        if chosen is None:
            tell(f"judging {name}")
            converted = finish(source, conversion, check, "", exact, rule)
            drop = judge(converted)
            fits = drop <= budget and (allow_drop or within_limits(conversion.validation))
            chosen = converted if fits else None
        tried.append(Candidate(name, conversion.validation.size, error, drop, fits))
    measure = "output error" if data is None else "VUS-PR below Keras float"
    return SearchResult(measure, budget, tuple(tried), chosen)


def _output_error(converted: Converted) -> float:
    return converted.conversion.validation.error


def _detection(source: Source, data: Path, label_column: str | None) -> Judge:
    """Measure the VUS-PR that a model loses against the Keras model; a foreign one has no score of its own yet."""
    rows = source.representative
    if source.metadata.scoring is None and rows is not None:
        normal = rows.normal
        keras = _defined(evaluate_foreign(source.path, source.metadata, normal, data, label_column), data)
    else:
        keras = _defined(evaluate(source.path, data, label_column), data)

    def drop(converted: Converted) -> float:
        with tempfile.TemporaryDirectory(prefix="edgelstm-") as folder:
            file = Path(folder) / "candidate.tflite"
            converted.bundle.save(file)
            return keras - _defined(evaluate(file, data, label_column), data)

    return drop


def _defined(evaluation: Evaluation, data: Path) -> float:
    value = evaluation.vus_pr
    if value is None:
        raise ConversionError(
            f"{data.name} has no labelled anomaly among the rows that get a score, so no detection can drop. "
            "Give rows with anomalies, or leave --data out to judge by the output's error."
        )
    return value


def refusal(result: SearchResult) -> str:
    """One sentence for a search that ends with nothing that fits."""
    best = min(result.tried, key=lambda tried: tried.drop if tried.drop is not None else float("inf"))
    return (
        f"None of {len(result.tried)} models stays within {result.budget:g} ({result.measure}): the best, {best.name}, "
        f"loses {best.drop:.4f}. Allow more with --max-drop."
    )


def lines(result: SearchResult) -> Iterator[str]:
    """Candidates as a table for a person."""
    width = max(len(tried.name) for tried in result.tried)
    yield f"{'tried':{width}}  {'bytes':>9}  {'error':>7}  drop ({result.measure})"
    for tried in result.tried:
        drop = "not needed: larger" if tried.drop is None else f"{tried.drop:+.4f}" + (" fits" if tried.fits else "")
        yield f"{tried.name:{width}}  {tried.size:9,}  {tried.error:7.2%}  {drop}"


def record(result: SearchResult) -> Mapping[str, Any]:
    """As plain JSON types."""
    return {"measure": result.measure, "max_drop": result.budget, "tried": [vars(tried) for tried in result.tried]}
