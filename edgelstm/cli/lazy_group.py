"""Command groups whose commands are modules, imported when they are called."""

import importlib
from difflib import get_close_matches

import click


class LazyGroup(click.Group):
    """A group that knows its commands' names and summaries, and imports a command's module on demand.

    Args:
        modules: Module of each command, by the command's name; each holds a click command called `command`.
        summaries: One line about each command, in the order in which a new user meets them.
        **attributes: As for `click.Group`.
    """

    def __init__(self, *, modules: dict[str, str], summaries: dict[str, str], **attributes: object) -> None:
        super().__init__(**attributes)  # type: ignore[arg-type]  # click's own, passed through
        self.modules = modules
        self.summaries = summaries

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of the commands, in the order of the summaries."""
        return list(self.summaries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command's module.

        Args:
            ctx: The call.
            cmd_name: Name of the command.
        """
        if cmd_name not in self.modules:
            return None
        command: click.Command = importlib.import_module(self.modules[cmd_name]).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing any of them.

        Args:
            ctx: The call.
            formatter: Receiver of the text.
        """
        with formatter.section("Commands"):
            formatter.write_dl(list(self.summaries.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Look a command up; suggest the nearest name for an unknown one.

        Args:
            ctx: The call.
            args: Words of the command line, the command's name first.
        """
        if args and args[0] not in self.modules and not args[0].startswith("-"):
            near = get_close_matches(args[0], self.modules, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            ctx.fail(f"No such command {args[0]!r}.{hint}")
        return super().resolve_command(ctx, args)


def examples(*lines: str) -> str:
    r"""Epilog of a command's help: one example a line, kept apart by click's `\b`.

    >>> print(examples("edgelstm inspect pump.int8.tflite").replace("\b", "<b>"))
    <b>
    Example:
      edgelstm inspect pump.int8.tflite
    """
    title = "Example:" if len(lines) == 1 else "Examples:"
    return "\n".join(["\b", title, *(f"  {line}" for line in lines)])
