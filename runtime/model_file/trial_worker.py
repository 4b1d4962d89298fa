"""The child process that loads and runs a model file from standard input: `python -m edgelstm.runtime.model_file.trial_worker`.

It ends with exit code 0 when the model answered finite values, and with `REFUSED` and one line on standard output when not.
Any other end is a crash. Where the system has no limits of memory (Windows), time alone is limited.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ..errors import EdgelstmError, ModelError, NoMetadataError
from .trial_codes import REFUSED

if TYPE_CHECKING:
    from ..inference.interpreter import Tensor
    from .metadata import Metadata

ROOM = 160 << 20  # bytes beyond what the interpreter takes by itself; the verifier allows 64 MiB of activations
ROOM_FOR_A_BYTE = 24  # bytes for each of the file, for packed copies of its weights


def main() -> None:
    """Try the model on standard input; the first argument is the limit of processor time, seconds."""
    reason = examine(sys.stdin.buffer.read(), int(sys.argv[1]) if len(sys.argv) > 1 else 0)
    os.write(1, reason.encode("utf-8", "replace"))
    os._exit(REFUSED if reason else 0)  # no destructors of a library that may be in a bad state


def examine(content: bytes, seconds: int = 0) -> str:
    """Load and run a model; limits of this process stay in force.

    Args:
        content: Bytes of the model file.
        seconds: Limit of processor time, 0 for none.

    Returns:
        The reason why it is not usable, with MODEL for its name; empty when it is.
    """
    try:
        _try(content, seconds)
    except EdgelstmError as error:
        return str(error)
    except MemoryError:
        return f"MODEL needs more than {(ROOM + ROOM_FOR_A_BYTE * len(content)) >> 20} MiB of memory. Convert it again."
    except Exception as error:  # an interpreter raises RuntimeError and ValueError, pybind11 others
        reason = " ".join(str(error).split())[:200]
        return (
            f"MODEL does not run ({type(error).__name__}: {reason}). Copy it again, or convert the Keras model again."
        )
    return ""


def _try(content: bytes, seconds: int) -> None:
    from ..inference.backend import backend
    from ..inference.flatbuffer.summary import read_graph
    from ..inference.interpreter import TFLiteModel
    from .bundle import parse_bundle

    metadata, flatbuffer = None, content
    try:
        bundle = parse_bundle(content, "MODEL")
        metadata, flatbuffer = bundle.metadata, bundle.flatbuffer
    except NoMetadataError:
        read_graph(content, "MODEL")  # a file of another tool
    backend()
    limit(ROOM + ROOM_FOR_A_BYTE * len(content), seconds)
    model = TFLiteModel(flatbuffer, target=metadata.target if metadata else "")
    import numpy as np

    for name, windows in _inputs(model.inputs, metadata):
        for output in (*model(*windows), *model.step(*windows)):
            if not np.isfinite(output).all():
                raise ModelError(f"MODEL answers a window of {name} with values that are no numbers. Convert it again.")


def _inputs(tensors: tuple[Tensor, ...], metadata: Metadata | None) -> Iterator[tuple[str, list[Any]]]:
    """Inputs by name: zeros, and for a model over sensors the ends of the training range, scaled."""
    import numpy as np

    yield "zeros", [np.zeros(tensor.shape, np.float32) for tensor in tensors]
    if metadata is None or metadata.scaler is None or len(tensors) != 1 or not metadata.channels:
        return
    if tensors[0].shape[-1] != metadata.width or len(tensors[0].shape) != 3:
        return
    for name in ("train_low", "train_high"):
        ends = [getattr(channel, name) for channel in metadata.channels]
        row = [offset if end is None else end for end, offset in zip(ends, metadata.scaler.offset, strict=True)]
        scaled = np.zeros(metadata.width, np.float32)  # of a calendar, any moment
        scaled[: len(row)] = metadata.scaler.transform(row)
        yield (
            {"train_low": "the lowest values of training", "train_high": "the highest values of training"}[name],
            [np.broadcast_to(scaled, tensors[0].shape)],
        )


def limit(memory: int, seconds: int) -> None:
    """Limit this process; without the `resource` module (Windows) it stays as it is.

    Args:
        memory: Bytes beyond what it has now.
        seconds: Of processor time, 0 for no limit.
    """
    try:
        import resource
    except ImportError:
        return
    taken = _data_bytes()
    limits = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_CPU: seconds or None,
        resource.RLIMIT_DATA: None if taken is None else taken + memory,
    }
    for kind, most in limits.items():
        if most is not None:
            with suppress(
                OSError, ValueError
            ):  # systemd's filter of system calls may forbid it: then time alone is limited
                resource.setrlimit(kind, (most, most))


def _data_bytes() -> int | None:
    """Private memory that this process has reserved (Linux), None elsewhere."""
    try:
        with open("/proc/self/status", encoding="ascii", errors="replace") as file:
            line = next(line for line in file if line.startswith("VmData:"))
        return int(line.split()[1]) * 1024
    except (OSError, StopIteration, ValueError):
        return None


if __name__ == "__main__":
    main()
