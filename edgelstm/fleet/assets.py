"""Assets of a fleet: a folder with a file each, a pattern with `{asset}`, or one long table with an asset column."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote

from edgelstm.runtime.errors import SeriesError

from .places import Place
from .table_parts import column_names, split_table

ENDINGS = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".txt", ".jsonl", ".parquet", ".pq")
MANIFEST = "manifest.parquet"  # that a fleet writes beside its models, and so perhaps beside the data
LONGEST_NAME = 120  # characters of an asset's name


@dataclass(frozen=True)
class Asset:
    """One machine with its data."""

    name: str
    """Its name, as the data have it."""
    files: tuple[str, ...]
    """Addresses of its files."""

    @property
    def stem(self) -> str:
        """Its name as the beginning of a file name: what is unsafe there is written as in an address.

        >>> Asset("Hall 3/pump", ()).stem
        'Hall%203%2Fpump'
        """
        text = quote(self.name, safe="")
        return f"%2E{text[1:]}" if text.startswith(".") else text


def list_assets(data: str, by: str, home: Place) -> list[Asset]:
    """List the assets of a fleet by name.

    Args:
        data: Folder, pattern with `{asset}`, or file of a long table, by address.
        by: Name of the pattern's place, or of the asset column.
        home: The fleet's folder; a long table is split into it, once.

    Raises:
        SeriesError: If there are none, or one name is used twice.
    """
    pairs = _of_pattern(data, by) if f"{{{by}}}" in data else _of_folder_or_table(data, by, home)
    assets = sorted((Asset(name, tuple(files)) for name, files in pairs), key=lambda asset: asset.name)
    if not assets:
        raise SeriesError(f"{data} holds no assets. Give files such as {', '.join(ENDINGS[:2])} or .parquet.")
    if longest := next((asset.name for asset in assets if len(asset.stem) > LONGEST_NAME), None):
        raise SeriesError(f"An asset's name has at most {LONGEST_NAME} characters; received {longest[:60]!r} and more.")
    return assets


def _of_folder_or_table(data: str, by: str, home: Place) -> Iterable[tuple[str, list[str]]]:
    place = Place(data)
    if not place.system.exists(place.path()):
        raise SeriesError(f"There is no {data}. Name a folder, a pattern with {{{by}}}, or the file of a long table.")
    if place.system.isfile(place.path()):
        return split_table([data], by, home)
    names = [name for name in place.names() if _holds_data(name)]
    files = [_address(place, name) for name in names]
    if files and by in column_names(files[0]):
        return split_table(files, by, home)
    pairs = [(_stem(name), [file]) for name, file in zip(names, files, strict=True)]
    seen: set[str] = set()
    for name, (file,) in pairs:
        if name in seen:
            raise SeriesError(f"Two files of {data} are the asset {name}; one is {file}. Leave one of them out.")
        seen.add(name)
    if not pairs and place.system.ls(place.path()):
        raise SeriesError(
            f"{data} holds no data files itself. Where each asset has a folder, give a pattern: '{data.rstrip('/')}/{{{by}}}/*.csv'."
        )
    return pairs


def _of_pattern(data: str, by: str) -> Iterable[tuple[str, list[str]]]:
    """Files that match a pattern, by what stands in its place for the asset."""
    place = Place(data)
    matched: dict[str, list[str]] = {}
    shape = _expression(place.path(), by)
    for path in sorted(place.system.glob(place.path().replace(f"{{{by}}}", "*"))):
        if match := shape.fullmatch(str(path)):
            matched.setdefault(match["asset"], []).append(str(place.system.unstrip_protocol(path)))
    return matched.items()


def _expression(pattern: str, by: str) -> re.Pattern[str]:
    """The pattern as an expression.

    >>> _expression("data/{asset}/*.csv", "asset").fullmatch("data/P1/a.csv")["asset"]
    'P1'
    >>> _expression("data/**/{asset}-0[1-3].csv", "asset").fullmatch("data/P1-02.csv")["asset"]
    'P1'
    """
    forms = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    text, named = "", False
    for part in re.split(rf"(\{{{re.escape(by)}\}}|\*\*/|\*\*|\*|\?|\[[^]/]+\])", pattern):
        if part == f"{{{by}}}":
            text += "(?P=asset)" if named else "(?P<asset>[^/]+)"
            named = True
        elif part.startswith("[") and part.endswith("]"):
            text += f"[^{part[2:]}" if part.startswith(("[!", "[^")) else part
        else:
            text += forms.get(part, re.escape(part))
    return re.compile(text)


def _holds_data(name: str) -> bool:
    return name.lower().endswith(ENDINGS) and not name.startswith(".") and name != MANIFEST


def _stem(name: str) -> str:
    ending = max((ending for ending in ENDINGS if name.lower().endswith(ending)), key=len)
    return name[: -len(ending)]


def _address(place: Place, name: str) -> str:
    return place.path(name) if place.is_local else str(place.system.unstrip_protocol(place.path(name)))
