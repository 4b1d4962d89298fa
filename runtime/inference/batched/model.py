"""A whole integer model over a batch: its operators one after the other, for blocks of windows that fit the cache."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

from .fixed_point import UnprovenError
from .graph import BatchedGraph
from .program import compile_operator

Array = npt.NDArray[Any]
BLOCK_VALUES = 48_000  # gate values at a step: each gate's buffer is some 100 kB, and the second-level cache holds five
LEAST_BLOCK, MOST_BLOCK = 32, 512


class BatchedModel:
    """An integer model whose every operator has an exact batched form.

    Args:
        content: A verified TFLite flatbuffer with a batch of 1.
        threads: Threads over blocks; None for one a processor.

    Raises:
        UnprovenError: If an operator, or the way it is used, has no such form: run it in the interpreter.
    """

    def __init__(self, content: bytes, threads: int | None = None) -> None:
        graph = self._graph = BatchedGraph(content)
        self._threads = threads or processors()
        if any(graph.port(index).type not in ("int8", "int16") for index in (*graph.inputs, *graph.outputs)):
            raise UnprovenError("inputs or outputs that are no integers")
        self._program = [compile_operator(graph, operator) for operator in graph.operators]
        graph.need(*graph.outputs)
        self.block = int(np.clip(BLOCK_VALUES // graph.widest, LEAST_BLOCK, MOST_BLOCK))
        """Windows that are run together."""

    def __call__(self, *inputs: Array) -> tuple[Array, ...]:
        """Run the model from a zero state on each window.

        Args:
            inputs: Integers of the inputs' types, each shape (N, ...) without the file's batch axis of 1.

        Returns:
            Integers of the outputs' types, each shape (N, ...).
        """
        count = len(inputs[0])
        starts = range(0, count, self.block)
        if not count:
            empty = [self._graph.port(index) for index in self._graph.outputs]
            return tuple(np.empty((0, *port.shape[1:]), port.type) for port in empty)

        def run(start: int) -> list[Array]:
            return self._run([values[start : start + self.block] for values in inputs])

        if self._threads == 1 or len(starts) == 1:
            parts = list(map(run, starts))
        else:
            with ThreadPoolExecutor(self._threads) as pool:
                parts = list(pool.map(run, starts))
        return tuple(np.concatenate(blocks) for blocks in zip(*parts, strict=True))

    def _run(self, inputs: Sequence[Array]) -> list[Array]:
        values = dict(zip(self._graph.inputs, inputs, strict=True))
        for step in self._program:
            step(values)
        return [np.asarray(values[index], self._graph.port(index).type) for index in self._graph.outputs]


def processors() -> int:
    """Return the number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
