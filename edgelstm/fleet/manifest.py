"""Manifest of a fleet: one row an asset, as JSON and as Parquet; written asset by asset."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from .assets import MANIFEST, Asset
from .converting import is_of_earlier_model
from .evaluating import JUDGED_MODEL
from .places import Place
from .stage import RECORDS, read_record

JSON_FILE, PARQUET_FILE = "manifest.json", MANIFEST
BLOCK = 5000  # rows that are held at a time
SCHEMA = 1
TRAINED = (
    "rows", "channels", "period", "kind", "window", "parameters", "epochs", "validation_loss", "linear_error", "recurrent_error",
    "left_out", "threshold", "alarms_per_1000_rows", "bytes", "remarks",
)  # fmt: skip
JUDGED = (
    "vus_pr", "roc_auc", "f1", "far", "mar", "event_recall", "event_precision", "delay", "labelled_events", "alarms",
    "false_alarms_per_day", "false_alarms_per_1000_rows",
)  # fmt: skip


def rows(home: Place) -> Iterator[dict[str, Any]]:
    """Yield the manifest's rows by asset, each from its records."""
    for name in home.names(f"{RECORDS}/train"):
        if name.endswith(".json"):
            asset = Asset(unquote(name.removesuffix(".json")), ())
            record = read_record(home, "train", asset)
            if record is not None:
                yield _row(home, asset, record)


def _row(home: Place, asset: Asset, record: dict[str, Any]) -> dict[str, Any]:
    facts: dict[str, Any] = record["facts"]
    limits = facts.get("detection_limits") or {"channels": []}
    model = f"{asset.stem}.keras"
    row = {
        "asset": asset.name, "state": "failed" if record["error"] else "done", "error": record["error"], "data": record["data"],
        "data_sha256": record["input"], "model": model if record["files"] else "", "model_sha256": record["files"].get(model, ""),
        **{name: facts.get(name) for name in TRAINED},
        "detection_limits": limits["channels"],
        "versions": [{"name": tool, "version": version} for tool, version in sorted(record["versions"].items())],
    }  # fmt: skip
    converted, row["conversion_error"] = _conversions(home, asset, row["model_sha256"])
    row["converted"] = [{"scheme": scheme, **made} for scheme, made in converted["facts"].items()]
    present = {row["model_sha256"], *converted["files"].values()}
    judged, row["evaluation_error"] = _evaluation(home, asset, present) if record["files"] else ({}, "")
    return row | {name: judged.get(name) for name in JUDGED}


def _conversions(home: Place, asset: Asset, model_sha256: str) -> tuple[dict[str, Any], str]:
    """Record of an asset's conversions, and why there are none of the present model."""
    nothing: dict[str, Any] = {"facts": {}, "files": {}}
    record = read_record(home, "convert", asset) if model_sha256 else None
    if record is None:
        return nothing, ""
    if is_of_earlier_model(record, model_sha256):
        return nothing, "converted before it was trained again: run edgelstm fleet convert"
    return record, record["error"]


def _evaluation(home: Place, asset: Asset, present: set[str]) -> tuple[dict[str, Any], str]:
    """Figures of an asset's evaluation, and why there are none of the present files."""
    record = read_record(home, "evaluate", asset)
    if record is None:
        return {}, ""
    facts: dict[str, Any] = record["facts"]
    if facts and facts.get(JUDGED_MODEL) not in present:
        return {}, "its files have changed since they were judged: run edgelstm fleet evaluate"
    return facts, record["error"]


def write_manifest(home: Place) -> int:
    """Write both files, and return the number of their rows."""
    import pyarrow.parquet as pq

    schema = _arrow_schema()
    count, made = 0, rows(home)
    with tempfile.TemporaryDirectory(prefix="edgelstm-") as folder:
        text, table = Path(folder, JSON_FILE), Path(folder, PARQUET_FILE)
        with text.open("w") as stream, pq.ParquetWriter(table, schema) as writer:
            stream.write(f'{{"schema": {SCHEMA}, "assets": [')
            while block := list(islice(made, BLOCK)):
                import pyarrow as pa

                stream.write("".join(f"{',' if count + at else ''}\n{json.dumps(row)}" for at, row in enumerate(block)))
                writer.write_table(pa.Table.from_pylist(block, schema))
                count += len(block)
            stream.write("\n]}\n")
        home.write(JSON_FILE, text.read_bytes())
        home.write(PARQUET_FILE, table.read_bytes())
    return count


def _arrow_schema() -> Any:
    """Columns of the Parquet file: the same whether values are there or not."""
    import pyarrow as pa

    text, number, whole, texts = pa.string(), pa.float64(), pa.int64(), pa.list_(pa.string())
    limit = pa.struct({"channel": text, "offset": number, "drift": number, "stuck": whole})
    version = pa.struct({"name": text, "version": text})
    scheme = pa.struct({"scheme": text, "file": text, "bytes": whole, "error": number, "threshold": number})
    kinds = dict.fromkeys((*TRAINED, *JUDGED), number)
    kinds |= dict.fromkeys(
        ("rows", "window", "parameters", "epochs", "left_out", "bytes", "labelled_events", "alarms"), whole
    )
    kinds |= {"channels": texts, "remarks": texts, "kind": text}
    ends = {
        "asset": text,
        "state": text,
        "error": text,
        "data": texts,
        "data_sha256": text,
        "model": text,
        "model_sha256": text,
    }
    made = {"detection_limits": pa.list_(limit), "versions": pa.list_(version), "conversion_error": text}
    judged = {"converted": pa.list_(scheme), "evaluation_error": text}
    return pa.schema(
        {**ends, **{name: kinds[name] for name in TRAINED}, **made, **judged, **{n: kinds[n] for n in JUDGED}}
    )
