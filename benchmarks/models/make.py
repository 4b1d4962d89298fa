"""Make the 8-channel models beside this file: `python benchmarks/models/make.py` (needs the train extra, two minutes)."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
ROWS, CHANNELS = 4000, 8


def main() -> None:
    """Eight noisy sines of different periods; an autoencoder and a forecaster."""
    random, time = np.random.default_rng(3), np.arange(ROWS)[:, None]
    periods, levels = 20 + 5 * np.arange(CHANNELS), 10.0 * np.arange(CHANNELS)
    values = levels + np.sin(2 * np.pi * time / periods) + random.normal(0, 0.05, (ROWS, CHANNELS))
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder, "normal.csv")
        names = ",".join(f"sensor_{i}" for i in range(CHANNELS))
        np.savetxt(data, values, fmt="%.4f", delimiter=",", header=names, comments="")
        for name, kind in (("wide-auto", "autoencoder"), ("wide-cast", "forecaster")):
            model = Path(folder, f"{name}.keras")
            edgelstm("train", data, "-o", model, "--kind", kind, "--lookback", 32, "--units", 16, "--epochs", 8)
            edgelstm("convert", model, "--scheme", "float32", "--scheme", "int8", "--allow-drop")
            for scheme in ("float32", "int8"):
                shutil.copy(Path(folder, f"{name}.{scheme}.tflite"), HERE)


def edgelstm(*arguments: object) -> None:
    """One command of our own interpreter's installation."""
    subprocess.run([sys.executable, "-m", "edgelstm", *map(str, arguments)], check=True, cwd=tempfile.gettempdir())


if __name__ == "__main__":
    main()
