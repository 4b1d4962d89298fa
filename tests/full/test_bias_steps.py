"""Biases without scales of their own: the report reads them in steps of input times weight."""

from pathlib import Path

import numpy as np
from edgelstm.converters.flatbuffer import INT32, Graph
from edgelstm.runtime.model_file.bundle import load_bundle

from edgelstm.reporting.layer_errors import WEIGHTS, _Probe

MODEL = Path(__file__).parents[1] / "slim" / "models" / "auto.int8.tflite"


def test_they_are_the_same_numbers_as_with_scales():
    content = load_bundle(MODEL).flatbuffer  # of the first schema: its biases have scales
    graph = Graph.parse(content)
    biases = [tensor for tensor in graph.tensors if tensor.type == INT32 and tensor.quantization is not None]
    for tensor in biases:
        tensor.quantization = None
    probes = _Probe(content), _Probe(graph.serialize())
    seen = 0
    for layers in zip(*(probe.layers for probe in probes), strict=True):
        for places in WEIGHTS.get(layers[0].name.rsplit(" ", 1)[0], {}).values():
            old, new = (probe.weights(layer, places) for probe, layer in zip(probes, layers, strict=True))
            seen += 1

            assert np.allclose(old, new, rtol=1e-5, atol=1e-12)
    assert len(biases) == 6
    assert seen == 7
