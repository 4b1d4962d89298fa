"""A model as a C header for a microcontroller: the flatbuffer and all that belongs to it, in one file."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

from edgelstm.runtime.errors import ConversionError
from edgelstm.runtime.inference.flatbuffer.summary import read_graph
from edgelstm.runtime.inference.interpreter import Tensor, TFLiteModel
from edgelstm.runtime.input.policies import warmup
from edgelstm.runtime.model_file.bundle import Bundle
from edgelstm.runtime.model_file.metadata import CALENDAR, Metadata
from edgelstm.runtime.scoring.registry import score_class
from edgelstm.runtime.scoring.scorer import Scoring

PER_LINE = 16  # bytes of the model

HEADER = """\
/* {origin}: {kind}, {scheme}. Written by `edgelstm convert --target micro --c-array`; do not edit.
 *
 * For TensorFlow Lite Micro. Ops, for a MicroMutableOpResolver<{op_count}>: {ops}.
 * A call: scale {rows} row(s) with {name}_scaler_*, quantize them into the input tensor, invoke.
 * {state}
 */
#ifndef {guard}_H
#define {guard}_H

#include <stdint.h>

#define {guard}_CHANNELS {channels}
#define {guard}_WINDOW {window} /* rows a call */
#define {guard}_HORIZON {horizon} /* rows that are forecast, 0 for a reconstruction */
#define {guard}_STREAMING {streaming} /* 1: keep the state between calls, reset it after a gap */
#define {guard}_WARMUP {warmup} /* rows before an output counts */
#define {guard}_ARENA_BYTES {arena} /* measured on a 64-bit machine; 32-bit ones need less */
{threshold}
/* real = (value - zero point) * scale where the type is an integer's */
typedef {input_type} {name}_input_t;
typedef {output_type} {name}_output_t;
#define {guard}_INPUT_SCALE {input_scale}
#define {guard}_INPUT_ZERO_POINT {input_zero}
#define {guard}_OUTPUT_SCALE {output_scale}
#define {guard}_OUTPUT_ZERO_POINT {output_zero}

{tables}
#ifdef __cplusplus
#define {guard}_ALIGNED alignas(16)
#else
#define {guard}_ALIGNED _Alignas(16)
#endif
{guard}_ALIGNED static const unsigned char {name}_model[] = {{
{model}
}};
static const unsigned int {name}_model_len = {length};

#endif
"""
KEPT = "The state goes on from call to call: reset the interpreter's variables after a gap in the data."
ZEROED = "Every call begins with a zero state, which the model sets itself: there is nothing to reset between calls."
SCORE = """\
#define {guard}_THRESHOLD {value} /* on the score below */
#define {guard}_SCORE_ROWS {rows} /* newest rows whose absolute errors are averaged */
#define {guard}_SCORE_SMOOTHING {smoothing} /* weight of the newest score */
/* {formula} */
"""
PLAIN = "score = sqrt({method} over channels of max(0, (|error| - center) / scale)^2), error in scaled units"
OTHER = "score: method {method}, its equations are in {module}; quick {quick}, slow {slow}, memory {memory}"


def c_header(bundle: Bundle, name: str) -> str:
    """The header's text.

    Args:
        bundle: A model for microcontrollers; its metadata become constants.
        name: What the constants are named after, made a C name.

    Raises:
        ConversionError: If the model has a calendar.
    """
    if CALENDAR in bundle.metadata.sections:
        raise ConversionError(
            f"A C header has no calendar, which {bundle.origin} needs. Train a model for microcontrollers without --calendar."
        )
    metadata, model, ops = bundle.metadata, TFLiteModel(bundle.flatbuffer), read_graph(bundle.flatbuffer).ops
    name = c_name(name)
    guard = name.upper()
    entry, exit_ = model.inputs[0], model.outputs[0]
    return HEADER.format(
        state=KEPT if metadata.stateful else ZEROED,
        origin=bundle.origin, kind=metadata.kind, scheme=metadata.scheme, name=name, guard=guard,
        op_count=len(ops), ops=", ".join(op.name for op in ops), rows=entry.shape[1],
        channels=len(metadata.channels), window=metadata.window, horizon=metadata.horizon,
        streaming=int(metadata.stateful), warmup=warmup(metadata), arena=(metadata.accuracy or {}).get("arena", 0),
        threshold=_score(metadata, guard), tables="\n".join(_tables(metadata, name, guard)),
        **_steps("input", entry), **_steps("output", exit_),
        model=_bytes(bundle.flatbuffer), length=len(bundle.flatbuffer),
    )  # fmt: skip


def c_name(text: str) -> str:
    """Any text as a C name.

    >>> c_name("2-pump.stream")
    'm2_pump_stream'
    """
    plain = re.sub(r"\W+", "_", text, flags=re.ASCII).strip("_").lower()
    return f"m{plain}" if not plain or plain[0].isdigit() else plain


def _steps(side: str, tensor: Tensor) -> dict[str, Any]:
    kind = "float" if tensor.dtype.kind == "f" else f"{tensor.dtype}_t"
    return {f"{side}_type": kind, f"{side}_scale": _float(tensor.scale), f"{side}_zero": tensor.zero_point}


def _score(metadata: Metadata, guard: str) -> str:
    scoring, threshold = metadata.scoring, metadata.threshold
    if scoring is None or threshold is None:
        return ""
    return SCORE.format(
        guard=guard, value=_float(threshold.value), rows=scoring.rows, smoothing=_float(scoring.smoothing),
        formula=_formula(scoring),
    )  # fmt: skip


def _formula(scoring: Scoring) -> str:
    form = PLAIN if scoring.method in ("mean", "max") else OTHER
    module = score_class(scoring.method).__module__
    return form.format(
        method=scoring.method, module=module, quick=scoring.quick, slow=scoring.slow, memory=scoring.memory
    )  # fmt: skip


def _tables(metadata: Metadata, name: str, guard: str) -> Iterable[str]:
    """Channel names, scaler and score statistics, a value a channel."""
    names = ", ".join('"' + re.sub(r'["\\]|[^ -~]', "_", channel) + '"' for channel in metadata.names)
    if names:
        yield f"static const char *const {name}_channels[{guard}_CHANNELS] = {{{names}}};"
    columns: dict[str, Sequence[float]] = {}
    if metadata.scaler is not None:
        columns |= {"scaler_offset": metadata.scaler.offset, "scaler_scale": metadata.scaler.scale}
    if metadata.scoring is not None:
        scoring, extra = metadata.scoring, {}
        if scoring.witnesses == 1:
            columns |= {"score_center": scoring.center, "score_scale": scoring.scale}
        else:  # a value a channel for each witness
            extra = {"center": scoring.center, "scale": scoring.scale}
        extra |= {"level": scoring.level, "spread": scoring.spread, "ratio": scoring.ratio, "limits": scoring.limits}
        for title, numbers in extra.items():
            if numbers:
                yield f"static const float {name}_score_{title}[{len(numbers)}] = {{{', '.join(map(_float, numbers))}}};"
    for title, values in columns.items():
        yield f"static const float {name}_{title}[{guard}_CHANNELS] = {{{', '.join(map(_float, values))}}};"


def _float(value: float) -> str:
    """A C float constant with all of its digits."""
    return f"{value:.9g}f" if any(mark in f"{value:.9g}" for mark in ".e") else f"{value:.9g}.0f"


def _bytes(content: bytes) -> str:
    rows = (content[start : start + PER_LINE] for start in range(0, len(content), PER_LINE))
    return "\n".join("  " + " ".join(f"0x{byte:02x}," for byte in row) for row in rows)
