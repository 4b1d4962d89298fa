"""Equal tables of a file are written once, and read back as they were."""

import itertools

import numpy as np
from edgelstm.converters.flatbuffer import INT8, Graph, Quantization
from edgelstm.converters.private_api import schema
from edgelstm.converters.sharing_builder import SharingBuilder


def written(zero_points):
    """A file with an activation for each zero point, one read by the next."""
    model = schema.ModelT()
    model.version, model.operatorCodes, model.buffers = 3, [], [schema.BufferT()]
    model.subgraphs = [schema.SubGraphT()]
    graph = Graph(model)
    graph.sub.tensors, graph.sub.operators = [], []
    tensors = [graph.add_tensor([1, 4], INT8, None, Quantization((0.5,), zero)) for zero in zero_points]
    graph.sub.operators = [graph.operator("QUANTIZE", [a], [b]) for a, b in itertools.pairwise(tensors)]
    graph.sub.inputs, graph.sub.outputs = np.array(tensors[:1], np.int32), np.array(tensors[-1:], np.int32)
    return graph.serialize()


def test_a_tensor_that_is_there_already_takes_its_reference_alone():
    """Of an operator and a tensor more: the operator's table and lists, two references."""
    five, six = written([1, 2, 2, 2, 3]), written([1, 2, 2, 2, 2, 3])
    other = written([1, 2, 2, 2, 4, 3])

    assert len(six) - len(five) < len(other) - len(five)


def test_tables_that_differ_stay_apart():
    read = Graph.parse(written([1, 2, 2, 3, 2, 1]))

    assert [int(tensor.quantization.zeroPoint[0]) for tensor in read.tensors] == [1, 2, 2, 3, 2, 1]
    assert [(list(op.inputs), list(op.outputs)) for op in read.operators] == [([i], [i + 1]) for i in range(5)]


def test_an_integer_and_a_real_number_of_one_value_stay_apart():
    """A softmax's beta of 1.0 is no gather's axis of 1."""
    builder = SharingBuilder(64)
    tables = []
    for write, value in (
        (builder.PrependInt32Slot, 1),
        (builder.PrependFloat32Slot, 1.0),
        (builder.PrependInt32Slot, 1),
    ):
        builder.StartObject(1)
        write(0, value, 0)
        tables.append(builder.EndObject())

    assert tables[0] == tables[2] != tables[1]
