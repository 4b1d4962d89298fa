"""A small model, trained and converted once for all tests of a process; conversions without a process of their own."""

import contextlib
import io
import json
from importlib import import_module
from unittest import mock

import pytest
from commands import PUMP, here
from edgelstm.converters import worker
from edgelstm.runtime.errors import ConversionError

FRONT = import_module("edgelstm.converters.convert")  # its function has the same name
IN_A_CHILD = FRONT._run


class Steps(io.StringIO):
    """Standard output of the worker, whose steps are passed on as they come."""

    def __init__(self, tell):
        super().__init__()
        self.tell = tell

    def write(self, text):
        if text.startswith("step: "):
            self.tell(text[6:].strip())
        return len(text)


def in_this_process(folder, tell):
    """Do a worker's job on the same files."""
    with contextlib.redirect_stdout(Steps(tell)):
        worker.main(folder)
    outcome = json.loads((folder / "result.json").read_text())
    if "error" in outcome:
        raise ConversionError(outcome["error"])
    return outcome["validations"]


@pytest.fixture(scope="session", autouse=True)
def converting_here():
    """Conversions in this process: a child would load TensorFlow for 5 s each time."""
    with mock.patch.object(FRONT, "_run", in_this_process):
        yield


@pytest.fixture
def converting_in_a_child(converting_here):
    """Conversions in a child process, as they are."""
    with mock.patch.object(FRONT, "_run", IN_A_CHILD):
        yield


@pytest.fixture(scope="session")
def way(tmp_path_factory):
    """A folder with data, a quickly trained model, and its conversions."""
    folder = tmp_path_factory.mktemp("way")
    rows = PUMP.joinpath("pump_normal.csv").read_text().splitlines(keepends=True)
    (folder / "normal.csv").write_text("".join(rows[:1801]))
    (folder / "faults.csv").write_text(PUMP.joinpath("pump_faults.csv").read_text())
    options = ("--lookback", "12", "--units", "16", "--epochs", "4")
    here("train", folder / "normal.csv", "-o", folder / "pump.keras", *options)
    here("convert", folder / "pump.keras", "--int8", "--scheme", "float32")
    return folder
