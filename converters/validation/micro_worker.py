"""The child process that runs a model in tflite-micro: `python -m edgelstm.converters.validation.micro_worker FOLDER windows|stream`.

The folder holds model.tflite and inputs.npz (N calls, one array an input), and receives outputs.npz and result.json.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
from edgelstm.runtime.inference.flatbuffer.summary import read_graph

LARGEST = 1 << 26  # bytes of arena, more than any microcontroller has
STEP = 16  # bytes: arenas are aligned to it


def main(folder: Path, stream: bool) -> None:
    """Run the calls, then look for the smallest arena.

    Args:
        folder: Folder with model.tflite and the inputs; the results are written there.
        stream: Keep the state from call to call.
    """
    content = (folder / "model.tflite").read_bytes()
    interpreter = _interpreter(content, LARGEST)
    with np.load(folder / "inputs.npz") as arrays:
        inputs = [arrays[name] for name in sorted(arrays.files)]
    outputs = range(len(read_graph(content).outputs))
    rows = []
    for row in zip(*inputs, strict=True):
        if not stream:
            interpreter.reset()
        for index, values in enumerate(row):
            interpreter.set_input(values, index)
        interpreter.invoke()
        rows.append([np.array(interpreter.get_output(index)) for index in outputs])
    arrays = {f"output{index:02}": np.stack(part) for index, part in enumerate(zip(*rows, strict=True))}
    np.savez(folder / "outputs.npz", allow_pickle=False, **arrays)
    first = [part[0] for part in inputs]
    (folder / "result.json").write_text(json.dumps({"arena": _smallest_arena(content, first)}))


def _interpreter(content: bytes, arena: int) -> Any:
    from tflite_micro.python.tflite_micro import runtime

    return runtime.Interpreter.from_bytes(content, arena_size=arena)


def _smallest_arena(content: bytes, inputs: list[Any]) -> int:
    """Double until it works, then bisect between what fails and what works."""
    high = 64
    while not _works(content, high * STEP, inputs):
        high *= 2
    low = 0 if high == 64 else high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _works(content, middle * STEP, inputs) else (middle, high)
    return high * STEP


def _works(content: bytes, arena: int, inputs: list[Any]) -> bool:
    """Test whether the model runs in so much memory, tried in a process of its own, which kernels may abort."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    try:
        interpreter = _interpreter(content, arena)
        for index, values in enumerate(inputs):
            interpreter.set_input(values, index)
        interpreter.invoke()
    except RuntimeError:
        os._exit(1)
    os._exit(0)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2] == "stream")
