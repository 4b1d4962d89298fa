"""Contents of a model file, read without TensorFlow and without an interpreter."""

import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .keras_file import read_extras
from .runtime.errors import ModelError, NoMetadataError
from .runtime.inference.flatbuffer.summary import read_graph
from .runtime.model_file import metadata as meta
from .runtime.model_file.bounded_json import LARGEST, load_json
from .runtime.model_file.bundle import parse_bundle, read_member, read_model_file
from .runtime.model_file.detection_limits import SECTION, limit_table

DEEPEST = 64  # lists within lists in a Keras configuration: nested models have some


def inspect_model(path: Path | str) -> dict[str, Any]:
    """Read a `.tflite` or `.keras` file, one of ours or any other.

    Returns:
        Plain JSON types: `file`, `format`, `bytes`, `metadata` (None, with a `note`, for a foreign file), and
        either `ops`, `inputs`, `outputs` (TFLite) or `layers`, `representative` (Keras).

    Raises:
        ModelError: If it is neither, or damaged.
    """
    path = Path(path)
    content = read_model_file(path)
    if content[4:8] == b"TFL3":
        return _tflite(path, content)
    if content[:2] == b"PK":
        return _keras(path, len(content))
    raise ModelError(
        f"{path} is neither a TFLite nor a Keras 3 model. Name a file made by `edgelstm train` or `edgelstm convert`."
    )


def _tflite(path: Path, content: bytes) -> dict[str, Any]:
    graph = read_graph(content, path.name)
    record: dict[str, Any] = {"file": path.name, "format": "tflite", "bytes": len(content), "metadata": None}
    try:
        record["metadata"] = meta.to_record(parse_bundle(content, path.name).metadata)
    except NoMetadataError as error:
        record["note"] = str(error)
    return record | asdict(graph)


def _keras(path: Path, size: int) -> dict[str, Any]:
    metadata, representative = read_extras(path)
    record: dict[str, Any] = {"file": path.name, "format": "keras", "bytes": size, "metadata": None}
    if metadata is None:
        record["note"] = "No edgelstm metadata: not made by `edgelstm train`, or saved again by Keras, which drops it."
    else:
        record["metadata"] = meta.to_record(metadata)
    record["layers"] = _layers(path)
    record["representative"] = None
    if representative is not None:
        record["representative"] = {
            part: [list(segment.shape) for segment in getattr(representative, part)] for part in ("segments", "held")
        }
    return record


def _layers(path: Path) -> list[dict[str, Any]]:
    try:
        with zipfile.ZipFile(path) as archive:
            config = load_json(read_member(archive, "config.json", LARGEST), DEEPEST)["config"]
        return [
            {"class": layer["class_name"], "name": layer["config"].get("name"), "units": layer["config"].get("units")}
            for layer in config.get("layers", ())
        ]
    except (KeyError, TypeError, AttributeError, ValueError, RecursionError, zipfile.BadZipFile, zlib.error) as error:
        raise ModelError(f"{path.name} has a damaged config.json ({error}). Copy the file again.") from error


def lines(record: Mapping[str, Any]) -> Iterator[str]:
    """The record as text for a person."""
    yield f"{record['file']}: {record['format']}, {record['bytes']:,} bytes"
    if "note" in record:
        yield f"note: {record['note']}"
    yield from _metadata_lines(record["metadata"] or {})
    for port in ("inputs", "outputs"):
        yield from (
            f"{port[:-1]}: {item['name']} {tuple(item['shape'])} {item['type']}" for item in record.get(port, ())
        )
    if "ops" in record:
        yield "ops: " + ", ".join(f"{op['count']} {op['name']} v{op['version']}" for op in record["ops"])
    for layer in record.get("layers", ()):
        yield f"layer: {layer['class']} {layer['name']}" + (f", {layer['units']} units" if layer["units"] else "")
    if record.get("representative"):
        rows = {part: sum(shape[0] for shape in shapes) for part, shapes in record["representative"].items()}
        yield f"representative data: {rows['segments']} rows, {rows['held']} held back"


def _metadata_lines(record: Mapping[str, Any]) -> Iterator[str]:
    if not record:
        return
    streaming = ", streaming" if record["stateful"] else ""
    yield f"kind: {record['kind']}, scheme {record['scheme']}, window {record['window']}, horizon {record['horizon']}{streaming}"
    if record["stateful"] and "streaming" in record:
        yield f"warm-up: {record['streaming'].get('warmup', 1)} samples after a start, a gap or a reset"
    if record["period"]:
        yield f"period: {record['period']:g} s"
    if calendar := record.get(meta.CALENDAR):
        yield f"calendar: {calendar['waves']} waves of the week, {calendar.get('zone') or 'times as they are written'}"
    scaler = record["scaler"] or {"kind": "none", "offset": [], "scale": []}
    yield f"scaler: {scaler['kind']}"
    for index, channel in enumerate(record["channels"]):
        unit = f" [{channel['unit']}]" if channel["unit"] else ""
        scaled = f", offset {scaler['offset'][index]:g}, scale {scaler['scale'][index]:g}" if scaler["offset"] else ""
        trained = ""
        if channel["train_low"] is not None and channel["train_high"] is not None:
            trained = f", trained on {channel['train_low']:g} to {channel['train_high']:g}"
        yield f"channel {index}: {channel['name']}{unit}{scaled}{trained}"
    if record["scoring"]:
        yield f"score: {record['scoring']['method']} over {record['scoring']['rows']} rows"
    if record["threshold"]:
        yield f"threshold: {record['threshold']['value']:.6g} ({record['threshold']['method']})"
    if limits := limit_table(record.get(SECTION), record["period"]):
        yield from limits.lines()
    if record["tools"]:
        yield "made with: " + ", ".join(f"{name} {version}" for name, version in sorted(record["tools"].items()))
    known = {"threshold", "scoring", "accuracy", "tools", "scaler", "channels", SECTION, meta.CALENDAR}
    rest = [name for name, value in record.items() if isinstance(value, (dict, list)) and name not in known]
    if rest:
        yield "further sections: " + ", ".join(sorted(rest))
