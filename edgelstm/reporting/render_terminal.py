"""The report as tables on the terminal."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable
from rich.text import Text

from edgelstm.runtime.io.terminal import printable

from .schema import Report
from .tables import BETTER, NOISE, WORSE, Cell, Table, tables
from .verdict import remarks, verdicts

STYLES = {WORSE: "red", BETTER: "green", NOISE: "dim"}


def show(report: Report, console: Console) -> None:
    """Print tables and verdict.

    Args:
        report: The report.
        console: Terminal to print on.
    """
    for table in tables(report):
        console.print(_table(table))
    for verdict in verdicts(report):
        mark = "" if verdict.measured else " (not measured on one)"
        console.print(
            f"[bold]{_safe(verdict.target)}: {_safe(verdict.scheme or 'none')}[/bold]{mark}. {_safe(verdict.reason)}",
            highlight=False,
        )
        if verdict.command:
            console.print(f"  {_safe(verdict.command)}", highlight=False, soft_wrap=True)
    for remark in remarks(report):
        console.print(f"- {_safe(remark)}", highlight=False)


def _safe(text: str) -> str:
    """Text of models and files: neither rich's markup nor a control character in it has an effect."""
    return escape(printable(text))


def _table(table: Table) -> RichTable:
    made = RichTable(title=_safe(table.title), title_justify="left", box=None, pad_edge=False, header_style="bold")
    made.add_column("")
    for head in table.columns:
        made.add_column(_safe(head), justify="right")
    for row in table.rows:
        made.add_row(f"{_safe(row.title)} [dim]{_safe(row.unit)}[/dim]", *map(_text, row.cells))
    return made


def _text(cell: Cell) -> Text:
    if not cell.note:
        return Text(printable(cell.text))
    note = f"\n{printable(cell.note)}" + ("\nwithin noise" if cell.tone == NOISE else "")
    return Text.assemble(printable(cell.text), (note, STYLES.get(cell.tone, "dim")))
