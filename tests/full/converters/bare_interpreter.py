"""A windowed model in a bare interpreter, as others than this project run it: MODULE MODEL INPUTS OUTPUTS RESET.

RESET is `reset` or `none`: what is done before a call. MODULE is ai_edge_litert, tflite_runtime or tflite_micro; INPUTS holds what goes into the input
tensor, call by call. Run by its path, in Pythons without this package.
"""

import importlib
import sys

import numpy as np


def calls(module, content, inputs, reset):
    """Outputs of one interpreter, call after call."""
    if module == "tflite_micro":
        runtime = importlib.import_module("tflite_micro.python.tflite_micro.runtime")
        interpreter = runtime.Interpreter.from_bytes(content, arena_size=1 << 22)
        for values in inputs:
            if reset:
                interpreter.reset()
            interpreter.set_input(values, 0)
            interpreter.invoke()
            yield np.array(interpreter.get_output(0))
        return
    interpreter = importlib.import_module(f"{module}.interpreter").Interpreter(model_content=content)
    interpreter.allocate_tensors()
    entry, exit_ = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]
    for values in inputs:
        if reset:
            interpreter.reset_all_variables()
        interpreter.set_tensor(entry, values)
        interpreter.invoke()
        yield interpreter.get_tensor(exit_)


if __name__ == "__main__":
    module, model, inputs, outputs, reset = sys.argv[1:]
    with open(model, "rb") as file:
        np.save(outputs, np.stack(list(calls(module, file.read(), np.load(inputs), reset == "reset"))))
