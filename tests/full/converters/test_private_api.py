"""Undocumented handles into Keras, TensorFlow and LiteRT, each tried by itself: a failure names what a release broke."""

import ast
from pathlib import Path

import edgelstm.converters
import keras
import numpy as np
import pytest
from conftest import F, L, T, functional, specimen, stack
from edgelstm.converters import private_api
from edgelstm.converters.flatbuffer import Graph

TREE = Path(edgelstm.converters.__file__).parent
PRIVATE = {"_flatten_layers", "_functional", "_run_through_graph", "_inputs_struct", "experimental_implements",
           "experimental_preserve_all_tensors", "schema_py_generated"}  # fmt: skip


def test_flatten_layers_reaches_nested_models_and_the_cells_of_a_recurrent_layer():
    inner = keras.Sequential([keras.Input((T, F)), L.LSTM(3, name="within")])

    names = {layer.name for layer in private_api.all_layers(functional(inner, (T, F)))}

    assert "within" in names


def test_functional_is_the_graph_behind_a_sequential_model():
    graph = private_api.functional_graph(stack(L.LSTM(3), L.Dense(2)))

    assert [type(item).__name__ for item in graph.operations] == ["InputLayer", "LSTM", "Dense"]


def test_run_through_graph_evaluates_a_model_on_values_that_are_no_tensors():
    model = stack(L.LSTM(3), L.Dense(2))

    path = private_api.run_through_graph(
        model, ["x"], lambda layer: lambda value, **_: f"{value} > {type(layer).__name__}"
    )

    assert path == "x > LSTM > Dense"


def test_inputs_struct_tells_a_dictionary_from_a_list():
    late, early = keras.Input((T, F), name="z"), keras.Input((T, F), name="a")
    model = keras.Model({"z": late, "a": early}, L.Add()([late, early]))

    assert sorted(private_api.input_structure(model)) == ["a", "z"]


def test_a_layer_s_call_can_be_replaced_past_keras_tracking_and_comes_back():
    layer = L.Dense(2)
    model = stack(layer)
    with private_api.replaced_calls({layer: lambda x: x[..., :2] * 0 + 7}):
        replaced = np.asarray(model(np.ones((1, T, F), np.float32)))

    assert (replaced == 7).all()
    assert not (np.asarray(model(np.ones((1, T, F), np.float32))) == 7).all()


def test_a_sum_over_one_channel_is_no_bias():
    """Keras writes BiasAdd for it when the batch is 1, which has no TFLite form along the rows."""
    import tensorflow as tf

    def ops_of(function):
        graph = tf.function(function, input_signature=[tf.TensorSpec((1, T, 1))] * 2).get_concrete_function().graph
        return {operation.type for operation in graph.get_operations()}

    with private_api.plain_addition():
        assert "BiasAdd" not in ops_of(keras.ops.add)
    assert "BiasAdd" in ops_of(keras.ops.add)


def test_experimental_implements_makes_one_custom_op_of_a_function():
    """The converter drops the mark in its other route, without a trackable object."""
    import tensorflow as tf

    def function(x):
        return {"y": private_api.custom_op("edgelstm:test", lambda _: [tf.zeros((1, 4))], (x,))[0]}

    concrete = tf.function(function, input_signature=[tf.TensorSpec((1, 3))], autograph=False).get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], tf.Module())
    converter.allow_custom_ops = True
    graph = Graph.parse(converter.convert())

    assert [graph.custom_name(operator) for operator in graph.operators] == ["edgelstm:test"]


def test_preserve_all_tensors_keeps_the_output_of_a_layer_in_the_middle():
    animal = specimen("stacked")
    interpreter = private_api.preserving_interpreter(animal.file.content)
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], animal.held[0][:1])
    interpreter.invoke()
    graph = animal.graph
    lstm = next(item for item in graph.operators if graph.name_of(item) == "UNIDIRECTIONAL_SEQUENCE_LSTM")

    exact = keras.Model(animal.model.inputs[0], animal.model.layers[0].output)(animal.held[0][:1])
    assert np.allclose(interpreter.get_tensor(int(lstm.outputs[0])), exact, atol=1e-6)


def test_the_schema_writes_what_it_reads():
    content = specimen("dense_head").file.content

    assert Graph.parse(content).serialize() == content


@pytest.mark.parametrize("path", sorted(TREE.rglob("*.py")), ids=lambda path: path.name)
def test_no_other_module_of_the_converter_uses_them(path):
    if path.name == "private_api.py":
        pytest.skip("their place")
    tree = ast.parse(path.read_text())
    names = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    names |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.level == 0 for alias in node.names}  # fmt: skip
    names |= {keyword.arg for node in ast.walk(tree) if isinstance(node, ast.Call) for keyword in node.keywords}

    assert not names & PRIVATE
