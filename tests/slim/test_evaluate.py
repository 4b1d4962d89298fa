"""`edgelstm evaluate` of a `.tflite` file needs the base install alone."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

MODELS = Path(__file__).parent / "models"
PROGRAM = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"tensorflow", "keras", "sklearn", "pandas", "matplotlib", "scipy", "rich"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocked())
from edgelstm.cli import main
main()
"""


def slim(*words):
    """Run a command where only the base install's modules can be imported."""
    return subprocess.run([sys.executable, "-c", PROGRAM, *map(str, words)], capture_output=True, text=True)


@pytest.fixture
def labelled(tmp_path):
    """The stream of the tests' models, with a fault of 20 rows in its middle."""
    lines = MODELS.joinpath("stream.csv").read_text().splitlines()
    rows = len(lines) - 1
    flags = np.zeros(rows, int)
    flags[rows // 2 : rows // 2 + 20] = 1
    path = tmp_path / "labelled.csv"
    path.write_text("\n".join([f"{lines[0]},anomaly", *(f"{a},{b}" for a, b in zip(lines[1:], flags, strict=True))]))
    return path


def test_evaluate_measures_a_tflite_file_without_the_train_extra(labelled, tmp_path):
    result = slim("evaluate", MODELS / "auto.int8.tflite", labelled, "-o", tmp_path / "evaluation.json", "--json")

    assert result.returncode == 0, result.stderr
    record = json.loads(result.stdout)
    assert record["anomalous_rows"] == 20
    assert 0 <= record["roc_auc"] <= 1
    assert 0 < record["pr_auc"] <= 1
    assert json.loads((tmp_path / "evaluation.json").read_text()) == record


@pytest.mark.parametrize(
    "words",
    [
        ["train", "rows.csv", "-o", "m.keras"],
        ["train", "forecaster", "rows.csv", "-o", "m.keras", "--target", "flow_lpm"],
        ["report", "model.keras"],
        ["demo", "-o", "demo"],
    ],
    ids=" ".join,
)
def test_commands_that_need_the_train_extra_say_so_in_one_line(words, tmp_path, monkeypatch):
    rows = MODELS.joinpath("stream.csv").read_text()
    (tmp_path / "rows.csv").write_text(rows)
    monkeypatch.chdir(tmp_path)
    result = slim(*words)

    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert len([line for line in result.stderr.splitlines() if line.startswith("Error:")]) == 1
    if words[0] != "report":  # whose model is missing: that comes first
        assert "pip install 'edgelstm[train]'" in result.stderr


def test_rows_without_a_time_are_said_and_lose_no_alarm(labelled, tmp_path):
    head, *rows = labelled.read_text().splitlines()
    at = len(rows) // 2 + 18
    holes = [*rows[:at], *("," + row.partition(",")[2] for row in rows[at : at + 2]), *rows[at + 2 :]]
    path = tmp_path / "holes.csv"
    path.write_text("\n".join([head, *holes]))
    whole, holed = (
        json.loads(slim("evaluate", MODELS / "auto.int8.tflite", data, "-o", tmp_path / "e.json", "--json").stdout)
        for data in (labelled, path)
    )

    assert holed["warnings"] == ["2 rows without a time were dropped."]
    assert (holed["alarms"], holed["event_recall"]) == (whole["alarms"], whole["event_recall"])
