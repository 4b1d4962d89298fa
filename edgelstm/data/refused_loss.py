"""The refusal of a table that would lose most of its rows."""

import numpy as np

from edgelstm.runtime.errors import SeriesError

from .regular_grid import FILL
from .table import Table

MOST_LOST = 0.5  # share of rows without a time or a value, above which a table is refused
LEAST_JUDGED = 50  # rows from which that is judged


def refuse_loss(table: Table, untimed: int, dropped: int, rows: int) -> None:
    """Refuse a table most rows of which cannot be used, with the likely reason.

    Args:
        table: As it was read, on the model's grid.
        untimed: Rows without a time.
        dropped: Rows that lack values for too long.
        rows: Rows after short gaps were filled.

    Raises:
        SeriesError: If most rows would be lost.
    """
    total = len(table.values)
    if total >= LEAST_JUDGED and untimed > MOST_LOST * total:
        raise SeriesError(
            f"{untimed} of {total} rows have no time. Name the column that holds it with --time-column, or leave the column "
            "out of the file: rows are counted then."
        )
    if rows >= LEAST_JUDGED and dropped > MOST_LOST * rows:
        empty = np.isnan(table.values).mean(axis=0)
        worst = sorted(zip(empty.tolist(), table.channels, strict=True), reverse=True)[:5]
        shares = ", ".join(f"{name} in {share:.0%}" for share, name in worst if share)
        raise SeriesError(
            f"{dropped} of {rows} rows lack a value for longer than {FILL} samples ({shares} of the rows). "
            "Choose the channels that are there with --columns."
        )
