"""Damaged files end in a clear error: never a crash, a hang, or another kind of exception."""

import json
from contextlib import suppress
from pathlib import Path

import pytest
from edgelstm.runtime.bundle import parse_bundle
from edgelstm.runtime.errors import ModelError
from edgelstm.runtime.flatbuffer import read_graph
from edgelstm.runtime.metadata import from_json, to_json
from edgelstm.runtime.state import read_state
from hypothesis import given, settings
from hypothesis import strategies as st

CONTENT = (Path(__file__).parent / "models" / "cast.int8.tflite").read_bytes()
METADATA = json.loads(to_json(parse_bundle(CONTENT).metadata))
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


@given(st.binary(max_size=200))
@settings(max_examples=50, deadline=None)
def test_noise_is_no_state(tmp_path_factory, noise):
    path = tmp_path_factory.mktemp("state") / "state"
    path.write_bytes(noise)

    with pytest.raises(ModelError):
        read_state(path)
