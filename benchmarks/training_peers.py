"""`edgelstm train` beside other packages' LSTMs on the same rows in one run: time and memory of whole processes.

    python benchmarks/training_peers.py --peer darts=ENV/bin/python --peer pyod=ENV/bin/python --peer tsb_ad=ENV/bin/python

Each peer has an environment of its own, with its PyTorch. One thread each. See `training_peer.py` for what they train.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from waiting import cost
from waiting_commands import long_series

HERE = Path(__file__).parent
THREADS = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}


def main() -> None:
    """Measure, and write benchmarks/results/training_peers.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=PYTHON", help="darts, pyod or tsb_ad.")
    parser.add_argument("--rows", type=int, default=150_000)
    parser.add_argument("--lookback", type=int, default=16)
    parser.add_argument("--units", type=int, default=24)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--output", type=Path, default=HERE / "results" / "training_peers.json")
    options = parser.parse_args()
    os.environ.update(THREADS)
    peers = dict(text.split("=", 1) for text in options.peer)
    sizes = [str(getattr(options, name)) for name in ("lookback", "units", "epochs", "batch")]
    found = {name: getattr(options, name) for name in ("rows", "lookback", "units", "epochs", "batch")}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        long_series(folder / "train.csv", options.rows)
        settings = [f"--{name}={size}" for name, size in zip(("lookback", "units", "epochs", "batch-size"), sizes, strict=True)]  # fmt: skip
        ours = [sys.executable, "-m", "edgelstm", "train", "train.csv", "-o", "ours.keras", *settings]
        commands = {"edgelstm": [*ours, f"--patience={options.epochs}"]} | {
            name: [python, str(HERE / "training_peer.py"), name, "train.csv", *sizes] for name, python in peers.items()
        }
        found["runs"] = {}
        for name, command in commands.items():
            found["runs"][name] = asdict(cost(command, folder))
            print(name, found["runs"][name], flush=True)
            options.output.write_text(json.dumps(found | {"load": os.getloadavg()[0]}, indent=1) + "\n")


if __name__ == "__main__":
    main()
