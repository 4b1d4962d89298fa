"""A model file is read within bounds, and refused where it would silence alarms."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from edgelstm.runtime import Detector
from edgelstm.runtime.errors import ModelError, NoMetadataError
from edgelstm.runtime.model_file.bundle import DIGEST, ENTRY, parse_bundle
from edgelstm.runtime.model_file.metadata import Channel, Metadata, from_json, to_json, to_record
from model_files import channels, repack, with_size, zipped

from edgelstm.inspection import inspect_model

MODELS = Path(__file__).parent / "models"
CONTENT = (MODELS / "auto.int8.tflite").read_bytes()
RECORD = to_record(parse_bundle(CONTENT).metadata)
FLATBUFFER = parse_bundle(CONTENT).flatbuffer
SCORING, SCALER = RECORD["scoring"], RECORD["scaler"]
HUGE = b'{"schema":1,"kind":"' + b"a" * (20 << 20) + b'"}'
BOMBS = {
    "20 MB of text": repack(CONTENT, metadata=HUGE),
    "a member that lies about its size": with_size(repack(CONTENT, metadata=HUGE), ENTRY, 100),
    "a checksum of 20 MB": zipped(FLATBUFFER, {ENTRY: to_json(parse_bundle(CONTENT).metadata), DIGEST: bytes(20 << 20)}),
    "20 MB packed by LZMA": repack(CONTENT, metadata=HUGE, compression=zipfile.ZIP_LZMA),
    "two million lists": repack(CONTENT, metadata=b'{"schema":1,"kind":[' + b"[]," * 2_000_000 + b"[]]}"),
    "a directory of 20,000 members": zipped(FLATBUFFER, {f"{i}.json": b"{}" for i in range(20_000)}),
    "lists 100,000 deep": repack(CONTENT, metadata=b'{"schema":1,"kind":' + b"[" * 100_000),
    "lists 100 deep": repack(CONTENT, metadata={"notes": json.loads("[" * 100 + "]" * 100)}),
    "an integer of 4,000 digits": repack(CONTENT, metadata=b'{"schema":1,"kind":' + b"9" * 4000 + b"}"),
    "a number beyond all numbers": repack(CONTENT, metadata=b'{"schema":1,"note":1e999}'),
    "a number that is none": repack(CONTENT, metadata={"note": float("nan")}),
}  # fmt: skip
SILENT = {
    "a threshold of 1e300": ({"threshold": {**RECORD["threshold"], "value": 1e300}}, "threshold of 1e[+]300"),
    "a threshold of 1e9": ({"threshold": {**RECORD["threshold"], "value": 1e9}}, "threshold of 1e[+]09"),
    "an error scale of 1e20": (
        {"scoring": {**SCORING, "scale": [1e20, *SCORING["scale"][1:]]}},
        "silences the channel",
    ),
    "a sensor scale of 1e20": ({"scaler": {**SCALER, "scale": [1e20, *SCALER["scale"][1:]]}}, "silences the channel"),
    "alarms after a billion samples": ({"decision": {"minimum": 10**9}}, "alarm rules"),
}
TEXTS = ("\x1b[2J", "\x9b2J", "\x00", "\x7f", "\ud800", "\udfff")


def test_metadata_that_would_fill_the_memory_are_refused_in_little(tmp_path):
    """All of them in one process, whose largest memory is that of the worst."""
    for number, bomb in enumerate(BOMBS.values()):
        (tmp_path / f"{number}.tflite").write_bytes(bomb)
    program = (
        "import sys, resource; from edgelstm.runtime.model_file.bundle import load_bundle\n"
        "from edgelstm.runtime.errors import ModelError\n"
        "for path in sys.argv[1:]:\n"
        "    try: load_bundle(path); print('loaded')\n"
        "    except ModelError as error: print(error)\n"
        "print(open('/proc/self/status').read().split('VmHWM:')[1].split()[0])"
    )
    paths = [tmp_path / f"{number}.tflite" for number in range(len(BOMBS))]
    done = subprocess.run([sys.executable, "-c", program, *paths], capture_output=True, text=True, timeout=60)
    *errors, kilobytes = done.stdout.splitlines()

    assert done.stderr == ""
    assert len(errors) == len(BOMBS)
    assert "loaded" not in errors
    assert max(map(len, errors)) < 400
    assert int(kilobytes) < 150_000


@pytest.mark.parametrize("silence", SILENT)
def test_a_model_that_could_never_raise_an_alarm_is_refused_by_name(silence):
    changes, rule = SILENT[silence]

    with pytest.raises(ModelError, match=rule):
        from_json(json.dumps(RECORD | changes))


@pytest.mark.parametrize("name", ["auto.int8", "cast.int8", "auto.float32", "cast.float32"])
@pytest.mark.parametrize("factor", [0.5, 2, 100])
def test_thresholds_that_somebody_may_want_load(name, factor):
    metadata = parse_bundle((MODELS / f"{name}.tflite").read_bytes()).metadata
    record = to_record(metadata)
    record["threshold"]["value"] *= factor

    assert from_json(json.dumps(record)).threshold.value == metadata.threshold.value * factor


@pytest.mark.parametrize("text", TEXTS, ids=ascii)
def test_names_that_a_terminal_would_obey_are_refused(text):
    with pytest.raises(ModelError, match="control character"):
        from_json(json.dumps(RECORD | channels(RECORD, name=text)))


@pytest.mark.parametrize("text", TEXTS, ids=ascii)
def test_a_refusal_does_not_repeat_what_a_terminal_would_obey(text):
    with pytest.raises(ModelError) as refusal:
        from_json(json.dumps(RECORD | {"schema": text}))

    assert str(refusal.value).isprintable()


def test_line_ends_in_a_column_name_load():
    """Spreadsheets have them in headers."""
    assert from_json(json.dumps(RECORD | channels(RECORD, name="level\n[cm]"))).names[0] == "level\n[cm]"


def test_a_file_of_another_tool_is_told_apart_from_a_damaged_one():
    with pytest.raises(NoMetadataError):
        parse_bundle(FLATBUFFER)


def test_a_repacked_file_detects():
    """The helper that packs damaged files is right."""
    bundle = parse_bundle(repack(CONTENT, metadata={"note": "nothing"}))

    assert bundle.metadata.sections["note"] == "nothing"
    Detector.from_bundle(bundle).probe()


@pytest.mark.parametrize("member", ["config.json", "edgelstm.json", "edgelstm.npz"])
def test_a_keras_file_is_read_within_bounds(member, tmp_path):
    path = tmp_path / "pump.keras"
    members = {"config.json": b'{"config": {"layers": []}}', member: HUGE + b"[" * 100_000}
    path.write_bytes(zipped(b"", members))

    with pytest.raises(ModelError):
        inspect_model(path)


@pytest.mark.parametrize(
    "path", [path for path in sorted(MODELS.glob("*.tflite")) if path.name[:4] != "week"], ids=lambda path: path.stem
)
def test_a_file_of_schema_1_is_written_again_as_schema_2_smaller_and_the_same(path):
    old = parse_bundle(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        written = json.loads(archive.read(ENTRY))
    content = old.to_bytes()
    new = parse_bundle(content)

    assert written["schema"] == 1
    assert DIGEST in archive.namelist()
    assert new.metadata == old.metadata
    assert new.flatbuffer[: len(old.flatbuffer)] == old.flatbuffer
    assert len(content) <= path.stat().st_size - 150
    assert new.to_bytes() == content


def test_channels_of_schema_2_keep_what_only_some_of_them_have():
    channels = (Channel("a", "mm", low=0.0), Channel("b"), Channel("c", train_low=-1.0, train_high=2.5))
    metadata = Metadata("generic", 4, channels=channels)

    assert from_json(to_json(metadata)) == metadata


def test_channels_of_different_lengths_are_refused():
    record = json.loads(to_json(parse_bundle(CONTENT).metadata))
    record["channels"]["name"].append("one too many")

    with pytest.raises(ModelError, match="different lengths"):
        from_json(json.dumps(record))


@pytest.mark.parametrize("place", [40, -1, -20])
def test_a_changed_byte_of_model_or_checksum_is_found(place):
    content = bytearray(parse_bundle(CONTENT).to_bytes())
    content[place] ^= 1

    with pytest.raises(ModelError, match="damaged"):
        parse_bundle(bytes(content))
