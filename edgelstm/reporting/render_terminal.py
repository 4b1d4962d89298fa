"""The report as tables on the terminal."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable
from rich.text import Text

from .schema import Report
from .tables import BETTER, NOISE, WORSE, Cell, Table, costs, losses
from .verdict import remarks, verdicts

STYLES = {WORSE: "red", BETTER: "green", NOISE: "dim"}


def show(report: Report, console: Console) -> None:
    """Print tables and verdict.

    Args:
        report: The report.
        console: Terminal to print on.
    """
    for table in (costs(report), losses(report)):
        console.print(_table(table))
    for verdict in verdicts(report):
        mark = "" if verdict.measured else " (not measured on one)"
        console.print(
            f"[bold]{verdict.target}: {verdict.scheme or 'none'}[/bold]{mark}. {escape(verdict.reason)}",
            highlight=False,
        )
        if verdict.command:
            console.print(f"  {escape(verdict.command)}", highlight=False, soft_wrap=True)
    for remark in remarks(report):
        console.print(f"- {escape(remark)}", highlight=False)


def _table(table: Table) -> RichTable:
    made = RichTable(title=table.title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    made.add_column("")
    for scheme in table.schemes:
        made.add_column(scheme, justify="right")
    for row in table.rows:
        made.add_row(f"{row.title} [dim]{row.unit}[/dim]", *map(_text, row.cells))
    return made


def _text(cell: Cell) -> Text:
    if not cell.note:
        return Text(cell.text)
    note = f"\n{cell.note}" + ("\nwithin noise" if cell.tone == NOISE else "")
    return Text.assemble(cell.text, (note, STYLES.get(cell.tone, "dim")))
