"""Windows of the user's own, as a NumPy file: just what a model takes, one array an input."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgelstm.runtime.errors import ConversionError

Array = npt.NDArray[Any]
Shape = tuple[int | None, ...]
POSITION = re.compile(r"arr_(\d+)")  # what `np.savez` calls an array without a name


def read_windows(path: Path, inputs: Sequence[tuple[str, Shape]]) -> tuple[Array, ...]:
    """The arrays of a .npy or .npz file in the order of a model's inputs, each (N, ...).

    Args:
        path: Of several arrays each bears the name of its input, or none (`arr_0`, `arr_1` …: the inputs' order).
        inputs: Name and shape, without the batch, of each input.

    Raises:
        ConversionError: If there is no such file, or its arrays do not fit.
    """
    named = _load(path)
    arrays = [named[name] for name in _order(path, list(named), [name for name, _ in inputs])]
    if len({len(part) for part in arrays}) != 1 or len(arrays[0]) < 2:
        raise ConversionError(
            f"Each input needs the same number of windows, 2 or more; {path.name} holds arrays of shape "
            f"{', '.join(str(part.shape) for part in arrays)}. The first axis counts the windows."
        )
    for (name, shape), part in zip(inputs, arrays, strict=True):
        if part.ndim != len(shape) + 1 or any(a not in (None, b) for a, b in zip(shape, part.shape[1:], strict=True)):
            raise ConversionError(
                f"Input {name!r} expects windows of shape {shape}; {path.name} holds {part.shape[1:]} for it. "
                "Cut the windows as the model was trained on them, (windows, rows, channels)."
            )
        if part.dtype.kind not in "fiub":
            raise ConversionError(f"Windows are numbers; {path.name} holds {part.dtype} for input {name!r}.")
    return tuple(arrays)


def _load(path: Path) -> dict[str, Array]:
    try:
        loaded = np.load(path, allow_pickle=False)
        return (
            {"": loaded} if isinstance(loaded, np.ndarray) else {name: np.atleast_1d(loaded[name]) for name in loaded}
        )
    except FileNotFoundError as error:
        raise ConversionError(f"There is no file {path}. Check the name.") from error
    except (ValueError, OSError, EOFError) as error:
        raise ConversionError(f"{path} is not a NumPy file of numbers: {error}.") from error


def _order(path: Path, held: list[str], wanted: list[str]) -> list[str]:
    """Names of the arrays in the order of the inputs."""
    if len(held) == len(wanted) == 1 or sorted(held) == sorted(wanted):
        return held if len(held) == 1 else wanted
    positions = {int(match[1]): name for name in held if (match := POSITION.fullmatch(name))}
    if len(held) == len(wanted) == len(positions):
        return [positions[number] for number in sorted(positions)]
    raise ConversionError(
        f"The model has {len(wanted)} input{'s' * (len(wanted) > 1)} ({', '.join(wanted)}); {path.name} holds "
        f"{', '.join(filter(None, held)) or 'one array'}. Save one array an input under its name: "
        f"np.savez('windows.npz', {', '.join(f'{name}=…' for name in wanted)})."
    )
