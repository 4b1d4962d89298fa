"""Public holidays of a country or a region, or of a file, as days that ride along in the model file."""

from datetime import date, datetime, timezone
from pathlib import Path

from edgelstm.data.series import Series
from edgelstm.runtime.errors import TrainingError
from edgelstm.runtime.forecasting.calendar import DAY

AHEAD = 15  # years after the training rows for which a device knows them


def holidays_of(series: Series, place: str, patch: int) -> list[int]:
    """Return the holidays for a model of a series, as `holiday_days`.

    Args:
        series: The training rows.
        place: As for `holiday_days`.
        patch: Rows a patch, which must be a day's; 0 without a calendar.

    Raises:
        TrainingError: If there are no days, and as `holiday_days`.
    """
    if patch * (series.period or 0.0) != DAY:
        raise TrainingError(
            "Holidays go with --calendar, and with rows of which a day has 2 to 96 and the look-back is whole days. "
            "Give --calendar, and leave --lookback out."
        )
    return holiday_days(place, float(series.time.min()), float(series.time.max()))


def holiday_days(place: str, first: float, last: float) -> list[int]:
    """Return the holidays from the year of the first row to 15 years after the last, as days since 1970.

    Args:
        place: Country (US), country and region (DE-BY), or a file with a date a line, such as 2026-12-25.
        first: Time of the first row, seconds since 1970.
        last: That of the last one.

    Raises:
        TrainingError: If there is no such place, a line is no date, or the package that knows countries is missing.
    """
    years = [datetime.fromtimestamp(moment, timezone.utc).year for moment in (first, last)]
    path = Path(place)
    dates = _of_file(path) if path.is_file() else _of_country(place, range(years[0] - 1, years[1] + AHEAD + 1))
    return sorted({(day - date(1970, 1, 1)).days for day in dates})


def _of_file(path: Path) -> list[date]:
    lines = [line.strip() for line in path.read_text(encoding="utf-8", errors="replace").splitlines()]
    try:
        return [date.fromisoformat(line[:10]) for line in lines if line and not line.startswith("#")]
    except ValueError as error:
        raise TrainingError(f"{path.name}: {str(error)[:80]}. Write one date a line, such as 2026-12-25.") from error


def _of_country(place: str, years: range) -> list[date]:
    try:
        import holidays
    except ImportError as error:
        raise TrainingError(
            "--holidays of a country needs the package holidays: pip install 'edgelstm[holidays]'; or name a file with a date a line."
        ) from error
    country, _, region = place.partition("-")
    try:
        return list(holidays.country_holidays(country, subdiv=region or None, years=years))
    except NotImplementedError as error:
        raise TrainingError(
            f"--holidays: there is no file {place!r}, and no such country or region. Write US, DE-BY, or a file's name."
        ) from error
