"""TFLite ops for marked recurrent layers: fused where there is an op, else one body that every step calls.

The body is a subgraph; a step is an IF whose two branches are that body. An IF costs about a hundred bytes, a GRU's
step written out about a thousand, and the interpreters, old and new, take as long for the one as for the other.
"""

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from edgelstm.runtime.errors import ConversionError

from ..flatbuffer import BOOL, FLOAT32, INT8, Graph
from ..private_api import schema
from .rnn_tracing import FUSED_LSTM, FUSED_RNN, GELU, LOOP, Loop
from .tf_convert import convert_function, is_marked

MAX_OPS = 5000  # ops of one model: half a megabyte of IFs, and seconds to start
WRITTEN_OUT = 2  # steps up to which a body is written out instead of called
Operators = list[Any]


def write_out(graph: Graph, loops: dict[str, Loop], calls: bool = True, kept: bool = False) -> None:
    """Replace marked ops by TFLite's.

    Args:
        graph: A float model with custom ops in place of recurrent layers.
        loops: What the looped ones do in a step.
        calls: Whether steps call a body; else each step's ops stand in the graph.
        kept: Keep the state of fused layers from call to call.

    Raises:
        ConversionError: If the model gets more ops than `MAX_OPS`.
    """
    bodies = {name: _body(loop) for name, loop in loops.items()}
    called: dict[str, int] = {}
    placed: Operators = []
    for operator in graph.operators:
        if not is_marked(graph, operator):
            placed.append(operator)
            continue
        kind, detail = graph.custom_name(operator).split(":")[1], graph.custom_name(operator).split(":", 1)[1]
        if kind == LOOP:
            placed += _loop(graph, operator, bodies[detail], loops[detail].output, called, detail, calls)
        elif kind == GELU:
            options = schema.GeluOptionsT()
            placed.append(graph.operator("GELU", [*operator.inputs], [*operator.outputs], 1, options))
        else:
            placed += {FUSED_LSTM: _lstm, FUSED_RNN: _rnn}[kind](graph, operator, detail.split(":")[1], kept)
    if len(placed) > MAX_OPS:
        raise ConversionError(
            f"The model takes {len(placed)} ops written out step by step; the limit is {MAX_OPS}. "
            "Use LSTM layers with tanh and sigmoid, which take one op, or a shorter window."
        )
    graph.sub.operators = placed


def _activation(name: str) -> int:
    return int(getattr(schema.ActivationFunctionType, name))


def _constant(graph: Graph, index: Any) -> Any:
    values = graph.constant(int(index))
    if values is None:
        raise ConversionError("A recurrent layer's weights depend on the input. Give them as weights of the layer.")
    return values


def _is_zero(graph: Graph, index: int) -> bool:
    values = graph.constant(index)
    return values is not None and not values.any()


def _copy(graph: Graph, source: int, target: int) -> Any:
    """A joint of one part: the op that copies to or from a state tensor without sharing its memory, as RESHAPE would."""
    options = schema.ConcatenationOptionsT()
    options.axis = 0
    return graph.operator("CONCATENATION", [source], [target], 1, options)


def _states(graph: Graph, initial: list[int], kept: bool) -> tuple[list[int], Operators]:
    """State tensors, and the ops that put the initial values into them.

    Zeros are put there, too: an interpreter keeps the state from call to call, and whoever does not reset it would
    carry one window's state into the next. A streaming form keeps what it begins with 0.
    """
    states, opening = [], []
    for index in initial:
        state = graph.add_tensor(graph.tensors[index].shape, FLOAT32)
        graph.tensors[state].isVariable = True
        states.append(state)
        if not _is_zero(graph, index):
            opening.append(_copy(graph, index, state))
        elif not kept:
            opening.append(_zeros(graph, state))
    return states, opening


def _zeros(graph: Graph, state: int) -> Any:
    """An op that writes zeros into a state: of those that interpreters do not fold into a constant, the one that all run."""
    shape = graph.tensors[state].shape
    options = schema.CastOptionsT()
    options.inDataType, options.outDataType = INT8, FLOAT32
    return graph.operator("CAST", [graph.add_tensor(shape, INT8, np.zeros(shape, np.int8))], [state], 1, options)


def _gates(graph: Graph, index: Any, count: int) -> list[int]:
    """Keras' gates side by side, (rows, count * U) or (count * U,), as a tensor each, (U, rows) or (U,)."""
    parts = np.split(_constant(graph, index), count, axis=-1)
    return [graph.add_tensor(part.T.shape, FLOAT32, part.T) for part in parts]


def _lstm(graph: Graph, operator: Any, activation: str, kept: bool) -> Operators:
    source, h, c, kernel, recurrent, bias = map(int, operator.inputs)
    sequence, cell = map(int, operator.outputs)
    states, opening = _states(graph, [h, c], kept)
    weights = [*_gates(graph, kernel, 4), *_gates(graph, recurrent, 4)]
    # no peepholes, no projection, no layer normalization
    inputs = [source, *weights, -1, -1, -1, *_gates(graph, bias, 4), -1, -1, *states, -1, -1, -1, -1]
    options = schema.UnidirectionalSequenceLSTMOptionsT()
    options.fusedActivationFunction = _activation(activation)
    fused = graph.operator("UNIDIRECTIONAL_SEQUENCE_LSTM", inputs, [sequence], 1, options)
    return [*opening, fused, *([_copy(graph, states[1], cell)] if _is_read(graph, cell) else [])]


def _rnn(graph: Graph, operator: Any, activation: str, kept: bool) -> Operators:
    source, h, kernel, recurrent, bias = map(int, operator.inputs)
    states, opening = _states(graph, [h], kept)
    inputs = [source, *_gates(graph, kernel, 1), *_gates(graph, recurrent, 1), *_gates(graph, bias, 1), *states]
    options = schema.SequenceRNNOptionsT()
    options.fusedActivationFunction = _activation(activation)
    fused = graph.operator("UNIDIRECTIONAL_SEQUENCE_RNN", inputs, [int(operator.outputs[0])], 1, options)
    return [*opening, fused]


def _is_read(graph: Graph, index: int) -> bool:
    return index in map(int, graph.sub.outputs) or any(
        index in map(int, operator.inputs) for operator in graph.operators
    )


def _body(loop: Loop) -> Graph:
    """A step as a float graph with inputs (row, states) and outputs (states)."""
    specs = [
        tf.TensorSpec((1, size), tf.float32, name=f"input_{i:02}") for i, size in enumerate((loop.width, *loop.sizes))
    ]
    constants = [(variable, tf.constant(variable.numpy())) for variable in loop.variables]

    def step(row: Any, *states: Any) -> dict[str, Any]:
        with keras.StatelessScope(state_mapping=constants):
            after = loop.step(row, list(states))
        return {f"output_{i:02}": state for i, state in enumerate(after)}

    return convert_function(step, specs)


def _loop(
    graph: Graph, operator: Any, body: Graph, output: int, called: dict[str, int], name: str, calls: bool
) -> Operators:
    rows, *states = map(int, operator.inputs)
    sequence, *finals = map(int, operator.outputs)
    steps, width = int(graph.tensors[rows].shape[1]), int(graph.tensors[rows].shape[2])
    inside = not calls or steps <= WRITTEN_OUT
    copier = _Copier(body, graph) if inside else None
    options = schema.UnpackOptionsT()
    options.num, options.axis = steps, 1
    parts = [graph.add_tensor([1, width], FLOAT32) for _ in range(steps)]
    placed: Operators = [graph.operator("UNPACK", [rows], parts, 1, options)]
    outputs = []
    if copier is None and name not in called:
        called[name] = _called(graph, body)
    for number, part in enumerate(parts):
        after = finals if number == steps - 1 else [graph.add_tensor(graph.tensors[i].shape, FLOAT32) for i in states]
        entries = [part, *states]
        placed += copier.copy(entries, after) if copier else [_call_of(graph, called[name], entries, after)]
        states = after
        outputs.append(states[output])
    if _is_read(graph, sequence):
        joint = schema.PackOptionsT()
        joint.valuesCount, joint.axis = steps, 1
        placed.append(graph.operator("PACK", outputs, [sequence], 1, joint))
    return placed


def _call_of(graph: Graph, number: int, inputs: list[int], outputs: list[int]) -> Any:
    options = schema.IfOptionsT()
    options.thenSubgraphIndex = options.elseSubgraphIndex = number
    return graph.operator("IF", [graph.add_tensor([], BOOL, np.array(True)), *inputs], outputs, 1, options)


def _called(graph: Graph, body: Graph) -> int:
    """Append a body to the model as a subgraph of its own; returns its number."""
    target = graph.add_body()
    inputs = [target.add_tensor(body.tensors[int(i)].shape, FLOAT32) for i in body.sub.inputs]
    outputs = [target.add_tensor(body.tensors[int(i)].shape, FLOAT32) for i in body.sub.outputs]
    target.sub.inputs, target.sub.outputs = np.asarray(inputs, np.int32), np.asarray(outputs, np.int32)
    target.sub.operators = _Copier(body, target).copy(inputs, outputs)
    return graph.subgraph_count - 1


class _Copier:
    """Copies a body's ops into another graph, as often as asked for, with one copy of its constants."""

    def __init__(self, body: Graph, target: Graph) -> None:
        self.body, self.target = body, target
        self.constants: dict[int, int] = {}

    def copy(self, inputs: list[int], outputs: list[int]) -> Operators:
        """Ops that compute these output tensors from these input tensors."""
        sub = self.body.sub
        place = dict(zip(map(int, sub.inputs), inputs, strict=True)) | {-1: -1}
        place |= dict(zip(map(int, sub.outputs), outputs, strict=True))
        copies = []
        for operator in sub.operators:
            copied = self._operator(operator)
            copied.inputs, copied.outputs = (
                np.asarray([self._tensor(int(index), place) for index in side], np.int32)
                for side in (operator.inputs, operator.outputs)
            )
            copies.append(copied)
        return copies

    def _operator(self, operator: Any) -> Any:
        version = self.body.model.operatorCodes[operator.opcodeIndex].version
        copied = self.target.operator(self.body.name_of(operator), [], [], version)
        copied.builtinOptions, copied.builtinOptionsType = operator.builtinOptions, operator.builtinOptionsType
        return copied

    def _tensor(self, index: int, place: dict[int, int]) -> int:
        known = self.constants if index in self.constants else place
        if index not in known:
            tensor, values = self.body.tensors[index], self.body.constant(index)
            known = place if values is None else self.constants
            known[index] = self.target.add_tensor(tensor.shape, tensor.type, values)
        return known[index]
