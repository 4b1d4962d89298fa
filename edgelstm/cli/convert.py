"""`edgelstm convert`: from Keras to TFLite, proven."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import click

from edgelstm.cli.lazy_group import examples
from edgelstm.cli.registered import RuleText
from edgelstm.cli.streams import RULE_HELP

SECONDS = 0.5  # of timing, all schemes together
BEYOND = 2.0  # times the error on held-back windows: less beyond their range needs no line
CHANNEL_LIMIT = 0.05  # of a channel's own deviation, as of the whole output's
NOTICEABLE = 1.1  # slower by less is noise
SCHEMES = ("float32", "float16", "dynamic", "int8", "int16x8")


@click.command(
    "convert",
    epilog=examples(
        "edgelstm convert pump.keras --int8",
        "edgelstm convert theirs.keras --int8 --calibration normal.csv    # a model from elsewhere",
    ),
)
@click.argument("model", type=click.Path(path_type=Path, readable=False), metavar="MODEL.keras")
@click.option("--int8", "int8", is_flag=True, help="Short for --scheme int8, the default.")
@click.option("--scheme", "schemes", multiple=True, type=click.Choice(SCHEMES), help="May be given several times.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Default: MODEL[.stream][.micro].SCHEME.tflite beside it."
)
@click.option("--calibration", type=click.Path(path_type=Path), help="Normal rows (.csv) or windows (.npy, .npz).")
@click.option("--scaler", type=click.Choice(["standard", "minmax", "robust", "none"]), help="For --calibration CSV.")
@click.option("--kind", type=click.Choice(["autoencoder", "forecaster", "generic"]), help="Of a foreign model.")
@click.option("--lookback", type=click.IntRange(1), help="Rows, for a model with an open time axis.")
@click.option(
    "--streaming", is_flag=True, help="One row a call, state kept between calls: for causal forecasters, far cheaper."
)
@click.option(
    "--c-array", is_flag=True, help="With --target micro: also write a C header with model, scaler, threshold."
)
@click.option(
    "--io",
    type=click.Choice(["auto", "int8", "float32"]),
    default="auto",
    show_default=True,
    help="Type of an int8 or int16x8 model's inputs and outputs. auto: int16 where a linear path joins them, else int8.",
)
@click.option(
    "--target", type=click.Choice(["arm", "x86", "micro"]), help="Where it is to run; chooses the scheme, see above."
)
@click.option("--threshold-rule", type=RuleText(), help=f"{RULE_HELP}  [default: as in training]")
@click.option(
    "--max-drop",
    type=click.FloatRange(0),
    help="Search the smallest model that loses no more: of output, or of VUS-PR.",
)
@click.option("--data", type=click.Path(path_type=Path), help="Labelled rows that judge the drop of --max-drop.")
@click.option("--label-column", default="anomaly", show_default=True, help="Of --data.")
@click.option("--allow-drop", is_flag=True, help="Write the file even when its error is above the limits.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    model: Path,
    int8: bool,
    schemes: tuple[str, ...],
    output: Path | None,
    as_json: bool,
    streaming: bool,
    target: str | None,
    c_array: bool,
    max_drop: float | None,
    data: Path | None,
    label_column: str,
    **given: Any,
) -> None:
    """Convert a Keras 3 model to a small TFLite file, and prove it.

    Nothing is written unless the float form agrees with Keras (1e-4 of the output's deviation at most) and the
    quantized form with the float one (5 %), on windows that were held back.

    --target arm means --scheme int8, which TFLite has fast kernels for on Arm. --target x86 means --scheme dynamic with
    LSTMs that are unrolled when the model is loaded: the fused 8-bit kernel is slow there. Times in the output are this
    machine's, float and quantized in turn. --target micro is for microcontrollers: proven in TensorFlow Lite Micro's
    interpreter, too.

    --max-drop tries all schemes, and int8 and dynamic with some layers in higher precision, and writes the smallest file
    that loses no more than this. The loss is the output's error, or with --data the VUS-PR below the Keras model's.
    """
    from edgelstm.cli.progress import steps
    from edgelstm.deployment.convert import convert_file
    from edgelstm.runtime.io.atomic_files import check_writable

    if max_drop is not None:
        if schemes or int8 or target or streaming or c_array:
            raise click.UsageError(
                "--max-drop chooses the scheme: leave --scheme, --int8, --target and --streaming out."
            )
        _search(model, max_drop, data, label_column, output, as_json, given)
        return
    if data is not None:
        raise click.UsageError("--data judges a search: give the largest drop allowed with --max-drop.")
    default = "dynamic" if target == "x86" else "int8"
    wanted = tuple(dict.fromkeys((*schemes, *(("int8",) if int8 else ()), *(() if int8 or schemes else (default,)))))
    if target == "x86" and "int8" in wanted:
        raise click.UsageError(
            "--target x86 has float activations; leave int8 out: --scheme dynamic has 8-bit weights."
        )
    if target == "x86" and streaming:
        raise click.UsageError("--target x86 is for windows; a --streaming file does one step a sample and needs none.")
    if output is not None and len(wanted) > 1:
        raise click.UsageError("-o names one file; leave it out to write several schemes.")
    if c_array and target != "micro":
        raise click.UsageError("--c-array goes with --target micro.")
    form = ".stream" * streaming + ".micro" * (target == "micro")
    targets = {scheme: output or model.with_suffix(f"{form}.{scheme}.tflite") for scheme in wanted}
    for file in targets.values():
        check_writable(file)
    with steps(f"converting {model.name}") as tell:
        made = convert_file(
            model, wanted, streaming=streaming, target="" if target == "arm" else target or "", tell=tell, **given
        )
        tell("times")
        times = _times(made)
    for scheme, converted in made.items():
        converted.bundle.save(targets[scheme])
        if c_array:
            _write_header(converted, targets[scheme])
    _report(made, targets, times, as_json)


def _write_header(converted: Any, target: Path) -> None:
    from edgelstm.deployment.c_header import c_header
    from edgelstm.runtime.io.atomic_files import write_atomic

    name = target.name.removesuffix(".tflite")
    write_atomic(target.with_name(f"{name}.h"), c_header(converted.bundle, name).encode())


def _search(
    model: Path,
    budget: float,
    data: Path | None,
    column: str,
    output: Path | None,
    as_json: bool,
    given: dict[str, Any],
) -> None:
    """Write the smallest model within the budget, or say why there is none."""
    from edgelstm.cli.progress import steps
    from edgelstm.deployment.representative_data import read_source
    from edgelstm.deployment.scheme_search import lines, reason, record, search
    from edgelstm.runtime.errors import ConversionError
    from edgelstm.runtime.io.atomic_files import check_writable

    check_writable(output or model.with_suffix(".int8.tflite"))
    with steps(f"searching {model.name}") as tell:
        source = read_source(model, *(given[name] for name in ("calibration", "scaler", "kind", "lookback")))
        rest = {name: given[name] for name in ("lookback", "io", "allow_drop", "threshold_rule")}
        found = search(source, budget, data, column, tell=tell, **rest)
    if not as_json:
        for line in lines(found):
            click.echo(line, err=True)
    if found.chosen is None:
        raise ConversionError(reason(found))
    scheme = found.chosen.conversion.validation.scheme
    target = output or model.with_suffix(f".{scheme}.tflite")
    found.chosen.bundle.save(target)
    made = {scheme: found.chosen}
    _report(made, {scheme: target}, _times(made), as_json, {"search": record(found)})


def _times(made: dict[str, Any]) -> dict[str, float]:
    """Microseconds a window on this machine, by scheme, and of the plain float form as `float`."""
    from edgelstm.runtime.diagnostics.benchmark import bare_call, compare
    from edgelstm.runtime.inference.interpreter import TFLiteModel

    models = {
        scheme: TFLiteModel(item.bundle.flatbuffer, target=item.bundle.metadata.target) for scheme, item in made.items()
    }
    models["float"] = TFLiteModel(next(iter(made.values())).float32)
    calls = {name: bare_call(model) for name, model in models.items()}
    return {name: found.p50 for name, found in compare(calls, SECONDS).items()}


def _report(
    made: dict[str, Any],
    targets: dict[str, Path],
    times: dict[str, float],
    as_json: bool,
    more: Mapping[str, Any] = MappingProxyType({}),
) -> None:
    import json

    if as_json:
        records = [
            {
                "file": str(targets[scheme]),
                "file_bytes": targets[scheme].stat().st_size,
                "threshold": converted.bundle.metadata.threshold and converted.bundle.metadata.threshold.value,
                "target": converted.bundle.metadata.target,
                "latency_us": times[scheme],
                "float_latency_us": times["float"],
                "float_bytes": len(converted.float32),
                **dict(converted.bundle.metadata.accuracy),
                **more,
            }
            for scheme, converted in made.items()
        ]
        click.echo(json.dumps(records if len(records) > 1 else records[0]))
        return
    for scheme, converted in made.items():
        for line in (*summary(converted, targets[scheme]), *cost(converted, times[scheme], times["float"])):
            click.echo(line, err=True)
    for warning in next(iter(made.values())).check.warnings:
        click.echo(f"Warning: {warning}.", err=True)


def cost(converted: Any, time: float, exact: float) -> list[str]:
    """Time and size beside float's, and where the quantized form loses."""
    metadata = converted.bundle.metadata
    call = "a row here   " if metadata.stateful else "a window here"
    if converted.conversion.validation.scheme == "float32" and not metadata.target:
        return [f"  {call}          {time:.0f} us, on one thread"]
    size, full = len(converted.bundle.flatbuffer), len(converted.float32)
    lines = [f"  {call}          {time:.0f} us, on one thread; float {exact:.0f} us, {full / 1024:.1f} KiB"]
    scheme = converted.conversion.validation.scheme
    if time > NOTICEABLE * exact:
        hint = "; try --target x86" if _x86() and not (metadata.target or metadata.stateful) else ""
        lines.append(f"  Warning: {scheme} is {time / exact:.1f} times slower than float on this machine{hint}")
    if size > full:
        lines.append(f"  Warning: {scheme} is larger than float ({size:,} and {full:,} bytes)")
    return lines


def _x86() -> bool:
    import platform

    return platform.machine() in ("x86_64", "AMD64")


def summary(converted: Any, target: Path) -> list[str]:
    """What a conversion cost, in a few lines."""
    validation, metadata = converted.conversion.validation, converted.bundle.metadata
    size = target.stat().st_size
    lines = [
        f"{target}  {size / 1024:.1f} KiB, {size / max(1, validation.parameters):.2f} bytes a parameter, "
        f"{validation.recurrent_ops} fused recurrent ops of {validation.ops}",
        f"  Keras → float TFLite   {validation.lowering_error:.1e} of the output's deviation (largest)",
    ]
    if validation.scheme != "float32":
        how = f"; {validation.depth} quantization, {validation.ranges or 'weights'} ranges" if validation.depth else ""
        floor = f", of which {validation.floor:.2%} is the rounding of the output alone" if validation.floor else ""
        lines.append(f"  float → {validation.scheme:14} {validation.error:.2%} (RMS){floor}{how}")
    if validation.stretched > BEYOND * validation.error:
        lines.append(
            f"  … on larger inputs     {validation.stretched:.1%} (RMS) where values are 1.5 times as large as the held-back ones: "
            "8 bits end there; --scheme dynamic does not"
        )
    if validation.channel_error > CHANNEL_LIMIT:
        lines.append(
            f"  Warning: output channel {validation.channel} differs by {validation.channel_error:.1%} of its own deviation, which is "
            "small beside the others'; --scheme float16 keeps it"
        )
    if validation.steps:
        lines.append(
            f"  one row a call         over {validation.steps:,} samples without a reset; {validation.late_error:.2%} in the last tenth; "
            f"warm-up {validation.warmup} samples"
        )
        lines.append(
            f"  streamed → windowed    {validation.history:.2%} (RMS): what the rows before the window add, in float"
        )
    if validation.arena:
        unit = " steps" if validation.scheme == "int8" else ""
        lines.append(
            f"  LiteRT → tflite-micro  {validation.micro_error:.2%} (RMS), {validation.micro_largest:.3g}{unit} at most; "
            f"arena {validation.arena / 1024:.1f} KiB"
        )
    if validation.newer_ops:
        lines.append(
            f"  Warning: tflite-runtime 2.14, the interpreter of 32-bit Arm, has no {', '.join(validation.newer_ops)}: "
            "this file needs LiteRT"
        )
    if metadata.threshold and converted.keras_threshold:
        shift = metadata.threshold.value / converted.keras_threshold - 1
        lines.append(
            f"  alarm threshold        {converted.keras_threshold:.3f} (Keras) → {metadata.threshold.value:.3f} "
            f"({shift:+.1%}), recalibrated on this file's own scores"
        )
    return lines
