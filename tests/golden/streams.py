"""Input streams for the golden record: the tests' stream with each kind of bad input in it.

A row is a list of texts, as it stands in a CSV file: time, level_cm, flow_lpm. Nothing here is random.
"""

from pathlib import Path

Rows = list[list[str]]

MODELS = Path(__file__).parents[1] / "slim" / "models"
HEADER, *LINES = (MODELS / "stream.csv").read_text().splitlines()
PERIOD = 24  # rows of one cycle of the tank
CALM = 6 * PERIOD  # rows before the first fault of the stream


def stream() -> Rows:
    """Return 600 rows with a spike, a level shift and a stuck channel."""
    return [line.split(",") for line in LINES]


def missing() -> Rows:
    """Return empty cells, a word for nothing, a row without values, and a channel that is silent for 30 rows."""
    rows = stream()
    rows[60][1], rows[62][2], rows[64][1] = "", "nan", "NaN"
    rows[66][1:] = ["", ""]
    for row in rows[90:120]:
        row[2] = ""
    return rows


def gaps() -> Rows:
    """Return short gaps that are bridged, one that is too long, and one of 30 s."""
    rows = later(stream(), 400, 30)
    return rows[:51] + rows[52:80] + rows[82:200] + rows[212:]


def repeated() -> Rows:
    """Return doubled rows, late rows and a burst of early ones."""
    rows = stream()
    burst = [[f"{float(rows[220][0]) + 0.04 * (number + 1):.2f}", *rows[220][1:]] for number in range(9)]
    return [*rows[:40], rows[39], *rows[40:100], rows[90], rows[99], rows[99], *rows[100:221], *burst, *rows[221:]]


def clock() -> Rows:
    """Return a clock that is set back by an hour, and later forward."""
    return later(later(stream(), 60, -3600), 250, 7200)


def far() -> Rows:
    """Return values far outside those of training, infinite ones, and times that are no numbers."""
    rows = stream()
    rows[60][2], rows[80][2], rows[100][1], rows[120][1] = "60", "1e30", "-1e300", "inf"
    rows[130][0] = "nan"
    return rows


def slow() -> Rows:
    """Return rows at 1.4 times the period of training, then again at the right one."""
    rows = stream()
    start = float(rows[100][0])
    for number, row in enumerate(rows[100:]):
        row[0] = f"{start + 1.4 * min(number, 200) + max(number - 200, 0):.1f}"
    return rows


def everything() -> Rows:
    """Return some of each: a missing value, a silent channel, a double, a gap, a pause and a value far outside."""
    rows = later(stream(), 200, 30)
    rows[60][1], rows[260][2] = "", "1e30"
    for row in rows[90:100]:
        row[2] = ""
    return [*rows[:40], rows[39], *rows[40:120], *rows[126:]]


def calm(turns: int, first: int = 0, shift: float = 0.0, factor: float = 1.0) -> Rows:
    """Return the rows before the first fault, again and again, with a shifted level and a larger flow."""
    rows = stream()[:CALM]
    start = int(rows[0][0]) + first * CALM
    return [
        [str(start + turn * CALM + place), f"{float(level) + shift:.3f}", f"{float(flow) * factor:.4f}"]
        for turn in range(turns)
        for place, (_, level, flow) in enumerate(rows)
    ]


def drifting() -> Rows:
    """Return inputs that move by a step and stay there, for events about drift."""
    return calm(6) + calm(6, 6, 4.0, 1.1)


def adapting() -> Rows:
    """Return enough calm rows for a threshold that follows the scores."""
    return calm(10)


def later(rows: Rows, first: int, seconds: int) -> Rows:
    """Shift the times from row `first` on."""
    return rows[:first] + [[str(int(time) + seconds), *values] for time, *values in rows[first:]]


def table(rows: Rows) -> str:
    """Return the CSV text of rows."""
    return "\n".join([HEADER, *(",".join(row) for row in rows)]) + "\n"


STREAMS = {make.__name__: make for make in (stream, missing, gaps, repeated, clock, far, slow, everything, drifting)}
