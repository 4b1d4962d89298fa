"""Run a converted model in another Python, whose interpreter is the other one: FILE.tflite WINDOWS.npz OUTPUTS.npz [stream]."""

import sys

import numpy as np
from edgelstm.runtime.inference.backend import backend
from edgelstm.runtime.inference.interpreter import TFLiteModel

if __name__ == "__main__":
    model, windows, outputs, *stream = sys.argv[1:]
    with open(model, "rb") as file:
        interpreter = TFLiteModel(file.read())
    with np.load(windows) as arrays:
        call = interpreter.step if stream else interpreter
        rows = [call(*row) for row in zip(*(arrays[name] for name in sorted(arrays.files)), strict=True)]
    np.savez(outputs, *(np.concatenate(parts) for parts in zip(*rows, strict=True)))
    print(backend().name, backend().version)
