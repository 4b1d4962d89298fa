"""The command line: imports click alone; each command lives in its own module, loaded when it is called."""

import importlib
import os
import sys

import click

from edgelstm import __version__

COMMANDS = {
    "demo": "Train, convert, evaluate and run on the embedded pump data.",
    "train": "Train a model on CSV files.",
    "convert": "Convert a Keras model to TFLite, int8 by default, and prove it.",
    "evaluate": "Measure a model on labelled data.",
    "score": "Score a CSV file, one row per input row.",
    "run": "Watch a stream and print an event per alarm.",
    "service": "Write a systemd unit that runs a configuration.",
    "forecast": "Forecast the rows that follow, with intervals.",
    "classify": "Say the intent of a text, or the state over rows.",
    "inspect": "Say what a model file holds.",
    "calibrate": "Set a new alarm threshold from recent rows, on the device.",
    "doctor": "Check this machine and a model, and print what mends each finding.",
    "report": "Show accuracy versus size: what every scheme costs and loses.",
    "bench": "Measure latency, start-up and memory on this machine.",
}


class Commands(click.Group):
    """A group whose commands are modules beside this one, imported on demand."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the order in which a new user meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command's module."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"edgelstm.cli.{cmd_name}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing any of them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Look a command up; suggest the nearest name for an unknown one."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from difflib import get_close_matches

            near = get_close_matches(args[0], COMMANDS, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            ctx.fail(f"No such command {args[0]!r}.{hint}")
        return super().resolve_command(ctx, args)


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Example: edgelstm train pump.csv -o pump.keras && edgelstm convert pump.keras --int8",
)
@click.version_option(__version__, message="edgelstm %(version)s")
def group() -> None:
    """Keras LSTM models on small computers: train, quantize to int8 TFLite, detect anomalies."""


def main() -> None:
    """Run the command line; an error of ours is one line on stderr and exit code 1."""
    from edgelstm.runtime.errors import EdgelstmError

    try:
        group(prog_name="edgelstm")
    except EdgelstmError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(1)
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # or the exit's own flush of standard output fails again
        what = f"use {error.filename}" if error.filename else "write to standard output"
        click.echo(
            f"Error: Cannot {what}: {error.strerror or error}. Free some space or choose another place.", err=True
        )
        sys.exit(1)
    except ModuleNotFoundError as error:
        if error.name not in HEAVY:
            raise
        click.echo(
            f"Error: This command needs {error.name}, which the base install leaves out. "
            "Install it on a workstation: pip install 'edgelstm[train]'",
            err=True,
        )
        sys.exit(1)


HEAVY = {"tensorflow", "keras", "sklearn", "pandas", "matplotlib", "rich", "scipy", "jinja2"}
