"""Our schemes beside Keras, ONNX Runtime, OpenVINO and PyTorch, in turn in one run, one thread: `python benchmarks/latency.py`.

Needs what `train` installs, and onnx, onnxruntime and openvino; torch where it is installed. Every contender is a process of
its own that waits while the others are timed. Writes benchmarks/results/latency.json. Example: --models T10 --rounds 10
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
# rows, channels, units of two layers; the design's four forecasters, and an autoencoder of rows
MODELS = {"T10 F1 u50": (10, 1, 50), "T32 F3 u32": (32, 3, 32), "T64 F8 u64": (64, 8, 64), "T100 F8 u128": (100, 8, 128),
          "autoencoder T30 F8 u24": (30, 8, 24)}  # fmt: skip
SCHEMES = ("float32", "float16", "dynamic", "int8")
PACKAGES = {
    "tflite": ("ai-edge-litert", "numpy", "click"), "keras_function": ("tensorflow", "keras", "numpy"),
    "keras_predict": ("tensorflow", "keras", "numpy"), "onnxruntime": ("onnxruntime", "numpy"),
    "openvino": ("openvino", "numpy"), "torch": ("torch", "numpy"),
}  # fmt: skip
BLOCK = 0.02  # seconds that a contender runs before the next one's turn
SAMPLES = 64  # windows that errors are taken on
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}


def trained(name: str, windows: np.ndarray, rows: np.ndarray) -> Any:
    """A model that has learned something: two epochs on noisy sines (an untrained one's outputs are next to nothing)."""
    import keras

    keras.utils.set_random_seed(1)
    steps, channels, units = MODELS[name]
    both = name.startswith("autoencoder")
    inputs = keras.Input((steps, channels))
    hidden = keras.layers.LSTM(units, return_sequences=True)(inputs)
    if both:
        hidden = keras.layers.Dense(4)(hidden)
    outputs = keras.layers.Dense(channels)(keras.layers.LSTM(units, return_sequences=both)(hidden))
    model = keras.Model(inputs, outputs)
    model.compile("adam", "mse")
    targets = windows if both else rows[steps : steps + len(windows)]
    model.fit(windows, targets, epochs=2, batch_size=32, verbose=0)
    return model


def series(steps: int, channels: int) -> np.ndarray:
    """Noisy sines of different periods, (1500 + T, F)."""
    time_ = np.arange(1500 + steps)[:, None]
    noise = np.random.default_rng(0).normal(0, 0.1, (len(time_), channels))
    return (np.sin(2 * np.pi * time_ / (20 + 5 * np.arange(channels))) + noise).astype(np.float32)


def prepare(name: str, folder: Path) -> tuple[dict[str, tuple[str, Path]], np.ndarray]:
    """All files of a model: contenders by name, and Keras' outputs on the windows."""
    from edgelstm.converters.job import Job
    from edgelstm.converters.lowering.keras_to_tflite import lower
    from edgelstm.converters.lowering.streaming import over_rows
    from edgelstm.converters.pipeline import convert_all
    from edgelstm.converters.quantization.calibrator import run
    from onnx_graph import export

    steps, channels, _ = MODELS[name]
    rows = series(steps, channels)
    windows = np.lib.stride_tricks.sliding_window_view(rows, steps, axis=0)[:1500].transpose(0, 2, 1).copy()
    model = trained(name, windows[:256], rows)
    model.save(folder / "model.keras")
    np.save(folder / "windows.npy", windows[-SAMPLES:])
    np.save(folder / "rows.npy", rows[-SAMPLES:, None])
    found: dict[str, tuple[str, Path]] = {}
    held = windows[1000:1016]
    expected = model.predict(windows[-SAMPLES:], verbose=0)
    shape = (model.count_params(), "int8", True)
    # in this process: a child for each conversion would load TensorFlow again
    job = Job(lower(clone(model)), (windows[:64],), (held,), (model.predict(held, verbose=0),), *shape)
    for scheme, conversion in convert_all(job, SCHEMES).items():
        path = folder / f"model.{scheme}.tflite"
        path.write_bytes(conversion.flatbuffer)
        found[f"edgelstm {scheme}"] = ("tflite", path)
        if scheme in ("float32", "dynamic"):  # the same file; what its metadata say is in the name here
            path = folder / f"model.x86.{scheme}.tflite"
            path.write_bytes(conversion.flatbuffer)
            found[f"edgelstm {scheme}, --target x86"] = ("tflite", path)
    if not name.startswith("autoencoder"):
        single, later = rows[:400, None], rows[400:500, None]
        lowered = lower(over_rows(clone(model), 1), streaming=True)
        job = Job(lowered, (single,), (later,), (run(lowered.content, (later,), stream=True)[0],), *shape, starts=(0,))
        for scheme, conversion in convert_all(job, ("float32", "dynamic", "int8")).items():
            path = folder / f"model.stream.{scheme}.tflite"
            path.write_bytes(conversion.flatbuffer)
            found[f"edgelstm {scheme}, --streaming"] = ("tflite", path)
    export(model, folder / "model.onnx")
    found |= {
        "ONNX Runtime float": ("onnxruntime", folder / "model.onnx"),
        "ONNX Runtime dynamic int8": ("onnxruntime", folder / "model.dynamic.onnx"),
        "OpenVINO float": ("openvino", folder / "model.onnx"),
        "Keras tf.function": ("keras_function", folder / "model.keras"),
        "Keras predict": ("keras_predict", folder / "model.keras"),
    }
    if find_spec("torch"):
        found["PyTorch float"] = ("torch", weights(model, folder / "model.npz"))
    return found, expected


def clone(model: Any) -> Any:
    """A copy: lowering changes a model's layers in place."""
    import keras

    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    return copy


def weights(model: Any, path: Path) -> Path:
    """Keras' layers for PyTorch; a Dense layer has an empty recurrent part."""
    layers = model.layers[1:]
    arrays: dict[str, Any] = {}
    for number, layer in enumerate(layers):
        kernel, *recurrent, bias = layer.get_weights()  # gates in PyTorch's order, too: i, f, g, o
        parts = (kernel, *(recurrent or [np.zeros((0, 0), np.float32)]), bias)
        arrays |= {f"{number}_{place}": part for place, part in enumerate(parts)}
    kinds = [type(layer).__name__ for layer in layers]
    sequences = [getattr(layer, "return_sequences", False) for layer in layers]
    np.savez(path, layers=len(layers), kinds=kinds, sequences=sequences, **arrays)
    return path


class Contender:
    """A waiting process."""

    def __init__(self, kind: str, path: Path, folder: Path) -> None:
        self.kind, self.path = kind, path
        self.stream = ".stream." in path.name
        given = folder / ("rows.npy" if self.stream else "windows.npy")
        self.outputs = path.with_suffix(f".{kind}.npy")
        command = [sys.executable, str(HERE / "contender.py"), kind, str(path), str(given), str(self.outputs)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            env={**os.environ, **ENVIRONMENT},
        )  # fmt: skip
        line = self._line()
        self.start: dict[str, float] = json.loads(line)
        self.calls = max(3, int(BLOCK * 1e6 / self.block(5)))

    def _line(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.kind} on {self.path.name} ended with code {self.process.wait()}.")
        return line

    def block(self, calls: int) -> float:
        """Median microseconds of so many calls."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{calls}\n")
        self.process.stdin.flush()
        return float(self._line())

    def close(self) -> None:
        """End the process."""
        self.process.communicate()


def measure(name: str, rounds: int, left_out: list[str]) -> dict[str, Any]:
    """All contenders of a model, in turn."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        files, expected = prepare(name, folder)
        files = {label: item for label, item in files.items() if not any(part in label for part in left_out)}
        waiting = {label: Contender(kind, path, folder) for label, (kind, path) in files.items()}
        times: dict[str, list[float]] = {label: [] for label in waiting}
        for _ in range(rounds):
            for label, contender in waiting.items():
                times[label].append(contender.block(contender.calls))
        result = {label: figures(contender, times[label], expected) for label, contender in waiting.items()}
        for contender in waiting.values():
            contender.close()
    best = min(("ONNX Runtime float", "ONNX Runtime dynamic int8"), key=lambda label: statistics.median(times[label]))
    for label, record in result.items():
        record["ratio"] = statistics.median(a / b for a, b in zip(times[label], times[best], strict=True))
    return {"reference": best, "contenders": result}


def figures(contender: Contender, times: list[float], expected: np.ndarray) -> dict[str, Any]:
    """Record of one contender's figures."""
    record: dict[str, Any] = {
        "kind": contender.kind, "stream": contender.stream, "us": statistics.median(times), "least_us": min(times),
        "bytes": contender.path.stat().st_size, **contender.start,
    }  # fmt: skip
    if not contender.stream:
        error = np.load(contender.outputs) - expected
        record["error"] = float(np.sqrt(np.mean(error**2)) / expected.std())
    return record


def installed_mb(kind: str) -> float:
    """Size of the packages that a contender needs, MB."""
    total = 0
    for package in PACKAGES[kind]:
        files = [Path(str(file.locate())) for file in metadata.files(package) or ()]
        total += sum(path.stat().st_size for path in files if path.is_file())
    return total / 1e6


def main() -> None:
    """Run and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="*", default=[], help="parts of names; default: all")
    parser.add_argument("--without", nargs="*", default=[], help="parts of contenders' names to leave out")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--output", type=Path, default=HERE / "results" / "latency.json")
    options = parser.parse_args()
    chosen = [name for name in MODELS if not options.models or any(part in name for part in options.models)]
    report = json.loads(options.output.read_text()) if options.models and options.output.exists() else {"models": {}}
    for name in chosen:
        report["models"][name] = measure(name, options.rounds, options.without)
        describe(report, options.rounds)
        options.output.write_text(json.dumps(report, indent=2) + "\n")


def describe(report: dict[str, Any], rounds: int) -> None:
    """Conditions beside the figures."""
    from edgelstm.runtime.diagnostics.machine import processor

    kinds = [kind for kind in PACKAGES if kind != "torch" or find_spec("torch")]
    report |= {
        "processor": processor(), "rounds": rounds, "threads": 1, "windows": SAMPLES, "seed": 1,
        "installed_mb": {kind: installed_mb(kind) for kind in kinds},
        "versions": {package: metadata.version(package) for kind in kinds for package in PACKAGES[kind]},
    }  # fmt: skip


if __name__ == "__main__":
    main()
