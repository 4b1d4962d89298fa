"""TFLite model that takes and returns real values, on the interpreter of `backend`."""

from __future__ import annotations

import platform
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..errors import InterpreterError, ShapeError
from .backend import backend
from .flatbuffer.summary import Graph, read_graph

if TYPE_CHECKING:
    from .accelerator import Accelerator

Floats = npt.NDArray[np.float32]
Run = Callable[[npt.NDArray[Any]], npt.NDArray[Any]]
LEAST_BATCH = 8  # windows that a batched form is prepared for


@dataclass(frozen=True)
class Tensor:
    """An input or output of a model."""

    index: int
    """Tensor index in the interpreter."""
    name: str
    """Name in the file."""
    shape: tuple[int, ...]
    """Shape, batch axis (1) first."""
    dtype: np.dtype[Any]
    """Element type in the file."""
    scale: float
    """Quantization step, 0 for a float tensor."""
    zero_point: int
    """Integer that stands for 0."""

    @classmethod
    def of(cls, detail: dict[str, Any]) -> Tensor:
        """Read an interpreter's description of a tensor."""
        scale, zero_point = detail["quantization"]
        shape = tuple(int(size) for size in detail["shape"])
        return cls(
            int(detail["index"]), detail["name"], shape, np.dtype(detail["dtype"]), float(scale), int(zero_point)
        )

    def quantize(self, values: npt.ArrayLike) -> npt.NDArray[Any]:
        """Convert real values to the tensor's type: clip(rint(x / scale) + zero_point); it never wraps around."""
        if not self.scale:
            return np.asarray(values, dtype=self.dtype)
        limits = np.iinfo(self.dtype)
        # float32 values, divided in double precision: what plain Python floats give, see `engine`
        steps = np.rint(np.asarray(values, dtype=np.float32).astype(np.float64) / self.scale) + self.zero_point
        quantized: npt.NDArray[Any] = np.clip(steps, limits.min, limits.max).astype(self.dtype)
        return quantized

    def dequantize(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Convert values of the tensor's type to real ones."""
        if not self.scale:
            return values
        return (values.astype(np.float32) - np.float32(self.zero_point)) * np.float32(self.scale)


class TFLiteModel:
    """TFLite model that takes and returns real values, whatever types it has inside.

    Args:
        content: The flatbuffer (bytes behind it, such as appended metadata, are ignored).
        threads: Interpreter threads.
        delegate: Whether default delegates (XNNPACK) may take ops over. Off, integer models give the same
            bits on every platform (on portable kernels), and small models are usually faster.
        module: Interpreter module to insist on, see `backend`.
        target: The file's target; `x86` unrolls fused LSTMs when the model is loaded, where processor and
            interpreter can; elsewhere they run as they are.
        accelerator: Delegate that may take ops over, see `accelerator`; None for the CPU alone.

    Raises:
        ModelError: If the flatbuffer breaks a rule of `flatbuffer.verifier`.
        InterpreterError: If no interpreter is installed or it cannot load the model.
    """

    def __init__(
        self,
        content: bytes,
        threads: int = 1,
        *,
        delegate: bool = False,
        module: str | None = None,
        target: str = "",
        accelerator: Accelerator | None = None,
    ) -> None:
        self.backend = backend(module)
        self._content, self._threads = content, threads
        self.accelerator, self._delegate = accelerator, delegate
        graph = read_graph(content)
        litert = self.backend.name == "ai-edge-litert"
        fast = _unrolled(content, graph, threads) if target == "x86" and litert and accelerator is None else None
        integer = any(port.type in ("int8", "int16") for port in graph.inputs + graph.outputs)
        self._exact = integer and not delegate and (litert or not graph.channel_scales)
        self._portable = False
        try:
            self.interpreter: Any = fast or self._load()
        except (RuntimeError, ValueError) as error:
            reason = str(error).strip().splitlines()[0] if str(error).strip() else "no reason given"
            raise InterpreterError(
                f"{self.backend.name} {self.backend.version} cannot load this model: {reason.rstrip('.')}. "
                "Convert it again for this interpreter, or update the interpreter."
            ) from error
        self.unrolled = fast is not None
        self._variables = graph.variables if not fast else ()
        self.inputs = tuple(Tensor.of(detail) for detail in self.interpreter.get_input_details())
        self.outputs = tuple(Tensor.of(detail) for detail in self.interpreter.get_output_details())

    def leave_accelerator(self) -> Any:
        """Go on without the delegate; return the new interpreter, with the same tensor indices."""
        self.accelerator = None
        self.interpreter = self._load()
        return self.interpreter

    def _load(self) -> Any:
        """Load an integer model on portable kernels where all its ops have one, any other on the fast ones.

        The fast kernels round ties otherwise on Arm than on x86: 1 output in 100 to 1000 is a unit off. The portable
        ones do not, and the LSTM op, where the time goes, is the same code under both. Our own int8 files hold no
        FULLY_CONNECTED; in others' files tflite-runtime 2.14's portable one returns wrong values, without an error, for
        per-channel weights over more than one row: it is not used for these.
        """
        backend, options = self.backend, dict[str, Any]()
        if self.accelerator is not None:
            library = backend.external_delegate(self.accelerator.library, self.accelerator.options)
            options["experimental_delegates"] = [library]
        if self._exact:
            with suppress(RuntimeError, ValueError):
                interpreter = self._allocate(experimental_op_resolver_type=backend.reference_kernels, **options)
                self._portable = self.accelerator is None
                return interpreter
        if not self._delegate:
            options["experimental_op_resolver_type"] = backend.plain_kernels
        return self._allocate(**options)

    def _allocate(self, **options: Any) -> Any:
        interpreter = self.backend.interpreter(model_content=self._content, num_threads=self._threads, **options)
        interpreter.allocate_tensors()
        return interpreter

    @cached_property
    def batched(self) -> Run | None:
        """Function from many inputs (N, ...) of a single-input, single-output model to its outputs, each from a zero state.

        Both are of the file's types. None where no batched form gives the interpreter's bits; one that does was checked on
        some of the first inputs.
        """
        if not self._portable or len(self.inputs) > 1 or len(self.outputs) > 1:
            return None
        from .batched.checked import Checked
        from .batched.fixed_point import UnprovenError
        from .batched.model import BatchedModel

        try:
            model = BatchedModel(self._content)
            return Checked(lambda windows: model(windows)[0], self.run_one)
        except UnprovenError:
            return None

    def run_one(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Run a single-input, single-output model from a zero state, in the file's types.

        Args:
            values: The input without its batch axis.

        Returns:
            The output with its batch axis of 1.
        """
        self.reset()
        self.interpreter.set_tensor(self.inputs[0].index, values[None])
        self.interpreter.invoke()
        output: npt.NDArray[Any] = self.interpreter.get_tensor(self.outputs[0].index)
        return output

    def reset(self) -> None:
        """Set the model's state tensors (LSTM hidden and cell state) to zero."""
        self.interpreter.reset_all_variables()

    def variables(self) -> list[npt.NDArray[Any]]:
        """Return copies of the state tensors (LSTM hidden and cell state)."""
        return [self.interpreter.get_tensor(index) for index in self._variables]

    def set_variables(self, arrays: Sequence[npt.NDArray[Any]]) -> None:
        """Put the state tensors back."""
        for index, array in zip(self._variables, arrays, strict=True):
            self.interpreter.set_tensor(index, array)

    def __call__(self, *arrays: npt.ArrayLike) -> tuple[npt.NDArray[Any], ...]:
        """Run once from a zero state.

        Args:
            arrays: One real-valued array an input, with or without the batch axis of 1.

        Returns:
            One real-valued array an output, batch axis first.

        Raises:
            ShapeError: If the number or the shape of the arrays is wrong.
        """
        self.reset()
        return self.step(*arrays)

    def step(self, *arrays: npt.ArrayLike) -> tuple[npt.NDArray[Any], ...]:
        """Run once and keep the state, as for a streaming model's next sample; arguments as in a call."""
        if len(arrays) != len(self.inputs):
            raise ShapeError(f"The model has {len(self.inputs)} inputs; received {len(arrays)} arrays.")
        for tensor, array in zip(self.inputs, arrays, strict=True):
            values = np.asarray(array)
            if values.shape not in (tensor.shape, tensor.shape[1:]):
                raise ShapeError(f"Input {tensor.name} has shape {tensor.shape}; received {values.shape}.")
            self.interpreter.set_tensor(tensor.index, tensor.quantize(values).reshape(tensor.shape))
        self.interpreter.invoke()
        return tuple(tensor.dequantize(self.interpreter.get_tensor(tensor.index)) for tensor in self.outputs)

    def predict(self, windows: npt.ArrayLike) -> Floats:
        """Run a single-input, single-output model over many windows, each from a zero state.

        Args:
            windows: Scaled windows, shape (N, W, F).

        Returns:
            The outputs stacked, shape (N, ...).
        """
        batch: Sequence[Any] = np.asarray(windows)  # type: ignore[assignment]
        if not len(batch):
            return np.empty((0, *self.outputs[0].shape[1:]), np.float32)
        source, target = self.inputs[0], self.outputs[0]
        if len(batch) >= LEAST_BATCH and batch[0].shape == source.shape[1:] and self.batched is not None:
            return target.dequantize(self.batched(source.quantize(batch))).astype(np.float32, copy=False)
        return np.concatenate([self(window)[0] for window in batch]).astype(np.float32, copy=False)


def _unrolled(content: bytes, graph: Graph, threads: int) -> Any:
    """Load a model on XNNPACK with its LSTMs unrolled; None on other processors, without such LSTMs, or on an older LiteRT."""
    if platform.machine() not in ("x86_64", "AMD64"):
        return None
    from .x86.lstm_unrolling import unroll

    larger = unroll(content)
    if larger is None:
        return None
    from .x86.compiled_model import CompiledModel

    try:
        return CompiledModel(larger, graph, threads)
    except (ImportError, RuntimeError, TypeError, ValueError):
        return None
