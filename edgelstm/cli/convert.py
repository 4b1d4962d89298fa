"""`edgelstm convert`: from Keras to TFLite, validated."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from edgelstm.cli.foreign_options import FILE, foreign_options
from edgelstm.cli.json_option import json_option
from edgelstm.cli.lazy_group import examples
from edgelstm.cli.registered import RuleText
from edgelstm.cli.streams import RULE_HELP

SCHEMES = ("float32", "float16", "dynamic", "int8", "int16x8")


def search_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of a search for the smallest model."""
    options = (
        click.option(
            "--max-drop",
            type=click.FloatRange(0),
            help="Search the smallest model that loses no more: of output, or of VUS-PR.",
        ),
        click.option("--data", type=FILE, help="Labelled rows that judge the drop of --max-drop."),
        click.option("--label-column", help="Of --data; looked for if left out."),
    )
    for option in reversed(options):
        function = option(function)
    return function


@click.command(
    "convert",
    epilog=examples(
        "edgelstm convert pump.keras --int8",
        "edgelstm convert pump.keras --int8 --fine-tune",
        "edgelstm convert theirs.keras --int8 --calibration normal.csv    # a model from elsewhere",
        "edgelstm convert theirs.h5 --calibration normal.csv --scaler-from scaler.joblib",
    ),
)
@click.argument("model", type=click.Path(path_type=Path, readable=False), metavar="MODEL.keras")
@click.option("--int8", "int8", is_flag=True, help="Short for --scheme int8, the default.")
@click.option("--scheme", "schemes", multiple=True, type=click.Choice(SCHEMES), help="May be given several times.")
@click.option("-o", "--output", type=FILE, help="Default: MODEL[.stream][.micro|.x86].SCHEME.tflite beside it.")
@foreign_options
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
    help="Type of an int8 or int16x8 model's inputs and outputs. auto: int16 where a linear path joins them, float32 "
    "where 8 bits cannot hold the output channels, else int8.",
)
@click.option(
    "--target", type=click.Choice(["arm", "x86", "micro"]), help="Where it is to run; chooses the scheme, see above."
)
@click.option(
    "--fine-tune",
    is_flag=True,
    help="Adapt the weights to int8 arithmetic on the representative rows; kept where it is more accurate. Takes minutes.",
)
@click.option("--threshold-rule", type=RuleText(), help=f"{RULE_HELP}  [default: as in training]")
@search_options
@click.option("--allow-drop", is_flag=True, help="Write the file even when its error is above the limits.")
@json_option()
def command(
    model: Path, int8: bool, schemes: tuple[str, ...], output: Path | None, as_json: bool, streaming: bool,
    target: str | None, c_array: bool, max_drop: float | None, data: Path | None, label_column: str | None, **options: Any,
) -> None:  # fmt: skip
    """Convert a Keras model to a small TFLite file, and validate it.

    Nothing is written unless the float form agrees with Keras (1e-4 of the output's deviation at most) and the
    quantized form with the float one (5 %, for each output and each channel), on windows that were held back.

    --target arm means --scheme int8, which TFLite has fast kernels for on Arm. --target x86 means --scheme dynamic with
    LSTMs that are unrolled when the model is loaded: the fused 8-bit kernel is slow there. Times in the output are this
    machine's, float and quantized in turn. --target micro is for microcontrollers: validated in TensorFlow Lite Micro's
    interpreter, too.

    --max-drop tries all schemes, and int8 and dynamic with some layers in higher precision, and writes the smallest file
    that loses no more than this. The loss is the output's error, or with --data the VUS-PR below the Keras model's.
    """
    from edgelstm.cli.input_files import check_readable
    from edgelstm.runtime.io.atomic_files import check_writable

    request = Request(
        model, (*schemes, *(("int8",) if int8 else ())), output, streaming, target or "", c_array, max_drop, data,
        options["fine_tune"],
    )  # fmt: skip
    for conflict in request.conflicts():
        raise click.UsageError(conflict)
    inputs = (options["calibration"], options["scaler_from"], data)
    if model.is_file():  # else the error is the missing model's
        check_readable(*inputs)
    for file in request.outputs():
        check_writable(file, model, *inputs)
    if max_drop is not None:
        _search(request, label_column, as_json, options)
    else:
        _convert(request, as_json, options)


@dataclass(frozen=True)
class Request:
    """Conversion as the command line asks for it."""

    model: Path
    """The Keras model."""
    schemes: tuple[str, ...]
    """Schemes that the user names; empty for the target's own."""
    output: Path | None
    """File to write; None for a name beside the model."""
    streaming: bool
    """Write the one-row form."""
    target: str
    """arm, x86, micro, or empty for anywhere."""
    c_array: bool
    """Write a C header, too."""
    max_drop: float | None
    """Largest drop of a search; None for no search."""
    data: Path | None
    """Labelled rows that judge the drop."""
    fine_tune: bool
    """Adapt the weights to int8 arithmetic."""

    @property
    def wanted(self) -> tuple[str, ...]:
        """Schemes to convert to."""
        return tuple(dict.fromkeys(self.schemes)) or (("dynamic",) if self.target == "x86" else ("int8",))

    def conflicts(self) -> Iterator[str]:
        """Sentences about options that exclude each other."""
        search, x86 = self.max_drop is not None, self.target == "x86"
        rules = {
            "--max-drop chooses the scheme: leave --scheme, --int8, --target, --streaming and --c-array out.": search
            and bool(self.schemes or self.target or self.streaming or self.c_array),
            "--data judges a search: give the largest drop allowed with --max-drop.": self.data is not None
            and not search,
            "--target x86 has float activations; leave int8 out: --scheme dynamic has 8-bit weights.": x86
            and "int8" in self.schemes,
            "--target x86 is for windows; a --streaming file does one step a sample and needs none.": x86
            and self.streaming,
            "-o names one file; leave it out to write several schemes.": self.output is not None
            and len(self.wanted) > 1,
            "--fine-tune trains on windows for int8: leave --max-drop, --streaming and other schemes out.": self.fine_tune
            and (search or self.streaming or "int8" not in self.wanted),
            "--c-array goes with --target micro.": self.c_array and self.target != "micro",
        }
        return (sentence for sentence, broken in rules.items() if broken)

    def file(self, scheme: str) -> Path:
        """File of a scheme."""
        from edgelstm.deployment.convert import file_name

        target = "" if self.target == "arm" else self.target
        return self.output or self.model.with_name(file_name(self.model, scheme, self.streaming, target))

    def header(self, scheme: str) -> Path:
        """C header of a scheme."""
        target = self.file(scheme)
        return target.with_name(f"{target.name.removesuffix('.tflite')}.h")

    def outputs(self) -> Iterator[Path]:
        """Files that may be written; a search chooses among all schemes."""
        schemes = self.wanted if self.max_drop is None else SCHEMES
        yield from map(self.file, schemes)
        if self.c_array:
            yield from map(self.header, schemes)


def _convert(request: Request, as_json: bool, options: dict[str, Any]) -> None:
    from edgelstm.cli.convert_output import show, times_of
    from edgelstm.cli.progress import steps
    from edgelstm.deployment.convert import convert_file

    files = {scheme: request.file(scheme) for scheme in request.wanted}
    target = "" if request.target == "arm" else request.target
    with steps(f"converting {request.model.name}") as tell:
        made = convert_file(
            request.model, request.wanted, streaming=request.streaming, target=target, tell=tell, **options
        )
        tell("times")
        times = times_of(made)
    for scheme, converted in made.items():
        converted.bundle.save(files[scheme])
        if request.c_array:
            _write_header(converted, request.header(scheme))
    show(made, files, times, as_json)


def _write_header(converted: Any, target: Path) -> None:
    from edgelstm.deployment.c_header import c_header
    from edgelstm.runtime.io.atomic_files import write_atomic

    write_atomic(target, c_header(converted.bundle, target.name.removesuffix(".h")).encode())


def _search(request: Request, label_column: str | None, as_json: bool, options: dict[str, Any]) -> None:
    """Write the smallest model within the budget, or refuse with the best that was tried."""
    from edgelstm.cli.convert_output import show, times_of
    from edgelstm.cli.progress import steps
    from edgelstm.deployment.calibration_file import Wishes
    from edgelstm.deployment.representative_data import read_source
    from edgelstm.deployment.scheme_search import lines, record, refusal, search
    from edgelstm.runtime.errors import ConversionError

    reading = {name: options.pop(name) for name in ("calibration", "scaler", "scaler_from", "kind")}
    with steps(f"searching {request.model.name}") as tell:
        source = read_source(request.model, Wishes(**reading, lookback=options["lookback"]))
        options.pop("fine_tune")
        result = search(source, request.max_drop or 0.0, request.data, label_column, tell=tell, **options)
    if not as_json:
        for line in lines(result):
            click.echo(line, err=True)
    if result.chosen is None:
        raise ConversionError(refusal(result))
    scheme = result.chosen.conversion.validation.scheme
    target = request.file(scheme)
    result.chosen.bundle.save(target)
    made = {scheme: result.chosen}
    show(made, {scheme: target}, times_of(made), as_json, {"search": record(result)})
