"""The fleet report: one self-contained page over all assets, and a page for each of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from .assets import Asset
from .figures import FIGURES, Entry, Row, entries, histograms, shown

PAGE, ASSET_PAGE, STYLE = "page.html.j2", "asset.html.j2", "style.css.j2"
MOST = 5000  # assets on the page; the first ones, which need a look
INDEX = "index.html"


def pages(rows: Sequence[Row], title: str) -> Iterator[tuple[str, str]]:
    """Yield file names and pages, the overview first.

    Args:
        rows: Of the manifest.
        title: Name of the fleet.
    """
    environment = Environment(undefined=StrictUndefined, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters["shown"] = shown
    environment.globals["style"] = _text(STYLE)
    overview, single = (environment.from_string(_text(name)) for name in (PAGE, ASSET_PAGE))
    made = entries(rows)
    figures = [figure for figure in FIGURES if any(entry.values[figure.key] is not None for entry in made)]
    yield (
        INDEX,
        overview.render(
            title=title, entries=made[:MOST], total=len(made), figures=figures, histograms=histograms(made),
            failed=sum(entry.state == "failed" for entry in made), remarked=sum(bool(entry.remarks) for entry in made),
            link=link,
        ),
    )  # fmt: skip
    for entry in made:
        yield (
            link(entry),
            single.render(title=title, entry=entry, row=entry.row, figures=figures, sections=_sections(entry.row)),
        )


def link(entry: Entry) -> str:
    """Name of an asset's own page."""
    return f"assets/{Asset(entry.name, ()).stem}.html"


def _text(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def _sections(row: Row) -> list[tuple[str, list[tuple[str, str]]]]:
    """Facts of an asset by heading, as pairs of words."""
    versions = [(version["name"], version["version"]) for version in row["versions"]]
    model = [
        (name, _word(row[key]))
        for name, key in (
            ("kind", "kind"), ("window, rows", "window"), ("parameters", "parameters"), ("epochs", "epochs"),
            ("linear error", "linear_error"), ("recurrent error", "recurrent_error"), ("threshold", "threshold"),
            ("model", "model"), ("SHA-256", "model_sha256"),
        )
    ]  # fmt: skip
    data = [
        ("files", ", ".join(row["data"])),
        ("SHA-256", row["data_sha256"]),
        ("channels", ", ".join(row["channels"] or ())),
    ]
    made = [
        (made["scheme"], f"{made['file']}, {made['bytes']:,} bytes, error {made['error']:.2%}")
        for made in row["converted"]
    ]
    return [
        (name, pairs)
        for name, pairs in (("Model", model), ("Converted", made), ("Data", data), ("Made with", versions))
        if pairs
    ]


def _word(value: Any) -> str:
    return "-" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)
