"""`edgelstm forecast`: the rows to come, on the device."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgelstm.cli.lazy_group import examples
from edgelstm.cli.streams import columns_options, quiet_pipe

if TYPE_CHECKING:
    from edgelstm.runtime.forecasting.forecaster import Forecast


@click.command(
    "forecast",
    epilog=examples(
        "edgelstm forecast load.int8.tflite recent.csv --json",
        "edgelstm forecast load.int8.tflite recent.csv --plot tomorrow.png",
    ),
)
@click.argument("model", type=click.Path(path_type=Path), metavar="MODEL")
@click.argument("recent", type=click.Path(path_type=Path, allow_dash=True), metavar="RECENT.csv")
@click.option("--level", type=click.IntRange(1, 99), help="Percent that the interval holds: 80 or 95.  [default: 80]")
@click.option("--plot", type=click.Path(path_type=Path), help="Picture to write, .png or .svg (needs matplotlib).")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@columns_options
@quiet_pipe
def command(
    model: Path,
    recent: Path,
    level: int | None,
    plot: Path | None,
    as_json: bool,
    columns: str | None,
    time_column: str | None,
    missing: tuple[str, ...],
    channels: str | None,
) -> None:
    """Forecast the rows that follow RECENT (a CSV file, or - for standard input).

    RECENT holds at least as many rows as the model looks back. Where the model has covariates, the rows to forecast
    follow with these columns filled and the targets empty. Prints a table: time, and forecast with interval a target.
    """
    import json
    import sys

    from edgelstm.cli.streams import parse_columns
    from edgelstm.runtime.forecasting.time_grid import read_recent
    from edgelstm.runtime.sources.line_reader import read_lines

    forecaster = _load(model)
    wanted = parse_columns(forecaster.metadata, columns, time_column, missing, channels)
    lines = (line.rstrip("\r\n") for line in sys.stdin) if str(recent) == "-" else read_lines(recent)
    rows = read_recent(lines, wanted, forecaster.metadata.period, recent.name)
    forecast = forecaster.forecast(rows.values, rows.times, level=level)
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


def record(forecast: Forecast, dated: bool) -> dict[str, Any]:
    """Return a forecast as plain JSON types.

    Args:
        forecast: The forecast.
        dated: Whether times are dates, not numbers.
    """
    ends = forecast.lower is not None and forecast.upper is not None
    names: dict[str, Any] = {"forecast": forecast.values}
    names |= {"lower": forecast.lower, "upper": forecast.upper} if ends else {}
    return {
        "times": [stamp(time, dated) for time in forecast.times],
        "interval_percent": forecast.level if ends else None,
        "targets": {
            target: {name: [round(float(value), 6) for value in part[:, place]] for name, part in names.items()}
            for place, target in enumerate(forecast.targets)
        },
    }


def table(forecast: Forecast, dated: bool) -> list[str]:
    """Format a forecast as tab-separated lines, a header first.

    Args:
        forecast: The forecast.
        dated: Whether times are dates, not numbers.
    """
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


def stamp(time: float, dated: bool) -> str:
    """Format a time as the rows have it: a date, or a number.

    Args:
        time: Seconds since 1970, or a row number.
        dated: Whether it is a date.
    """
    from datetime import datetime, timezone

    if not dated:
        return f"{time:g}" if abs(time) < 1e6 else f"{time:.0f}"
    moment = datetime.fromtimestamp(time, timezone.utc)
    return moment.strftime("%Y-%m-%d %H:%M:%S" if not moment.microsecond else "%Y-%m-%d %H:%M:%S.%f")
