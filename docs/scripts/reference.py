"""The reference page of all commands, made from their help.

python docs/scripts/reference.py            # write docs/reference/commands.md
python docs/scripts/reference.py --check    # exit code 1 when the page is out of date
"""

import sys
from pathlib import Path

import click

from edgelstm.cli import group

PAGE = Path(__file__).resolve().parents[1] / "reference" / "commands.md"
WIDTH = 100
HEADER = """# Commands

Every command explains itself with `-h`. An error is one line on standard error and exit code 1; a wrong command line
is exit code 2. Standard output holds what a program would read, and nothing else.

This page is made from the commands themselves by `docs/scripts/reference.py`.
"""


def help_of(command: click.Command, name: str, parent: click.Context) -> str:
    """Help of one command as it appears on a terminal of 100 columns."""
    context = click.Context(command, info_name=name, parent=parent, max_content_width=WIDTH, terminal_width=WIDTH)
    return command.get_help(context).rstrip()


def sections(command: click.Command, name: str, parent: click.Context) -> list[str]:
    """Section of a command, and those of its subcommands."""
    path = f"{parent.command_path} {name}".strip()
    parts = [f"## {path}\n\n```text\n{help_of(command, name, parent)}\n```\n"]
    if isinstance(command, click.Group):
        context = click.Context(command, info_name=name, parent=parent)
        for child_name in command.list_commands(context):
            child = command.get_command(context, child_name)
            if child is not None and not child.hidden:
                parts += sections(child, child_name, context)
    return parts


def page() -> str:
    """Text of the whole page."""
    context = click.Context(group, info_name="edgelstm")
    parts = [HEADER]
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is not None and not command.hidden:
            parts += sections(command, name, context)
    return "\n".join(parts)


def main() -> int:
    """Write the page, or check it."""
    if "--check" in sys.argv[1:]:
        if PAGE.read_text(encoding="utf-8") != page():
            print("docs/reference/commands.md is out of date: python docs/scripts/reference.py", file=sys.stderr)
            return 1
        return 0
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
