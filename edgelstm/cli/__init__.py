"""The command line: imports click alone; each command lives in its own module, loaded when it is called."""

import os
import sys

import click

from edgelstm import __version__

from . import safe_output
from .lazy_group import LazyGroup, examples

COMMANDS = {
    "demo": "Train, convert, evaluate and run on the embedded pump data.",
    "train": "Train a model on CSV files.",
    "convert": "Convert a Keras model to TFLite, int8 by default, and validate it.",
    "shrink": "Make a smaller Keras model that behaves alike.",
    "evaluate": "Measure a model on labelled data.",
    "score": "Score a CSV file, one row per input row.",
    "run": "Watch a stream and print an event per alarm.",
    "service": "Write a systemd unit that runs a configuration.",
    "forecast": "Forecast the rows that follow, with intervals; once, or live.",
    "classify": "Classify texts, or the state over rows.",
    "inspect": "Show the contents of a model file.",
    "card": "Write a model card: data, quality, limits, validation.",
    "calibrate": "Set a new alarm threshold from recent rows, on the device.",
    "doctor": "Check this machine and a model, and print a remedy for each finding.",
    "keys": "Make signing keys, and name those that devices trust.",
    "publish": "Sign a model for a group of devices.",
    "promote": "Give a signed model of one group to another.",
    "fleet": "A model for each of many assets; the devices and their models.",
    "search": "Search for the models that lose least at each size.",
    "update": "Bring the newest signed model to this device.",
    "rollback": "Return to the model before.",
    "history": "List who signed what, when it came, why it left.",
    "report": "Show accuracy versus size: what every scheme costs and loses.",
    "completion": "Complete commands and options in bash, zsh or fish.",
    "bench": "Measure latency, start-up and memory on this machine.",
}
EXTRAS = {  # modules that a base install lacks, by what needs them and the extra that brings them
    ("This command needs", "train"): {
        "tensorflow", "keras", "flatbuffers", "h5py", "joblib", "sklearn", "pandas", "matplotlib", "rich", "scipy", "jinja2",
    },
    ("Fleets and searches need", "train,scale"): {"fsspec", "pyarrow", "distributed", "dask", "optuna", "sqlalchemy"},
    ("Signing needs", "publish"): {"tuf", "securesystemslib", "cryptography"},
}  # fmt: skip


@click.group(
    cls=LazyGroup,
    modules={name: f"edgelstm.cli.{name}" for name in COMMANDS},
    summaries=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=examples("edgelstm train pump.csv -o pump.keras && edgelstm convert pump.keras --int8"),
)
@click.version_option(__version__, message="edgelstm %(version)s")
def group() -> None:
    """Keras LSTM models on small computers: train, quantize to int8 TFLite, detect anomalies."""


def main() -> None:
    """Run the command line; an error of ours is one line on stderr and exit code 1."""
    from edgelstm.runtime.errors import EdgelstmError
    from edgelstm.runtime.io.imports import quick_exit
    from edgelstm.runtime.io.terminal import masked

    # before NumPy is loaded: our matrices are small, and threads that wait for each other cost up to ten times their work
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    safe_output.install()
    quick_exit()
    try:
        group(prog_name="edgelstm")
    except EdgelstmError as error:
        click.echo(f"Error: {masked(str(error))}", err=True)
        sys.exit(1)
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # or the exit's own flush of standard output fails again
        target = f"use {error.filename}" if error.filename else "write to standard output"
        click.echo(
            f"Error: Cannot {target}: {error.strerror or error}. Free some space or choose another place.", err=True
        )
        sys.exit(1)
    except ModuleNotFoundError as error:
        if (remedy := _remedy(error.name)) is None:
            raise
        click.echo(f"Error: {remedy}", err=True)
        sys.exit(1)


def _remedy(module: str | None) -> str | None:
    """Say how a missing module is installed; None for one that belongs to every install."""
    for (need, extra), modules in EXTRAS.items():
        if module in modules:
            return f"{need} {module}, which is not installed. Add it on a workstation: pip install 'edgelstm[{extra}]'"
    return None
