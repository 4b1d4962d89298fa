"""Output of `edgelstm convert`: a few lines for a person, or JSON."""

import json
import platform
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType
from typing import Any

import click

SECONDS = 0.5  # of timing, all schemes together
BEYOND = 2.0  # times the error on held-back windows: less beyond their range needs no line
SMALL = 0.005  # of the output's deviation: less needs no line either
NOTICEABLE = 1.1  # slower by less is noise
Files = Mapping[str, Path]


def times_of(made: Mapping[str, Any]) -> dict[str, float]:
    """Microseconds a window on this machine, by scheme, and of the plain float form as `float`."""
    from edgelstm.runtime.diagnostics.benchmark import bare_call, compare
    from edgelstm.runtime.inference.interpreter import TFLiteModel

    models = {
        scheme: TFLiteModel(item.bundle.flatbuffer, target=item.bundle.metadata.target) for scheme, item in made.items()
    }
    models["float"] = TFLiteModel(next(iter(made.values())).float32)
    calls = {name: bare_call(model) for name, model in models.items()}
    return {name: timing.p50 for name, timing in compare(calls, SECONDS).items()}


def show(
    made: Mapping[str, Any],
    files: Files,
    times: Mapping[str, float],
    as_json: bool,
    more: Mapping[str, Any] = MappingProxyType({}),
) -> None:
    """Print what was made.

    Args:
        made: Converted models by scheme.
        files: Where they were written.
        times: From `times_of`.
        as_json: Print JSON on standard output instead of lines on standard error.
        more: Further keys of the JSON.
    """
    if as_json:
        records = [
            {**_record(item, files[scheme], times[scheme], times["float"]), **more} for scheme, item in made.items()
        ]
        click.echo(json.dumps(records if len(records) > 1 else records[0]))
        return
    first = next(iter(made.values()))
    for note in first.notes:
        click.echo(note[0].upper() + note[1:], err=True)
    for scheme, converted in made.items():
        for line in (*summary(converted, files[scheme]), *cost(converted, times[scheme], times["float"])):
            click.echo(line, err=True)
    for warning in first.check.warnings:
        click.echo(f"Warning: {warning}.", err=True)
    for line in closing(made, files, times):
        click.echo(line, err=True)


def closing(made: Mapping[str, Any], files: Files, times: Mapping[str, float]) -> Iterator[str]:
    """Lines about faults that the model would find, which file is for which device and why, and the next command.

    Args:
        made: Converted models by scheme.
        files: Where they were written.
        times: From `times_of`.
    """
    from edgelstm.plain_words import sentences

    smallest = min(made, key=lambda scheme: len(made[scheme].bundle.flatbuffer))
    metadata = made[smallest].bundle.metadata
    if metadata.scoring is not None:
        yield from sentences(metadata)
    yield from (device(item, files[scheme], times[scheme] / times["float"]) for scheme, item in made.items())
    yield f"Next: {next_command(metadata, files[smallest])}"


def device(converted: Any, file: Path, ratio: float) -> str:
    """The devices that a file is for, and why.

    Args:
        converted: The converted model.
        file: Its name.
        ratio: Time of a call on this machine over float's.
    """
    metadata, recurrent = converted.bundle.metadata, converted.conversion.validation.recurrent_ops
    scheme, here_ = metadata.scheme, f"here it takes {ratio:.1f} times float's time"
    if metadata.target == "micro":
        return f"{file.name}: for microcontrollers; it was proven in TensorFlow Lite Micro."
    if metadata.target == "x86":
        return f"{file.name}: for x86-64, where its LSTMs are unrolled when it is loaded; {here_}."
    if scheme == "int8" and converted.conversion.validation.depth == "widened":
        return f"{file.name}: int8's size and float's accuracy: 8-bit weights, widened when it is loaded; {here_}."
    if scheme == "int8":
        other = f"; on x86-64 rather --target x86: {here_}" if _x86() and recurrent and ratio > NOTICEABLE else ""
        return f"{file.name}: for a Raspberry Pi and other Arm boards, where int8 kernels are fast{other}."
    reasons = {
        "dynamic": f"where int8 loses too much: 8-bit weights, float activations; {here_}",
        "float16": "where size matters and a half-precision rounding of the weights is all that may change",
        "float32": "for comparison: exact, and the largest",
        "int16x8": f"where int8 loses too much: 16-bit activations, recurrent layers written out; {here_}",
    }
    return f"{file.name}: {reasons[scheme]}."


def next_command(metadata: Any, file: Path) -> str:
    """The command that runs a converted model.

    Args:
        metadata: The model's.
        file: Where it was written.
    """
    if "forecast" in metadata.sections:
        return f"edgelstm forecast {file} RECENT.csv"
    if "vocabulary" in metadata.sections:
        return f'edgelstm classify {file} "TEXT"'
    if metadata.kind == "classifier":
        return f"edgelstm classify {file} --rows NEW.csv"
    return f"edgelstm run {file} LIVE.csv" if metadata.scoring is not None else f"edgelstm inspect {file}"


def _record(converted: Any, file: Path, time: float, float_time: float) -> dict[str, Any]:
    metadata = converted.bundle.metadata
    return {
        "file": str(file),
        "file_bytes": file.stat().st_size,
        "kind": metadata.kind,
        "scaler": metadata.scaler and metadata.scaler.kind,
        "notes": list(converted.notes),
        "threshold": metadata.threshold and metadata.threshold.value,
        "target": metadata.target,
        "latency_us": time,
        "float_latency_us": float_time,
        "float_bytes": len(converted.float32),
        "for": device(converted, file, time / float_time),
        "next": next_command(metadata, file),
        **converted.conversion.validation.record(),
        "representative": asdict(converted.check),
    }


def cost(converted: Any, time: float, float_time: float) -> list[str]:
    """Time and size beside float's, and where the quantized form loses.

    Args:
        converted: The converted model.
        time: Of a call, microseconds.
        float_time: Of the float form's call.
    """
    metadata = converted.bundle.metadata
    call = "a row here   " if metadata.stateful else "a window here"
    scheme = converted.conversion.validation.scheme
    if scheme == "float32" and not metadata.target:
        return [f"  {call}          {time:.0f} us, on one thread"]
    size, full = len(converted.bundle.flatbuffer), len(converted.float32)
    lines = [f"  {call}          {time:.0f} us, on one thread; float {float_time:.0f} us, {full / 1024:.1f} KiB"]
    if time > NOTICEABLE * float_time:
        hint = "; try --target x86" if _x86() and not (metadata.target or metadata.stateful) else ""
        lines.append(f"  Warning: {scheme} is {time / float_time:.1f} times slower than float on this machine{hint}")
    if size > full:
        lines.append(f"  Warning: {scheme} is larger than float ({size:,} and {full:,} bytes)")
    return lines


def _x86() -> bool:
    return platform.machine() in ("x86_64", "AMD64")


def summary(converted: Any, target: Path) -> Iterator[str]:
    """Lines about what a conversion cost.

    Args:
        converted: The converted model.
        target: Its file.
    """
    validation, metadata = converted.conversion.validation, converted.bundle.metadata
    size = target.stat().st_size
    yield (
        f"{target}  {size / 1024:.1f} KiB, {size / max(1, validation.parameters):.2f} bytes a parameter, "
        f"{validation.ops} ops, {validation.recurrent_ops} of them fused recurrent"
    )
    yield f"  Keras → float TFLite   {validation.lowering_error:.1e} of the output's deviation (largest)"
    if validation.scheme != "float32":
        yield from _quantized(validation, metadata)
    if validation.steps:
        yield (
            f"  one row a call         over {validation.steps:,} samples without a reset; {validation.late_error:.2%} in the "
            f"last tenth; warm-up {validation.warmup} samples"
        )
        yield f"  streamed → windowed    {validation.history:.2%} (RMS): what the rows before the window add, in float"
    if validation.arena:
        unit = " steps" if validation.scheme == "int8" else ""
        yield (
            f"  LiteRT → tflite-micro  {validation.micro_error:.2%} (RMS), {validation.micro_largest:.3g}{unit} at most; "
            f"arena {validation.arena / 1024:.1f} KiB"
        )
    if validation.newer_ops:
        yield (
            f"  Warning: tflite-runtime 2.14, the interpreter of 32-bit Arm, has no {', '.join(validation.newer_ops)}: "
            "this file needs LiteRT"
        )
    if metadata.threshold and converted.keras_threshold:
        shift = metadata.threshold.value / converted.keras_threshold - 1
        yield (
            f"  alarm threshold        {converted.keras_threshold:.3f} (Keras) → {metadata.threshold.value:.3f} "
            f"({shift:+.1%}), recalibrated on this file's own scores"
        )


def _quantized(validation: Any, metadata: Any) -> Iterator[str]:
    """Lines about a quantized form."""
    from edgelstm.converters.validation.limits import INT8_LIMIT

    depth = f"; {validation.depth} quantization, {validation.ranges or 'weights'} ranges" if validation.depth else ""
    floor = f", of which {validation.floor:.2%} is the rounding of the output alone" if validation.floor else ""
    yield f"  float → {validation.scheme:14} {validation.error:.2%} (RMS){floor}{depth}"
    names = metadata.names if metadata.scoring is not None else ()
    channel = names[validation.channel] if validation.channel < len(names) else f"channel {validation.channel}"
    if validation.channel_error > INT8_LIMIT:
        yield (
            f"  Warning: output {channel} differs by {validation.channel_error:.1%} of its own deviation; "
            f"the limit is {INT8_LIMIT:.0%} for each"
        )
    else:
        yield f"  worst output channel   {validation.channel_error:.2%} of its own deviation ({channel})"
    if validation.scheme == "int8" and validation.depth == "hybrid" and not validation.floor:
        yield "  inputs and outputs     float32: 8 bits cannot hold the output channels within the limit"
    if validation.depth == "widened":
        yield "  computed in float      8-bit activations lose too much here; the 8-bit weights are widened when the file is loaded"
    if validation.stretched > max(SMALL, BEYOND * validation.error):
        yield (
            f"  … on larger inputs     {validation.stretched:.1%} (RMS) where values are 1.5 times as large as the held-back "
            "ones: 8 bits end there; --scheme dynamic does not"
        )
