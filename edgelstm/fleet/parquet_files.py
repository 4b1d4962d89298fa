"""Parquet files as the text that the one front of the data reads: numbers in their shortest exact form, times in ISO 8601."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from edgelstm.runtime.errors import SeriesError

from .places import Place

ROWS = 65_536  # rows a batch


def is_parquet(url: str) -> bool:
    """Tell a Parquet file by its name."""
    return url.lower().endswith((".parquet", ".pq"))


def parquet_names(url: str) -> tuple[str, ...]:
    """Names of the columns.

    Raises:
        SeriesError: If it cannot be read.
    """
    return tuple(_open(url).schema_arrow.names)


def parquet_text(url: str, target: Path, columns: Sequence[str] | None = None) -> None:
    """Write a Parquet file as CSV, batch by batch.

    Args:
        url: Address of the file.
        target: The CSV file.
        columns: Channels that are wanted, None for all; columns that may hold the time stay in any case.

    Raises:
        SeriesError: If it cannot be read.
    """
    with target.open("wb") as stream:
        for number, batch in enumerate(_batches(url, columns)):
            stream.write(_csv(batch, header=number == 0))


def parquet_parts(url: str, by: str) -> Iterator[tuple[str, bytes, bytes]]:
    """Rows of a long table, a block an asset and batch, with their header.

    Args:
        url: Address of the file.
        by: Name of the asset column.
    """
    import numpy as np
    import pyarrow as pa

    for batch in _batches(url, None):
        names = batch.column(by)
        if names.null_count:
            raise SeriesError(f"The asset column {by!r} of {url} has empty cells. Fill them, or leave the rows out.")
        codes = names.cast(pa.string()).dictionary_encode()
        order = np.argsort(codes.indices.to_numpy(), kind="stable")
        rest = batch.drop_columns([by]).take(pa.array(order))
        counts = np.bincount(codes.indices.to_numpy(), minlength=len(codes.dictionary))
        head, first = _csv(rest.slice(0, 0), header=True), 0
        for asset, count in zip(codes.dictionary.to_pylist(), counts.tolist(), strict=True):
            yield asset.strip(), head, _csv(rest.slice(first, count), header=False)
            first += count


def _batches(url: str, columns: Sequence[str] | None) -> Iterator[Any]:
    file = _open(url)
    import pyarrow as pa

    fields = [
        field
        for field in file.schema_arrow
        if not pa.types.is_nested(field.type) and not pa.types.is_binary(field.type)
    ]
    if columns:
        lacking = [name for name in columns if name not in file.schema_arrow.names]
        if lacking:
            raise SeriesError(f"{url} has no column {lacking[0]!r}; it has {', '.join(file.schema_arrow.names)}.")
        numbers = (pa.types.is_floating, pa.types.is_decimal, pa.types.is_boolean)
        fields = [field for field in fields if field.name in columns or not any(test(field.type) for test in numbers)]
    for batch in file.iter_batches(ROWS, columns=[field.name for field in fields]):
        yield batch if batch.num_rows else batch.slice(0, 0)


def _open(url: str) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    place = Place(url)
    try:
        return pq.ParquetFile(place.system.open(place.path(), "rb"))
    except (OSError, pa.ArrowException) as error:
        raise SeriesError(f"Cannot read {url}: {' '.join(str(error).split())[:200]}. Give a Parquet file.") from error


def _csv(batch: Any, header: bool) -> bytes:
    import pyarrow as pa
    import pyarrow.csv as pacsv

    buffer = io.BytesIO()
    options = pacsv.WriteOptions(include_header=header, quoting_style="needed")
    pacsv.write_csv(pa.Table.from_batches([batch]), buffer, options)
    return buffer.getvalue()
