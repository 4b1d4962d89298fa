"""Options and output that the kinds of `edgelstm train` share."""

import json
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from .json_option import json_option

F = TypeVar("F", bound=Callable[..., Any])
SEEDS = click.IntRange(0, 2**32 - 1)  # what NumPy takes
INTERRUPTED = 130  # exit code of a shell's own for a program that Ctrl-C ended: 128 + SIGINT


def data_argument(required: bool = True) -> Callable[[F], F]:
    """Add DATA.csv..., the training files."""
    metavar = "DATA.csv..." if required else "[DATA.csv...]"
    return click.argument("data", nargs=-1, required=required, metavar=metavar, type=click.Path(path_type=Path, readable=False))  # fmt: skip


def calendar_options(text: str) -> Callable[[F], F]:
    """Add --calendar and --timezone.

    Args:
        text: Help of --calendar.
    """

    def add(function: F) -> F:
        function = click.option(
            "--timezone", "zone", default="", metavar="NAME",
            help="Of the calendar, e.g. Europe/Berlin.  [default: as written]",
        )(function)  # fmt: skip
        return click.option("--calendar", is_flag=True, help=text)(function)

    return add


def output_options(function: F) -> F:
    """Add --output, --seed, --no-embed and --json."""
    options = [
        click.option(
            "-o", "--output", required=True, callback=_keras_file, type=click.Path(path_type=Path),
            help="Model file to write, .keras.",
        ),
        click.option(
            "--seed", default=0, show_default=True, type=SEEDS, help="Seed of weights and shuffling."
        ),
        click.option(
            "--no-embed", is_flag=True, help="Keep rows out of the model file; convert then needs --calibration."
        ),
        json_option(),
    ]  # fmt: skip
    for option in reversed(options):
        function = option(function)
    return function


def training_options(
    examples: str, defaults: Mapping[str, str], *, over: str = "", units: str = "Units of the LSTM."
) -> Callable[[F], F]:
    """Add the options of a network's training: --units, --dropout, --epochs, --batch-size and --learning-rate.

    Args:
        examples: Name of the examples that the network learns from: windows, texts.
        defaults: Default of each option, for its help; the value itself is the library's.
        over: Examples of an epoch, where these are not all of them.
        units: Help of --units.
    """
    share, positive = click.FloatRange(0, 1, max_open=True), click.FloatRange(0, min_open=True)
    options: dict[str, tuple[Any, str]] = {
        "units": (click.IntRange(1), units),
        "dropout": (share, "Share dropped in training."),
        "epochs": (click.IntRange(1), f"Passes over {over or f'the {examples}'}."),
        "batch-size": (click.IntRange(1), f"{examples.capitalize()} a step."),
        "learning-rate": (positive, "Start value."),
    }

    def add(function: F) -> F:
        for name, (kind, text) in reversed(options.items()):
            function = click.option(f"--{name}", type=kind, help=f"{text}  [default: {defaults[name]}]")(function)
        return function

    return add


def _keras_file(_: click.Context, __: click.Parameter, path: Path) -> Path:
    if path.suffix != ".keras":
        raise click.BadParameter(f"{path.name!r} does not end in .keras, as Keras wants it")
    return path


def check_paths(data: tuple[Path, ...], output: Path, *others: str | None) -> None:
    """Find missing files and folders before the long work.

    Args:
        data: Files to read.
        output: File to write.
        *others: Values of options that may name further files to read; None is passed over.

    Raises:
        SeriesError: If a data file cannot be read.
        OutputError: If the output's folder is missing or not writable, or the output is a file to read.
    """
    from edgelstm.cli.input_files import check_readable
    from edgelstm.runtime.io.atomic_files import check_writable

    check_readable(*data)
    check_writable(output, *data, *others)


def names(text: str | None) -> list[str]:
    """Column names of a comma-separated option.

    >>> names("flow, pressure")
    ['flow', 'pressure']
    """
    return [name.strip() for name in text.split(",") if name.strip()] if text else []


def counts(_: click.Context, __: click.Parameter, text: str) -> tuple[int, ...]:
    """Convert an option with one or more counts, such as `32,16`.

    Args:
        _: The call.
        __: The option.
        text: Counts, separated by commas.
    """
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is not a count or a comma-separated list of counts") from error


def pairs(_: click.Context, __: click.Parameter, texts: tuple[str, ...]) -> dict[str, str]:
    """Convert options of the form NAME=VALUE.

    Args:
        _: The call.
        __: The option.
        texts: Each text that was given.
    """
    pairs_of = {name.strip(): value.strip() for name, _, value in (text.rpartition("=") for text in texts)}
    if not all(pairs_of) or not all(pairs_of.values()):
        raise click.BadParameter(f"{', '.join(texts)!r} is not of the form NAME=VALUE")
    return pairs_of


def rows_or_auto(_: click.Context, __: click.Parameter, text: str) -> int | None:
    """Convert a number of rows, or `auto` to None.

    Args:
        _: The call.
        __: The option.
        text: A number, or auto.
    """
    if text == "auto":
        return None
    if not text.isdecimal():
        raise click.BadParameter(f"{text!r} is not a count of rows, nor auto")
    return int(text)


def rows_auto_or_best(context: click.Context, option: click.Parameter, text: str) -> int | str | None:
    """Convert a number of rows, `auto` to None, and leave `best`.

    Args:
        context: The call.
        option: The option.
        text: A number, auto or best.
    """
    if text not in ("auto", "best") and not text.isdecimal():
        raise click.BadParameter(f"{text!r} is not a count of rows, nor auto, nor best")
    return text if text == "best" else rows_or_auto(context, option, text)


def refuse_overruled(options: Collection[str], said_by: str) -> None:
    """Refuse options on the command line that what --from names would overrule.

    Args:
        options: Names of the present command's parameters that it decides.
        said_by: What --from names.
    """
    context = click.get_current_context()
    named = [
        parameter.opts[0] for parameter in context.command.params
        if parameter.name in options and context.get_parameter_source(parameter.name) is ParameterSource.COMMANDLINE
    ]  # fmt: skip
    if named:
        raise click.UsageError(f"{', '.join(named)}: --from {said_by} says that. Leave one of both out.")


def chosen(options: dict[str, Any]) -> dict[str, Any]:
    """Options with a value; the library's defaults hold for the rest."""
    return {name: value for name, value in options.items() if value is not None}


def print_rows(series: Any) -> None:
    """Print the size of a series, and the repairs in it, on stderr."""
    channels = series.channels
    several = "s" if len(channels) > 1 else ""
    lines = [f"{len(series.values)} rows, {len(channels)} channel{several}: {', '.join(channels)}"]
    for line in [*lines, *series.repairs.sentences()]:
        click.echo(line, err=True)


def warn_of_lost_rows(series: Any) -> None:
    """Print a warning where more than half of the rows were not used."""
    from edgelstm.data.lost_rows import lost_rows

    if sentence := lost_rows(series):
        click.echo(f"Warning: {sentence}", err=True)


def print_result(
    trained: Any,
    output: Path,
    as_json: bool,
    sentence: Callable[[dict[str, Any]], str],
    more: dict[str, Any],
    conversion: str = "--int8",
    following: str | None = None,
) -> None:
    """Print the record of a saved model: a line of JSON, or a sentence and the next step.

    Exits with code 130 if Ctrl-C ended the training.

    Args:
        trained: The model with its history.
        output: File that it was saved to.
        as_json: Whether to print JSON.
        sentence: Makes the sentence from the record.
        more: Entries of the record that not every kind has.
        conversion: Options of the conversion that comes next.
        following: Command that comes next in its place.
    """
    losses = trained.history["loss"]
    record = {
        "model": str(output), "kind": trained.metadata.kind, "parameters": int(trained.model.count_params()),
        "epochs": len(losses), "loss": losses[-1], "bytes": output.stat().st_size,
        "interrupted": trained.interrupted, **more,
    }  # fmt: skip
    if trained.interrupted:
        click.echo("Interrupted: the model has the best weights so far.", err=True)
    if as_json:
        click.echo(json.dumps(record))
    else:
        click.echo(f"{output}: {sentence(record)}", err=True)
        for line in record.get("sentences", ()):
            click.echo(line, err=True)
        click.echo(f"Next: {following or f'edgelstm convert {output} {conversion}'}", err=True)
    if trained.interrupted:
        raise SystemExit(INTERRUPTED)
