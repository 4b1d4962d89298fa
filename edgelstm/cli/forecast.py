"""`edgelstm forecast`: the rows to come, on the device, once or with each row that comes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from edgelstm.cli.json_option import json_option
from edgelstm.cli.lazy_group import examples
from edgelstm.cli.stream_command import StreamCommand
from edgelstm.cli.streams import columns_options, keeping_options, quiet_pipe, serving_options

PICTURES = (".png", ".svg", ".pdf")
LIVE = "--live, --follow, or an address as the source"


@click.command(
    "forecast",
    cls=StreamCommand,
    epilog=examples(
        "edgelstm forecast load.int8.tflite recent.csv --json",
        "edgelstm forecast load.int8.tflite recent.csv --plot tomorrow.png",
        "edgelstm forecast load.int8.tflite mqtt://broker/meter --to mqtt://broker/edgelstm/load --state load.state",
    ),
)
@click.argument("model", type=click.Path(path_type=Path), metavar="MODEL")
@click.argument("source", metavar="SOURCE")
@click.option("--level", type=click.IntRange(1, 99), help="Percent that the interval holds: 80 or 95.  [default: 80]")
@click.option(
    "--plot", type=click.Path(path_type=Path), help="Picture to write, .png, .svg or .pdf (needs matplotlib)."
)
@json_option()
@columns_options
@click.option("--live", is_flag=True, help="Forecast anew with each row, one JSON line a forecast and event.")
@click.option("--follow", is_flag=True, default=None, help="Live, from a file as it grows, through rotation (tail -F).")
@click.option("--to", multiple=True, metavar="SINK", help="Live: send forecasts and events there, too.")
@keeping_options
@serving_options
@quiet_pipe
def command(
    model: Path,
    source: str,
    level: int | None,
    plot: Path | None,
    as_json: bool,
    columns: str | None,
    time_column: str | None,
    missing: tuple[str, ...],
    channels: str | None,
    live: bool,
    **flags: Any,
) -> None:
    """Forecast the rows that follow SOURCE: once from a CSV file (- for standard input), or live.

    A file holds at least as many rows as the model looks back. Where the model has covariates, the rows to forecast
    follow with these columns filled and the targets empty. Prints a table: time, and forecast with interval a target.

    Live (--live, --follow, or SOURCE is an address of the forms below) each row makes a new forecast, and is held
    against those before: an event tells when they have become unreliable, another one when that is over.
    """
    from edgelstm.runtime.io.addresses import parse_address

    live_flags = {name: value for name, value in flags.items() if value not in (None, ())}
    if live or flags["follow"] or parse_address(source).scheme:
        if plot or as_json:
            raise click.UsageError("--plot and --json are for one forecast; live ones are JSON lines.")
        from edgelstm.cli.stream_work import work

        mapping = {"columns": columns, "time_column": time_column, "missing": missing, "channels": channels}
        work(None, {"model": str(model), "source": source, **mapping, "level": level, **live_flags}, dry_run=False)
        return
    if live_flags:
        names = ", ".join(f"--{name.replace('_', '-')}" for name in live_flags)
        raise click.UsageError(f"{names}: for live forecasts. Ask for them with {LIVE}.")
    if plot:
        _check_picture(plot, model, source, channels)
    _once(model, Path(source), level, plot, as_json, (columns, time_column, missing, channels))


def _check_picture(plot: Path, *inputs: Path | str | None) -> None:
    from edgelstm.runtime.errors import OutputError
    from edgelstm.runtime.io.atomic_files import check_writable

    check_writable(plot, *inputs)
    if plot.suffix.lower() not in PICTURES:
        raise OutputError(f"The name of a picture ends in {', '.join(PICTURES)}; received {plot.name}. Rename it.")


def _once(
    model: Path,
    recent: Path,
    level: int | None,
    plot: Path | None,
    as_json: bool,
    mapping: tuple[str | None, str | None, tuple[str, ...], str | None],
) -> None:
    import json
    import sys

    from edgelstm.cli.streams import parse_columns
    from edgelstm.runtime.forecasting.recent_notes import recent_notes
    from edgelstm.runtime.forecasting.record import record
    from edgelstm.runtime.forecasting.time_grid import read_recent
    from edgelstm.runtime.sources.line_reader import read_lines

    forecaster = _load(model)
    wanted = parse_columns(forecaster.metadata, *mapping)
    lines = (line.rstrip("\r\n") for line in sys.stdin) if str(recent) == "-" else read_lines(recent)
    rows = read_recent(lines, wanted, forecaster.metadata.period, recent.name)
    forecast = forecaster.forecast(rows.values, rows.times, level=level)
    for note in recent_notes(forecaster, rows):
        click.echo(f"Warning: {note}", err=True)
    if plot:
        from edgelstm.forecasting.plot import forecast_picture

        forecast_picture(plot, rows, forecast, forecaster.metadata.window)
    if as_json:
        click.echo(json.dumps(record(forecast, rows.dated)))
        return
    for line in table(forecast, rows.dated):
        click.echo(line)


def _load(model: Path) -> Any:
    """A forecaster over a `.tflite` file, or over a `.keras` file where TensorFlow is installed."""
    from edgelstm.runtime.forecasting.forecaster import Forecaster
    from edgelstm.runtime.model_file.trial import load_tried_bundle

    if model.suffix != ".keras":
        return Forecaster.from_bundle(load_tried_bundle(model))
    from edgelstm.forecasting.keras_forecaster import keras_forecaster

    return keras_forecaster(model)


def table(forecast: Any, dated: bool) -> list[str]:
    """Format a forecast as tab-separated lines, a header first.

    Args:
        forecast: The forecast.
        dated: Whether times are dates, not numbers.
    """
    from edgelstm.runtime.forecasting.record import stamp

    with_ends = forecast.lower is not None and forecast.upper is not None
    heads = ["time"]
    for target in forecast.targets:
        heads += [target, *((f"{target}_low{forecast.level}", f"{target}_high{forecast.level}") if with_ends else ())]
    lines = ["\t".join(heads)]
    for row, time in enumerate(forecast.times):
        cells = [stamp(time, dated)]
        for place in range(len(forecast.targets)):
            parts = [forecast.values, *((forecast.lower, forecast.upper) if with_ends else ())]
            cells += [f"{float(part[row, place]):.6g}" for part in parts if part is not None]
        lines.append("\t".join(cells))
    return lines
