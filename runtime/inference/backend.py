"""The TFLite interpreters, and every handle into them that is not a plain documented call.

LiteRT's public interface changes with its minor versions. What this package uses of it stands here, and
`tests/slim/test_backend.py` names each part, so that an update that breaks one says which.
"""

from __future__ import annotations

import atexit
import importlib
import os
import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from ..errors import InterpreterError
from ..io.native_stderr import silent_stderr

# LiteRT first: it is maintained; tflite-runtime stopped at 2.14 but is the only one for 32-bit Arm.
# TensorFlow is left out on purpose: it would hide a slimness break.
BACKENDS = {"ai_edge_litert": "ai-edge-litert", "tflite_runtime": "tflite-runtime"}


@dataclass(frozen=True)
class Backend:
    """An importable TFLite interpreter."""

    name: str
    """Distribution name, `ai-edge-litert` or `tflite-runtime`."""
    interpreter: Any
    """The `Interpreter` class."""
    plain_kernels: Any
    """Op resolver with the built-in kernels and no delegate."""
    reference_kernels: Any
    """Op resolver with the portable kernels."""

    def external_delegate(self, library: str, options: Mapping[str, str]) -> Any:
        """Load a vendor's delegate.

        Args:
            library: Path of the shared library.
            options: Its options.

        Raises:
            InterpreterError: If it cannot be loaded.
        """
        try:
            return sys.modules[self.interpreter.__module__].load_delegate(library, dict(options))
        except (OSError, ValueError, AttributeError) as error:
            raise InterpreterError(f"it cannot be loaded ({' '.join(str(error).split())}).") from error

    @property
    def version(self) -> str:
        """Version of the distribution."""
        from importlib import metadata  # here: it costs a fifth of the start

        try:
            return metadata.version(self.name)
        except metadata.PackageNotFoundError:
            return "unknown"


@cache
def backend(name: str | None = None) -> Backend:
    """Import the interpreter: LiteRT when it is there, tflite-runtime otherwise.

    Args:
        name: Module to insist on (`ai_edge_litert` or `tflite_runtime`), or None for the first that imports.

    Raises:
        InterpreterError: If none can be imported; the message names the line that installs one here.
    """
    reasons = []
    for module in [name] if name else BACKENDS:
        try:
            library = importlib.import_module(f"{module}.interpreter")
        except Exception as error:  # a NumPy 2 beside tflite-runtime raises AttributeError, a glibc too old OSError
            reasons.append(f"{BACKENDS.get(module, module)}: {str(error).splitlines()[0] if str(error) else error!r}")
            continue
        resolvers = library.OpResolverType
        return Backend(
            BACKENDS.get(module, module), library.Interpreter,
            resolvers.BUILTIN_WITHOUT_DEFAULT_DELEGATES, resolvers.BUILTIN_REF,
        )  # fmt: skip
    raise InterpreterError(f"No TFLite interpreter can be imported ({'; '.join(reasons)}). {install_hint()}")


def is_arm32() -> bool:
    """Tell whether this is a 32-bit Arm userland (its kernel may be a 64-bit one)."""
    return platform.machine() in {"armv7l", "armv6l"} or (platform.machine() == "aarch64" and sys.maxsize < 2**32)


def install_hint() -> str:
    """Return the command that installs an interpreter on this machine."""
    if is_arm32():
        if sys.version_info >= (3, 12):
            return "32-bit Arm needs Raspberry Pi OS bookworm (Python 3.11): pip install 'tflite-runtime==2.14.0' 'numpy<2'"
        return "Install one: pip install 'tflite-runtime==2.14.0' 'numpy<2'"
    return "Install one: pip install 'ai-edge-litert>=2.1'"


IN_MEMORY = ":memory:"  # XNNPACK's name for a weight cache without a file


def compiled_model(content: bytes, threads: int) -> Any:
    """Load a model on LiteRT's compiled runtime, with XNNPACK's packed weights shared between operators.

    Args:
        content: A TFLite flatbuffer.
        threads: Threads of XNNPACK.

    Raises:
        ImportError: If this LiteRT has no such runtime (before 2.2).
        RuntimeError: If it cannot take the model.
    """
    from ai_edge_litert.compiled_model import CompiledModel
    from ai_edge_litert.options import CpuOptions, Options

    options = Options(cpu_options=CpuOptions(num_threads=threads, xnnpack_weight_cache_path=IN_MEMORY))
    with silent_stderr():
        return CompiledModel.from_buffer(content, environment=_environment(), options=options)


@cache
def _environment() -> Any:
    """Make LiteRT's environment, one for the whole process: it prints a line when it is made and when it ends.

    Native code reports the end after Python's own, so standard error is closed as the last thing before that.
    """
    from ai_edge_litert import environment

    atexit.register(os.dup2, os.open(os.devnull, os.O_WRONLY), 2)
    here = os.path.dirname(environment.__file__)  # it would look for vendors' accelerators elsewhere, and complain
    options = environment.EnvironmentOptions(here, compiler_plugin_path=here, dispatch_library_path=here)
    return environment.Environment.create(options=options)
