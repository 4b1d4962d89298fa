"""A small model, trained and converted once for all tests of a process; conversions without a process of their own."""

import pickle
from importlib import import_module
from unittest import mock

import pytest
from commands import PUMP, here
from edgelstm.converters import child
from edgelstm.runtime.errors import EdgelstmError

FRONT = import_module("edgelstm.converters.convert")  # its function has the same name
DEPLOYMENT = import_module("edgelstm.deployment.convert")


class PickledHere(child.Here):
    """This process as a child: task, result and error go there and back as bytes."""

    def run(self, task, tell):
        try:
            result = pickle.loads(pickle.dumps(task))(tell)
        except EdgelstmError as error:
            raise pickle.loads(pickle.dumps(error)) from error
        return pickle.loads(pickle.dumps(result))


@pytest.fixture(scope="session", autouse=True)
def converting_here():
    """Conversions in this process: a child would load TensorFlow for 5 s each time."""
    with mock.patch.object(FRONT, "Child", PickledHere), mock.patch.object(DEPLOYMENT, "Child", PickledHere):
        yield


@pytest.fixture
def converting_in_a_child(converting_here):
    """Conversions in a child process, as they are."""
    with mock.patch.object(FRONT, "Child", child.Child), mock.patch.object(DEPLOYMENT, "Child", child.Child):
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
