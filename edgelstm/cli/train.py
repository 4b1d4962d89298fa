"""`edgelstm train`: one subcommand for each kind of model; without one, a detector of anomalies is trained."""

from typing import Any

import click
from click.shell_completion import CompletionItem

from .lazy_group import LazyGroup, examples

KINDS = {
    "detector": "Detector of anomalies: a forecaster of the next row, or an autoencoder (the default).",
    "forecaster": "Forecaster of target columns, for `edgelstm forecast`.",
    "intents": "Classifier of texts, for `edgelstm classify`.",
    "states": "Classifier of machine states over rows, for `edgelstm classify --rows`.",
}
DEFAULT = "detector"


class Kinds(LazyGroup):
    """The kinds of models; arguments that name none belong to the default kind."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the default kind's name in front, unless a kind or this group's help is asked for.

        Args:
            ctx: The call.
            args: Words of the command line.
        """
        completing = ctx.resilient_parsing and not args
        if not completing and (not args or args[0] not in (*self.modules, *ctx.help_option_names)):
            args = [DEFAULT, *args]
        return super().parse_args(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete kinds, and the default kind's options and files.

        Args:
            ctx: The call.
            incomplete: What is typed so far.
        """
        default = self.get_command(ctx, DEFAULT)
        own = super().shell_complete(ctx, incomplete)
        return own + (default.shell_complete(ctx, incomplete) if default and incomplete.startswith("-") else [])

    def invoke(self, ctx: click.Context) -> Any:
        """Run a kind's command; tell to which kind a strange option belongs."""
        try:
            return super().invoke(ctx)
        except click.NoSuchOption as error:
            owners = [name for name in self.modules if self._takes(ctx, name, error.option_name)]
            if not owners or error.ctx is None:
                raise
            commands = " or ".join(f"`edgelstm train {name}`" for name in owners)
            raise click.UsageError(f"{error.option_name} is an option of {commands}.", error.ctx) from error

    def _takes(self, ctx: click.Context, name: str, option: str) -> bool:
        command = self.get_command(ctx, name)
        return command is not None and any(option in parameter.opts for parameter in command.params)

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Show the default kind's usage, then that of the others.

        Args:
            ctx: The call.
            formatter: Receiver of the text.
        """
        formatter.write_usage(ctx.command_path, "[OPTIONS] DATA.csv...")
        formatter.write_usage(ctx.command_path, "KIND [OPTIONS] [DATA.csv...]", prefix="       ")

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Show the default kind's options, then the list of kinds.

        Args:
            ctx: The call.
            formatter: Receiver of the text.
        """
        if default := self.get_command(ctx, DEFAULT):
            default.format_options(ctx, formatter)
        self.format_commands(ctx, formatter)


@click.group(
    "train",
    cls=Kinds,
    modules={name: f"edgelstm.cli.train_{name}" for name in KINDS},
    summaries=KINDS,
    epilog=examples(
        "edgelstm train pump.csv -o pump.keras",
        "edgelstm train forecaster load.csv -o load.keras --target demand --horizon 48 --calendar",
        "edgelstm train intents -o intents.keras",
        "edgelstm train states runs.csv -o states.keras --label-column state",
        "edgelstm train forecaster -h",
    ),
)
def command() -> None:
    """Train a model on CSV files: a detector of anomalies, or the KIND that is named.

    DATA is one or more CSV files of normal operation: any separator, with or without header and time column. Repairs
    are counted and printed. The options below are the detector's; each other kind shows its own with -h.

    Ctrl-C ends the training and keeps the best weights so far: the model is written, the exit code is 130. A second
    Ctrl-C stops at once and writes nothing.
    """
