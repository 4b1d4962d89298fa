"""One way to run one model, in a process of its own: `python contender.py KIND FILE WINDOWS.npy OUTPUTS.npy`.

Prints a line of JSON about itself, then, for each number read from standard input, the median microseconds of so many calls.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

BEGIN = time.perf_counter()
Call = Callable[[np.ndarray], np.ndarray]


def tflite(path: Path) -> Call:
    """Our files, by `runtime/diagnostics/benchmark.py`'s call: set, reset, invoke, get."""
    from edgelstm.runtime.inference.interpreter import TFLiteModel

    model = TFLiteModel(path.read_bytes(), target="x86" if ".x86." in path.name else "")
    stream = ".stream." in path.name
    interpreter, source, target = model.interpreter, model.inputs[0], model.outputs[0]

    def call(window: np.ndarray) -> np.ndarray:
        interpreter.set_tensor(source.index, source.quantize(window).reshape(source.shape))
        if not stream:
            interpreter.reset_all_variables()
        interpreter.invoke()
        return target.dequantize(interpreter.get_tensor(target.index))

    return call


def keras_function(path: Path) -> Call:
    """Keras as one compiled graph, weights captured."""
    import keras
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    model = keras.models.load_model(path, compile=False)
    signature = [tf.TensorSpec((1, *model.input_shape[1:]), tf.float32)]
    function = tf.function(lambda window: model(window, training=False), input_signature=signature)
    concrete = function.get_concrete_function()
    return lambda window: concrete(tf.constant(window)).numpy()


def keras_predict(path: Path) -> Call:
    """Keras as most people call it."""
    import keras

    model = keras.models.load_model(path, compile=False)
    return lambda window: model.predict(window, verbose=0)


def onnxruntime(path: Path) -> Call:
    """ONNX Runtime on its CPU provider."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda window: session.run(None, {"window": window})[0]


def openvino(path: Path) -> Call:
    """OpenVINO's latency mode over the same ONNX file."""
    import openvino as ov

    settings = {"INFERENCE_NUM_THREADS": 1, "PERFORMANCE_HINT": "LATENCY"}
    request = ov.Core().compile_model(path, "CPU", settings).create_infer_request()
    return lambda window: next(iter(request.infer([window], share_inputs=True).values()))


def torch(path: Path) -> Call:
    """PyTorch's own LSTM modules with Keras' weights, read from an .npz that the caller wrote."""
    import torch as pt

    pt.set_num_threads(1)
    with np.load(path) as arrays:
        layers = [[pt.from_numpy(arrays[f"{n}_{p}"]) for p in range(3)] for n in range(int(arrays["layers"]))]
        kinds, sequences = arrays["kinds"], arrays["sequences"]
    modules = [_module(pt, kind, parts) for kind, parts in zip(kinds, layers, strict=True)]

    def call(window: np.ndarray) -> np.ndarray:
        with pt.inference_mode():
            hidden = pt.from_numpy(window)
            for module, kind, sequence in zip(modules, kinds, sequences, strict=True):
                hidden = module(hidden)
                if kind == "LSTM":
                    hidden = hidden[0] if sequence else hidden[0][:, -1]
            return hidden.numpy()

    return call


def _module(pt: object, kind: str, parts: list) -> object:  # type: ignore[type-arg]
    nn = pt.nn  # type: ignore[attr-defined]
    kernel, recurrent, bias = parts
    module = (
        nn.LSTM(kernel.shape[0], recurrent.shape[0], batch_first=True) if kind == "LSTM" else nn.Linear(*kernel.shape)
    )
    names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0") if kind == "LSTM" else ("weight", "", "bias")
    state = {name: part.T.contiguous() for name, part in zip(names, parts, strict=True) if name}
    if kind == "LSTM":
        state["bias_hh_l0"] = 0 * bias
    module.load_state_dict(state)
    return module.eval()


KINDS = {
    "tflite": tflite, "keras_function": keras_function, "keras_predict": keras_predict, "onnxruntime": onnxruntime,
    "openvino": openvino, "torch": torch,
}  # fmt: skip
MODULES = {
    "tflite": "edgelstm.runtime.inference.interpreter", "keras_function": "keras", "keras_predict": "keras",
    "onnxruntime": "onnxruntime", "openvino": "openvino", "torch": "torch",
}  # fmt: skip


def resident_mb() -> float:
    """Resident memory, MB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def main(kind: str, path: Path, windows: Path, outputs: Path) -> None:
    """Load, answer the windows, then serve."""
    __import__(MODULES[kind])
    imported = time.perf_counter() - BEGIN
    begin = time.perf_counter()
    call, given = KINDS[kind](path), np.load(windows)
    first = call(given[:1])
    loaded = time.perf_counter() - begin
    np.save(outputs, np.concatenate([first, *(call(given[n : n + 1]) for n in range(1, len(given)))]))
    print(json.dumps({"import_s": imported, "load_s": loaded, "resident_mb": resident_mb()}), flush=True)
    for line in sys.stdin:
        times = []
        for number in range(int(line)):
            window = given[number % len(given)][None]
            begin = time.perf_counter()
            call(window)
            times.append(time.perf_counter() - begin)
        print(float(np.median(times)) * 1e6, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], *map(Path, sys.argv[2:5]))
