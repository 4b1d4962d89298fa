"""A new threshold on the device, and the way back."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from edgelstm.runtime import load_bundle
from edgelstm.runtime.errors import ModelError
from edgelstm.runtime.recalibration import recalibrate, roll_back
from edgelstm.runtime.sources import Sample


@pytest.fixture
def model(models, tmp_path):
    return Path(shutil.copy(models / "cast.int8.tflite", tmp_path))


def normal(stream, noise=0.0):
    random = np.random.default_rng(0)
    rows = np.concatenate([stream[:140] + np.array([140 * turn, 0, 0]) for turn in range(3)])[: 3 * 140]
    rows[:, 1:] += random.normal(0, 1, (len(rows), 2)) * [noise, noise / 10]
    return [Sample(row[1:].tolist(), float(row[0]), number) for number, row in enumerate(rows)]


def test_noisier_sensors_raise_the_threshold_and_nothing_else_changes(model, stream):
    before = load_bundle(model)
    done = recalibrate(model, normal(stream, 1.0), force=True)
    after = load_bundle(model)

    assert after.metadata.threshold.value == done.after > done.before == before.metadata.threshold.value
    assert done.alarms_after <= done.alarms_before
    assert after.flatbuffer == before.flatbuffer
    assert after.metadata.scoring == before.metadata.scoring


def test_a_roll_back_gives_the_very_file_again(model, stream):
    load_bundle(model).save(model)  # as this version writes it
    before = model.read_bytes()
    recalibrate(model, normal(stream), force=True)
    changed = model.read_bytes()
    roll_back(model)

    assert changed != before
    assert model.read_bytes() == before


def test_rows_that_are_not_normal_are_refused_and_the_file_stays(model, stream):
    before = model.read_bytes()
    with pytest.raises(ModelError, match="not normal operation"):
        recalibrate(model, normal(stream, 60.0))

    assert model.read_bytes() == before


def test_too_few_rows_are_refused(model, stream):
    with pytest.raises(ModelError, match="at least 100 scores; these rows give 16"):
        recalibrate(model, normal(stream)[:40])


def test_there_is_no_way_back_from_nowhere(model):
    with pytest.raises(ModelError, match="never recalibrated"):
        roll_back(model)


def test_the_command_sets_and_rolls_back(model, models):
    def run(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "edgelstm", "calibrate", *map(str, arguments)], capture_output=True, text=True
        )

    done, back, wrong = run(model, models / "stream.csv", "--force"), run(model, "--rollback"), run(model)

    assert "threshold" in done.stdout
    assert "--rollback" in done.stdout
    assert back.returncode == 0
    assert wrong.returncode == 2
