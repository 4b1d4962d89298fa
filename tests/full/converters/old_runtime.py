"""tflite-runtime 2.14 in a Python of its own: EDGELSTM_TFLITE_RUNTIME_PYTHON names one with it and NumPy 1."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import edgelstm.runtime
import numpy as np
import pytest

import edgelstm

VARIABLE = "EDGELSTM_TFLITE_RUNTIME_PYTHON"
SCRIPT = Path(__file__).with_name("other_python.py")


def run_on_tflite_runtime(
    content: bytes, windows: tuple[np.ndarray, ...], folder: Path, stream: bool = False
) -> tuple[np.ndarray, ...]:
    """Outputs of a model over windows, or over a stream of rows, through our runtime package on tflite-runtime 2.14."""
    python = os.environ.get(VARIABLE)
    if not python:
        pytest.skip(f"{VARIABLE} names no Python with tflite-runtime 2.14")
    package = folder / "path" / "edgelstm"
    if not package.exists():
        package.mkdir(parents=True)
        (package / "__init__.py").symlink_to(edgelstm.__file__)
        (package / "runtime").symlink_to(Path(edgelstm.runtime.__file__).parent)
    (folder / "model.tflite").write_bytes(content)
    np.savez(folder / "windows.npz", **{f"input{number:02}": part for number, part in enumerate(windows)})
    command = [
        python,
        SCRIPT,
        folder / "model.tflite",
        folder / "windows.npz",
        folder / "outputs.npz",
        *["stream"] * stream,
    ]
    environment = {**os.environ, "PYTHONPATH": str(package.parent)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("tflite-runtime 2.14"), done.stdout
    with np.load(folder / "outputs.npz") as arrays:
        return tuple(arrays[name] for name in sorted(arrays.files))
