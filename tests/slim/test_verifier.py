"""Rules of a decoded TFLite model that no single overwritten number breaks: each is refused by its own words."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from edgelstm.runtime.errors import ModelError
from edgelstm.runtime.inference.flatbuffer.reader import read_model
from edgelstm.runtime.inference.flatbuffer.schema import CALL_ONCE_OPTIONS, IF_OPTIONS, WHILE_OPTIONS
from edgelstm.runtime.inference.flatbuffer.verifier import ACTIVATIONS, verify
from edgelstm.runtime.model_file.bundle import parse_bundle

CONTENT = parse_bundle((Path(__file__).parent / "models" / "auto.int8.tflite").read_bytes()).flatbuffer


def change(record, **values):
    """Change fields of a decoded table."""
    for name, value in values.items():
        setattr(record, name, value)


def activation(model):
    """A tensor without data."""
    main = model.subgraphs[0]
    return main.tensors[main.operators[0].outputs[0]]


def calling(model, options_type, body, inputs=None):
    """Let the last operator call a subgraph."""
    operator = model.subgraphs[0].operators[-1]
    change(operator, options_type=options_type, options=SimpleNamespace(scalar=lambda number, code: body))
    if inputs is not None:
        change(model, subgraphs=[*model.subgraphs, SimpleNamespace(inputs=inputs)])


RULES = {
    "another version": (lambda model: change(model, version=2), "not a TFLite model of version 3"),
    "no subgraph": (lambda model: change(model, subgraphs=[]), "not a TFLite model of version 3"),
    "an operation of the future": (lambda model: change(model.codes[0], version=101), "version 101, is not known"),
    "data behind the flatbuffer": (lambda model: change(model.buffers[1], offset=4096), "lies behind the flatbuffer"),
    "no output": (lambda model: change(model.subgraphs[0], outputs=[]), "a subgraph has no output"),
    "an input twice": (lambda model: change(model.subgraphs[0], inputs=[*model.subgraphs[0].inputs] * 2), "or there twice"),
    "a constant as input": (
        lambda model: change(model.subgraphs[0], inputs=[model.subgraphs[0].operators[0].inputs[1]]),
        "an input is a constant",
    ),
    "an output that nobody writes": (lambda model: change(model.subgraphs[0], operators=model.subgraphs[0].operators[:-1]), "no operator writes an output"),
    "another shape in the signature": (lambda model: change(activation(model), signature=[1]), "two different shapes"),
    "activations beyond any model's": (
        lambda model: change(activation(model), shape=[2, ACTIVATIONS], signature=[]),
        "its activations need",
    ),
    "more scales than channels": (
        lambda model: change(next(one for one in model.subgraphs[0].tensors if one.scales).quantization, scale=[1.0] * 9),
        "has 9 scales",
    ),
    "no output of an operator": (lambda model: change(model.subgraphs[0].operators[0], outputs=[]), "and 0 outputs"),
    "a loop whose body is not there": (lambda model: calling(model, WHILE_OPTIONS, 7), "calls subgraph 7"),
    "a loop that is its own body": (lambda model: calling(model, WHILE_OPTIONS, 0), "calls subgraph 0"),
    "an initializer that is not there": (lambda model: calling(model, CALL_ONCE_OPTIONS, 3), "calls subgraph 3"),
    "a branch that takes more": (lambda model: calling(model, IF_OPTIONS, 1, [0] * 99), "which takes others"),
}  # fmt: skip


@pytest.mark.parametrize("rule", RULES)
def test_a_model_that_breaks_a_rule_is_refused_by_its_words(rule):
    model = read_model(CONTENT)
    verify(model)
    damage, words = RULES[rule]
    damage(model)

    with pytest.raises(ModelError, match=rf"^pump\.tflite is damaged: .*{words}.*Copy the file again"):
        verify(model, "pump.tflite")
