"""Damaged files end in a clear error: never a crash, a hang, or another kind of exception."""

import io
import json
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest
from edgelstm.runtime import Detector
from edgelstm.runtime.errors import ConfigError, EdgelstmError, ModelError, SeriesError, ShapeError
from edgelstm.runtime.forecasting.forecaster import Forecaster
from edgelstm.runtime.inference.flatbuffer.summary import read_graph
from edgelstm.runtime.io.addresses import parse_address
from edgelstm.runtime.io.terminal import printable
from edgelstm.runtime.model_file.bounded_json import LARGEST
from edgelstm.runtime.model_file.bundle import Bundle, parse_bundle
from edgelstm.runtime.model_file.metadata import from_json, to_record
from edgelstm.runtime.service.config import load_config, make_config
from edgelstm.runtime.service.state_file import read_state
from edgelstm.runtime.sources import Columns
from edgelstm.runtime.sources.live import LiveRows
from hypothesis import given, settings
from hypothesis import strategies as st
from model_mutations import mutations

from edgelstm.inspection import inspect_model, lines

pytestmark = pytest.mark.slow(reason="hundreds of damaged inputs for each kind of file")
MODELS = Path(__file__).parent / "models"
CONTENT = (MODELS / "cast.int8.tflite").read_bytes()
FLATBUFFER = parse_bundle(CONTENT).flatbuffer
METADATA = to_record(parse_bundle(CONTENT).metadata)
spots = st.lists(st.tuples(st.integers(0, len(CONTENT) - 1), st.integers(0, 255)), min_size=1, max_size=8)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def read_or_refuse(read, *arguments):
    with suppress(ModelError):
        read(*arguments)


@given(spots)
@settings(max_examples=200, deadline=None)
def test_a_bundle_with_any_bytes_changed_is_read_or_refused(changes):
    content = bytearray(CONTENT)
    for at, value in changes:
        content[at] = value
    read_or_refuse(parse_bundle, bytes(content))
    read_or_refuse(read_graph, bytes(content))


@given(st.integers(0, len(CONTENT) - 1))
@settings(max_examples=100, deadline=None)
def test_a_bundle_cut_anywhere_is_refused(length):
    with pytest.raises(ModelError):
        parse_bundle(CONTENT[:length])


@given(st.binary(max_size=300))
@settings(max_examples=200, deadline=None)
def test_noise_is_no_flatbuffer(noise):
    read_or_refuse(read_graph, b"\x10\0\0\0TFL3" + noise)


@given(st.sampled_from(sorted(METADATA)), anything)
@settings(max_examples=200, deadline=None)
def test_metadata_with_any_value_changed_is_read_or_refused(name, value):
    read_or_refuse(from_json, json.dumps(METADATA | {name: value}))


def places(node, before=()):
    """Every path into nested lists and dictionaries."""
    if before:
        yield before
    inner = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in inner:
        yield from places(value, (*before, key))


@given(st.sampled_from(sorted(places(METADATA), key=str)), anything)
@settings(max_examples=200, deadline=None)
def test_a_detector_of_damaged_metadata_works_or_is_refused(path, value):
    record = json.loads(json.dumps(METADATA))
    node = record
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value
    with suppress(EdgelstmError):
        Detector.from_bundle(Bundle(FLATBUFFER, from_json(json.dumps(record)))).probe()


def test_damaged_model_files_are_refused_in_one_line_or_detect(tmp_path):
    """The first of the files of `benchmarks/fuzz_models.py`; those that pass the checks here are tried there in processes."""
    path, read = tmp_path / "model.tflite", 0
    for _, content in mutations(MODELS, 120, seed=1):
        path.write_bytes(content)
        try:
            text = "\n".join(lines(inspect_model(path)))
            read += 1
        except ModelError as error:
            text = str(error)
            assert len(text) < 1000
        assert printable(text) == text
        with suppress(EdgelstmError):
            bundle = parse_bundle(content)
            Forecaster(bundle.metadata, None) if "forecast" in bundle.metadata.sections else Detector(
                bundle.metadata, lambda window: window
            )

    assert 10 < read < 100


def test_metadata_that_is_nested_too_deeply_is_refused():
    with pytest.raises(ModelError):
        from_json('{"schema":1,"kind":' + "[" * 100_000)


def test_a_digest_that_unpacks_to_gigabytes_is_refused(tmp_path):
    content = io.BytesIO()
    content.write(FLATBUFFER)
    with zipfile.ZipFile(content, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("edgelstm.json", json.dumps(METADATA))
        archive.writestr("edgelstm.sha256", b"0" * (LARGEST + 1))

    with pytest.raises(ModelError, match="impossible size"):
        parse_bundle(content.getvalue())


@given(st.text(max_size=60) | st.sampled_from(["model", "to", "stream"]).flatmap(lambda key: st.just(f"{key} = 1e999")))
@settings(max_examples=200, deadline=None)
def test_any_text_is_a_configuration_or_refused(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("config") / "pump.toml"
    path.write_text(text, encoding="utf-8", errors="replace")
    with suppress(ConfigError):
        load_config(path)


@given(st.dictionaries(st.sampled_from(["model", "source", "to", "limit", "stream", "minimum", "adapt"]), anything))
@settings(max_examples=200, deadline=None)
def test_any_values_are_a_configuration_or_refused(record):
    with suppress(ConfigError):
        make_config(record)


@given(st.text(max_size=40))
@settings(max_examples=300, deadline=None)
def test_any_text_is_an_address_or_refused(text):
    with suppress(ConfigError):
        parse_address(text)


@given(st.lists(st.text(max_size=30) | anything.map(json.dumps), max_size=30))
@settings(max_examples=200, deadline=None)
def test_a_live_source_outlives_any_lines(lines):
    rows = LiveRows(Columns(("flow", "motor")), "the line", clock=None)
    with suppress(SeriesError, ShapeError):
        for sample in rows.samples(lines):
            assert len(sample.values) == 2


@given(st.binary(max_size=200))
@settings(max_examples=50, deadline=None)
def test_noise_is_no_state(tmp_path_factory, noise):
    path = tmp_path_factory.mktemp("state") / "state"
    path.write_bytes(noise)

    with pytest.raises(ModelError):
        read_state(path)
