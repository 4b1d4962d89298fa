"""Validation for microcontrollers: a model runs in TensorFlow Lite Micro's own interpreter.

The PyPI package `tflite-micro` is that interpreter for a workstation, with the portable kernels of the C++ library. It
may end a process, and it says why on the standard error output alone: so it gets a process of its own.
"""

import importlib.util
import json
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from edgelstm.runtime.errors import ConversionError
from edgelstm.runtime.inference.interpreter import TFLiteModel

from ..flatbuffer import INT32, TFLiteFile
from .limits import relative_rms

Array = npt.NDArray[Any]
SCHEMES = ("int8", "float32")
MOST = 256  # calls that are compared
MISSING_OP = re.compile(r"Didn't find op for builtin opcode '(\w+)'")
FAILED_OP = re.compile(r"Node (\w+) \(number \d+\w*\) failed to (\w+)")


@dataclass(frozen=True)
class MicroValidation:
    """Result of a run in tflite-micro."""

    arena: int
    """Bytes of working memory it needs, found by trying, on a 64-bit machine: a 32-bit one needs less."""
    difference: float
    """RMS difference from LiteRT's outputs on the same inputs, as a share of their standard deviation."""
    largest: float
    """Largest such difference, in steps of an integer output, else as it is."""
    calls: int
    """Calls that were compared."""


def check_target(schemes: tuple[str, ...]) -> None:
    """Refuse what cannot run on a microcontroller before any work is done.

    Raises:
        ConversionError: If tflite-micro is not installed, or a scheme has no form there.
    """
    foreign = [scheme for scheme in schemes if scheme not in SCHEMES]
    if foreign:
        raise ConversionError(
            f"tflite-micro has no kernels for scheme {', '.join(foreign)} (int8 weights beside float values, or float16). "
            "Use --int8 or --scheme float32."
        )
    if importlib.util.find_spec("tflite_micro") is None:
        raise ConversionError(
            "A model for microcontrollers is validated in tflite-micro's interpreter, which is not installed. "
            "Install it: pip install 'edgelstm[micro]' (2.6 MB, x86-64 Linux)."
        )


def portable(file: TFLiteFile) -> TFLiteFile:
    """A float model with ops that tflite-micro lacks replaced by ones that it has: TILE along axes of 1 by BROADCAST_TO."""
    graph = file.graph.copy()
    for operator in graph.operators:
        source, output = graph.tensors[int(operator.inputs[0])], graph.tensors[int(operator.outputs[0])]
        if graph.name_of(operator) == "TILE" and _spreads(source.shape, output.shape):
            shape = np.asarray(output.shape, np.int32)
            operator.opcodeIndex = graph.code("BROADCAST_TO", 2)
            operator.inputs = np.asarray([operator.inputs[0], graph.add_tensor([len(shape)], INT32, shape)], np.int32)
            operator.builtinOptions, operator.builtinOptionsType = None, 0
    return graph.finished()


def _spreads(source: Any, output: Any) -> bool:
    return all(a in (1, b) for a, b in zip(source, output, strict=True))


def validate_on_micro(flatbuffer: bytes, held: tuple[Array, ...], stream: bool) -> MicroValidation:
    """Run a converted model in tflite-micro and in LiteRT on the same inputs.

    Args:
        flatbuffer: The model.
        held: (N, ...) for each input.
        stream: Whether they are consecutive samples of one stream.

    Raises:
        ConversionError: If it does not run there; the message names the op.
    """
    model = TFLiteModel(flatbuffer)
    inputs = [
        tensor.quantize(part[:MOST]).reshape(-1, *tensor.shape) for tensor, part in zip(model.inputs, held, strict=True)
    ]
    with tempfile.TemporaryDirectory(prefix="edgelstm-") as name:
        folder = Path(name)
        (folder / "model.tflite").write_bytes(flatbuffer)
        np.savez(
            folder / "inputs.npz",
            allow_pickle=False,
            **{f"input{number:02}": part for number, part in enumerate(inputs)},
        )
        command = [
            sys.executable,
            "-m",
            "edgelstm.converters.validation.micro_worker",
            str(folder),
            "stream" if stream else "windows",
        ]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", cwd=folder, check=False)
        if done.returncode or not (folder / "result.json").exists():
            raise ConversionError(_refusal(done.stderr, done.returncode))
        arena = int(json.loads((folder / "result.json").read_text())["arena"])
        with np.load(folder / "outputs.npz") as arrays:
            theirs = [arrays[key] for key in sorted(arrays.files)]
    pairs = list(zip(theirs, _litert(model, inputs, stream), strict=True))
    largest = max(float(np.abs(a.astype(np.float64) - b.astype(np.float64)).max()) for a, b in pairs)
    return MicroValidation(arena, max(relative_rms(a, b) for a, b in pairs), largest, len(inputs[0]))


def _litert(model: TFLiteModel, inputs: list[Array], stream: bool) -> list[Array]:
    """LiteRT's raw outputs; (N, ...) an output."""
    rows = []
    model.reset()
    for row in zip(*inputs, strict=True):
        if not stream:
            model.reset()
        for tensor, values in zip(model.inputs, row, strict=True):
            model.interpreter.set_tensor(tensor.index, values)
        model.interpreter.invoke()
        rows.append([model.interpreter.get_tensor(tensor.index) for tensor in model.outputs])
    return [np.stack(parts) for parts in zip(*rows, strict=True)]


def _refusal(log: str, code: int) -> str:
    """One sentence for a failed run, from tflite-micro's log."""
    missing, failed = MISSING_OP.search(log), FAILED_OP.search(log)
    if missing:
        return (
            f"tflite-micro has no op {missing[1]}. Replace the layer that needs it, or convert without --target micro."
        )
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    if failed:
        reason = lines[0].rstrip(".") if not lines[0].startswith("Node") else f"it fails to {failed[2]}"
        return f"tflite-micro cannot run the op {failed[1]} here: {reason}. Convert it without --target micro."
    return f"tflite-micro cannot run the model ({(lines or [f'exit code {code}'])[-1][:200]}). Convert it without --target micro."
