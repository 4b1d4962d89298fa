"""The report on accuracy versus size as a result in Python."""

from __future__ import annotations

import html
import sys
import tempfile
import webbrowser
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgelstm.runtime.errors import ConversionError

from ..reporting.files import write_report
from ..reporting.pipeline import build
from ..reporting.render_html import render
from ..reporting.request import Request
from ..reporting.schema import Report
from .rows_file import write_rows


@dataclass(frozen=True)
class ReportPage:
    """A report: its data, its page, and the files that it speaks of."""

    report: Report
    """All figures."""
    files: Mapping[str, bytes] = field(repr=False)
    """Content of each `.tflite` file, and of the page of alarms, by name."""

    def __repr__(self) -> str:
        schemes = ", ".join(scheme.scheme for scheme in self.report.schemes)
        return f"ReportPage({self.report.model.name}: {schemes})"

    @property
    def html(self) -> str:
        """The page: one file, no network."""
        return render(self.report)

    def save(self, folder: Path | str = "report") -> Path:
        """Write the page, its data (JSON, CSV, Markdown) and the models.

        Args:
            folder: Made when it is not there.

        Returns:
            The page's file.
        """
        return write_report(Path(folder), self.report, self.files)

    def show(self) -> None:
        """Show the page: in a notebook below the cell, else in a browser."""
        if display := _display():
            display(self)
            return
        webbrowser.open(self.save(tempfile.mkdtemp(prefix="edgelstm-report-")).resolve().as_uri())

    def _repr_html_(self) -> str:
        """The page in a frame, for notebooks."""
        return f'<iframe srcdoc="{html.escape(self.html)}" style="width:100%;height:800px;border:0"></iframe>'


def report(
    model: Any,
    labelled: Any = None,
    *,
    schemes: Sequence[str] = (),
    label_column: str | None = None,
    time_column: str | None = None,
    tell: Callable[[str], None] = lambda _: None,
    **options: Any,
) -> ReportPage:
    """Convert a model to every scheme, and show what each costs and loses.

    Args:
        model: A fitted estimator, a Keras model (with `calibration`), or the path of a `.keras` file.
        labelled: Rows to judge on, with labels or without: pandas or polars table, or CSV file; None for the rows that were
            held back.
        schemes: Which to compare; empty for all.
        label_column: Its name; None looks for a common one.
        time_column: Its name; None looks for one.
        tell: Called with the name of each step.
        options: `calibration`, `scaler`, `scaler_from`, `kind`, `lookback` and `streaming`, for models from elsewhere; `language` and `timezone`
            of the alarms.

    Raises:
        ConversionError: If the model has no TFLite form at all.
        SeriesError: If the rows cannot be used.
    """
    chosen: dict[str, Any] = {"schemes": tuple(schemes)} if schemes else {}
    with _files(model, labelled, options.pop("calibration", None)) as (file, data, normal):
        request = Request(
            file, data, calibration=normal, label_column=label_column, time_column=time_column, **chosen, **options
        )
        built = build(request, tell)
    return ReportPage(built.report, built.files)


@contextmanager
def _files(model: Any, rows: Any, normal: Any) -> Iterator[tuple[Path, Path | None, Path | None]]:
    """Model and rows as files: a report is about files, and rows go the way of a user's CSV."""
    with tempfile.TemporaryDirectory(prefix="edgelstm-") as folder:
        file = model
        if not isinstance(model, str | Path):
            if hasattr(model, "bundle"):
                raise ConversionError(
                    f"A report converts a model to every scheme: give the estimator, the Keras model or its .keras file; received "
                    f"{model!r}, which is converted already."
                )
            file = Path(folder) / "model.keras"
            model.save(file)
        yield Path(file), _rows_file(folder, "rows", rows), _rows_file(folder, "normal", normal)


def _rows_file(folder: str, name: str, rows: Any) -> Path | None:
    if rows is None or isinstance(rows, str | Path):
        return None if rows is None else Path(rows)
    path = Path(folder) / f"{name}.csv"
    write_rows(path, rows)
    return path


def _display() -> Any:
    """The function of a notebook that shows something below the cell; None elsewhere."""
    shell = sys.modules.get("IPython")
    kernel = shell.get_ipython() if shell is not None else None
    return shell.display.display if shell is not None and type(kernel).__name__ == "ZMQInteractiveShell" else None
