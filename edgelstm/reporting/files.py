"""The files of a report: page, data and models in one folder."""

from collections.abc import Mapping
from pathlib import Path

from edgelstm.runtime.io.atomic_files import write_atomic

from .render_html import render
from .render_text import to_csv, to_json, to_markdown
from .schema import Report

FILES = ("report.html", "report.json", "report.md", "report.csv")


def write_report(folder: Path, report: Report, files: Mapping[str, bytes]) -> Path:
    """Write a report.

    Args:
        folder: Made when it is not there.
        report: Its figures.
        files: Content of each `.tflite` file, and of the page of alarms, by name.

    Returns:
        The page's file.

    Raises:
        OutputError: If a file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    texts = (render(report), to_json(report), to_markdown(report), to_csv(report))
    forms = {name: text.encode() for name, text in zip(FILES, texts, strict=True)}
    for name, content in {**files, **forms}.items():
        write_atomic(folder / name, content)
    return folder / FILES[0]
