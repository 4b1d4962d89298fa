"""Windows of the user's own, as a NumPy file: just as a model takes them, one array an input."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgelstm.runtime.errors import ConversionError

Array = npt.NDArray[Any]
Shape = tuple[int | None, ...]
POSITION = re.compile(r"arr_(\d+)")  # `np.savez`'s name for an array without one


@dataclass(frozen=True, repr=False)
class Held:
    """Arrays of a file, by name; of a .npy file one without a name."""

    path: Path
    """The file."""
    arrays: Mapping[str, Array]
    """Its arrays."""


def read_windows(path: Path, inputs: Sequence[tuple[str, Shape]]) -> tuple[Array, ...]:
    """Read a .npy or .npz file for a model.

    Args:
        path: Of the file.
        inputs: Name and shape, without the batch, of each of the model's inputs.

    Raises:
        ConversionError: As in `load_windows` and `fit_windows`.
    """
    return fit_windows(load_windows(path), inputs)


def fit_windows(held: Held, inputs: Sequence[tuple[str, Shape]]) -> tuple[Array, ...]:
    """Bring the arrays of a file into the order of a model's inputs, each (N, ...).

    An axis of length 1 may be missing, or be there: windows (N, 30) fit an input (30, 1).

    Args:
        held: The file's arrays. Of several each bears the name of its input, or none (`arr_0`, `arr_1` …: the inputs' order).
        inputs: Name and shape, without the batch, of each input.

    Raises:
        ConversionError: If the arrays do not fit.
    """
    path, named = held.path, held.arrays
    arrays = [named[name] for name in _order(path, list(named), [name for name, _ in inputs])]
    if len({len(part) for part in arrays}) != 1 or len(arrays[0]) < 2:
        raise ConversionError(
            f"Each input needs the same number of windows, 2 or more; {path.name} holds arrays of shape "
            f"{', '.join(str(part.shape) for part in arrays)}. The first axis counts the windows."
        )
    return tuple(_fitted(path, name, shape, part) for (name, shape), part in zip(inputs, arrays, strict=True))


def _fitted(path: Path, name: str, shape: Shape, part: Array) -> Array:
    """An array in the shape of its input."""
    if part.dtype.kind not in "fiub":
        raise ConversionError(f"Windows are numbers; {path.name} holds {part.dtype} for input {name!r}.")
    if _fits(shape, part.shape[1:]):
        return part
    sizes = tuple(size for size in part.shape[1:] if size != 1)
    if None not in shape and sizes == tuple(size for size in shape if size != 1):
        return part.reshape(len(part), *(size or 1 for size in shape))
    raise ConversionError(
        f"Input {name!r} expects windows of shape {shape}; {path.name} holds {part.shape[1:]} for it. "
        "Cut the windows as the model was trained on them, (windows, rows, channels)."
    )


def _fits(shape: Shape, held: tuple[int, ...]) -> bool:
    return len(shape) == len(held) and all(size in (None, own) for size, own in zip(shape, held, strict=True))


def load_windows(path: Path) -> Held:
    """Read the arrays of a .npy or .npz file.

    Raises:
        ConversionError: If there is no such file, or it holds no arrays of numbers.
    """
    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return Held(path, {"": np.atleast_1d(loaded)})
        return Held(path, {name: np.atleast_1d(loaded[name]) for name in loaded})
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
