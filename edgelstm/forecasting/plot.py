"""Picture of a forecast: recent rows, forecast and interval."""

from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from edgelstm.evaluation.plots import BLUE, INK
from edgelstm.runtime.forecasting.forecaster import Forecast
from edgelstm.runtime.forecasting.time_grid import Recent
from edgelstm.runtime.io.atomic_files import replacing


def forecast_picture(path: Path, rows: Recent, forecast: Forecast, shown: int) -> None:
    """Draw one panel a target: the rows before, the forecast with its interval.

    Args:
        path: File to write; its suffix chooses the format.
        rows: The recent rows.
        forecast: Their forecast.
        shown: Rows drawn before it.
    """
    past = rows.times < forecast.times[0]
    times, values = rows.times[past][-shown:], rows.values[past][-shown:]
    count = len(forecast.targets)
    figure = Figure(figsize=(10, 1.2 + 2.2 * count), layout="constrained")
    axes = figure.subplots(count, 1, sharex=True, squeeze=False)[:, 0]
    before, after = ([_moment(time, rows.dated) for time in part] for part in (times, forecast.times))
    for place, (axis, name) in enumerate(zip(axes, forecast.targets, strict=True)):
        axis.plot(before, values[:, place], color=INK, linewidth=0.8, label="recent rows")
        axis.plot(after, forecast.values[:, place], color=BLUE, linewidth=1.6, label="forecast")
        if forecast.lower is not None and forecast.upper is not None:
            axis.fill_between(after, forecast.lower[:, place], forecast.upper[:, place], color=BLUE, alpha=0.2, linewidth=0,
                              label=f"{forecast.level} % interval")  # fmt: skip
        axis.set_ylabel(name)
        axis.spines[["top", "right"]].set_visible(False)
    axes[-1].set_xlabel("time (UTC, or as written)" if rows.dated else "time")
    axes[0].legend(loc="upper left", ncols=4, frameon=False, fontsize=8)
    form = path.suffix.lstrip(".").lower()
    with replacing(path) as beside:
        figure.savefig(beside, format=form, metadata={"Software": None} if form == "png" else None)


def _moment(time: float, dated: bool) -> Any:
    return datetime.fromtimestamp(time, timezone.utc) if dated else time
