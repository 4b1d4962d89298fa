"""Errors of int8 over the tests' zoos, by output and by channel: `python benchmarks/zoo_errors.py untrained` (needs the train extra and a clone).

The untrained zoo, each model at three scales of its weights, or the trained one. With --fine-tune a model takes minutes. Prints a row a model, then the
worst and the median. Example: zoo_errors.py trained --models stacked autoencoder
"""

import argparse
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ |= {"OMP_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
sys.path.insert(0, str(Path(__file__).parents[1] / "tests/full/converters"))

import numpy as np

SCALES = (0.5, 1.0, 2.0)  # times the initial weights


def untrained(names: list[str]) -> Iterator[tuple[str, Any]]:
    """Yield the untrained zoo at each scale.

    Args:
        names: Of models; empty for all.
    """
    from conftest import ZOO, specimen

    for name in names or sorted(ZOO):
        animal = specimen(name)
        weights = animal.model.get_weights()
        for scale in SCALES:
            animal.model.set_weights([part * np.float32(scale) for part in weights])
            yield f"{name} x {scale:g}", animal


def trained(names: list[str]) -> Iterator[tuple[str, Any]]:
    """Yield the trained zoo.

    Args:
        names: Of models; empty for all.
    """
    from zoo import ZOO, specimen

    for name in names or sorted(ZOO):
        yield name, specimen(name)


def row(name: str, animal: Any, fine_tune: bool) -> Any:
    """Convert a model, print its errors and return them.

    Args:
        name: For the row.
        animal: The model with its windows.
        fine_tune: See `convert`.
    """
    from edgelstm.converters import convert

    made = convert(
        animal.model, animal.windows, animal.held, ("int8",), apart=False, allow_drop=True, fine_tune=fine_tune
    )["int8"].validation
    print(
        f"| {name} | {made.error:.2%} | {made.channel_error:.2%} | {made.floor:.2%} | {made.depth} | {made.size:,} |",
        flush=True,
    )
    return made


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("zoo", choices=("untrained", "trained"))
    parser.add_argument("--models", nargs="*", default=[], help="names; all without it")
    parser.add_argument("--fine-tune", action="store_true")
    chosen = parser.parse_args()
    zoo = {"untrained": untrained, "trained": trained}[chosen.zoo](chosen.models)
    print("| model | error | worst channel | rounding of the output alone | depth | bytes |\n|---|---|---|---|---|---|")
    rows = [row(name, animal, chosen.fine_tune) for name, animal in zoo]
    for label, of in (("worst", max), ("median", np.median)):
        errors, channels = [item.error for item in rows], [item.channel_error for item in rows]
        print(f"| {label} of {len(rows)} | {of(errors):.2%} | {of(channels):.2%} | | | |")
    full = sum(item.depth == "full" for item in rows)
    print(f"{full} of {len(rows)} are integers throughout.")


if __name__ == "__main__":
    main()
