"""The TFLite flatbuffer is verified before an interpreter sees it."""

import struct
from pathlib import Path

import pytest
from edgelstm.runtime.errors import ModelError
from edgelstm.runtime.inference.flatbuffer import schema
from edgelstm.runtime.inference.flatbuffer.reader import read_model
from edgelstm.runtime.inference.flatbuffer.summary import read_graph
from edgelstm.runtime.inference.flatbuffer.table import Table, follow
from edgelstm.runtime.inference.interpreter import TFLiteModel
from edgelstm.runtime.model_file.bundle import parse_bundle

MODELS = Path(__file__).parent / "models"
CONTENT = parse_bundle((MODELS / "auto.int8.tflite").read_bytes()).flatbuffer
MODEL = read_model(CONTENT)
MAIN = MODEL.subgraphs[0]


def patched(place, code, *values):
    """The model with numbers overwritten."""
    content = bytearray(CONTENT)
    struct.pack_into(f"<{len(values)}{code}", content, place, *values)
    return bytes(content)


def field(record, number, size=4):
    """Place of a field of a decoded table."""
    return Table(CONTENT, record.at).place(number, size)


def items(record, number, size=4):
    """Place of a vector's first item."""
    return Table(CONTENT, record.at).vector(number, size)[0]


def tensor_with(condition):
    return next(tensor for tensor in MAIN.tensors if condition(tensor))


LSTM = MAIN.operators[0]
WEIGHTS = tensor_with(lambda tensor: tensor.buffer and len(tensor.shape) == 2)
STATE = tensor_with(lambda tensor: tensor.variable)
QUANTIZED = tensor_with(lambda tensor: tensor.scales)
SCALES = Table(CONTENT, Table(CONTENT, QUANTIZED.at).target(4)).vector(2, 4)[0]
ZEROS = Table(CONTENT, Table(CONTENT, QUANTIZED.at).target(4)).vector(3, 8)[0]
OUTPUT = MAIN.tensors[MAIN.outputs[0]]
DAMAGES = {
    "another mark": (patched(4, "I", 0), "TFL3"),
    "a root outside of the file": (patched(0, "I", len(CONTENT)), "leads out of the file"),
    "a root at an odd place": (patched(0, "I", 9), "misplaced"),
    "a vtable outside of the file": (patched(MODEL.codes[0].at, "i", -(1 << 30)), "vtable"),
    "a vector longer than the file": (patched(items(LSTM, 1) - 4, "I", 1 << 30), "does not fit into the file"),
    "an unknown operation": (patched(field(LSTM, 0), "I", 99), "no known operation"),
    "an input that is not there": (patched(items(LSTM, 1), "i", 10_000), "names a tensor that is not there"),
    "a required input left out": (patched(items(LSTM, 1), "i", -1), "lacks an input"),
    "an input that nobody writes": (patched(items(LSTM, 1), "i", MAIN.outputs[0]), "before it is written"),
    "a constant that is overwritten": (patched(items(LSTM, 2), "i", MAIN.tensors.index(WEIGHTS)), "has its values already"),
    "an unknown type": (patched(field(WEIGHTS, 1, 1), "b", 99), "unknown type"),
    "a negative size": (patched(items(WEIGHTS, 0), "i", -3), "impossible shape"),
    "an enormous size": (patched(items(OUTPUT, 0), "i", 1 << 30), "impossible shape"),
    "a constant too short for its shape": (patched(items(WEIGHTS, 0), "i", WEIGHTS.shape[0] + 1), "does not fit its"),
    "a buffer that is not there": (patched(field(WEIGHTS, 2), "I", 500), "has no buffer"),
    "a scale of zero": (patched(SCALES, "f", 0.0), "not a positive number"),
    "a scale that is no number": (patched(SCALES, "f", float("nan")), "not a positive number"),
    "a zero point beyond its type": (patched(ZEROS, "q", 1 << 40), "beyond its type"),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_flatbuffer_is_refused_by_name(damage):
    content, rule = DAMAGES[damage]

    with pytest.raises(ModelError, match=rule):
        read_graph(content, "pump.tflite")


@pytest.mark.parametrize("damage", DAMAGES)
def test_no_interpreter_sees_a_damaged_flatbuffer(damage):
    with pytest.raises(ModelError):
        TFLiteModel(DAMAGES[damage][0])


@pytest.mark.parametrize("path", sorted(MODELS.glob("*.tflite")), ids=lambda path: path.name)
def test_every_model_of_ours_is_verified(path):
    graph = read_graph(parse_bundle(path.read_bytes()).flatbuffer, path.name)

    assert graph.ops
    assert graph.inputs[0].shape[0] == 1


def test_names_with_control_characters_are_made_printable():
    start, count = Table(CONTENT, OUTPUT.at).vector(3, 1)
    content = bytearray(CONTENT)
    content[start : start + count] = b"\x1b[2J\xc2\x9b".ljust(count, b"x")[:count]

    name = read_graph(bytes(content)).outputs[0].name

    assert name.isprintable()
    assert "[2J" in name


def test_a_small_file_that_names_a_million_tables_is_refused():
    """All entries of the list point to one table: 4 bytes each."""
    subgraph = follow(CONTENT, Table(CONTENT, follow(CONTENT, 0)).vector(2, 4)[0])
    field = Table(CONTENT, subgraph).place(0, 4)
    count, base = 300_000, len(CONTENT) + -len(CONTENT) % 4
    content = bytearray(CONTENT.ljust(base, b"\0") + struct.pack("<I", count))
    struct.pack_into("<I", content, field, base - field)
    content += bytes(4 * count)
    shared = len(content)
    content += struct.pack("<HHi", 4, 4, 4)  # an empty vtable and its table
    for place in range(base + 4, base + 4 + 4 * count, 4):
        struct.pack_into("<I", content, place, shared + 4 - place)

    with pytest.raises(ModelError, match="more than"):
        read_graph(bytes(content))


def test_the_schema_numbers_every_field_once():
    for kind in schema.Record.__subclasses__():
        numbers = [entry.number for entry in kind.entries.values()]
        others = [*schema.ABSENT.get(kind, ()), *schema.PLAIN.get(kind, ())]

        assert len({*numbers, *others}) == len(numbers) + len(others)
