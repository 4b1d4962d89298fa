"""A new threshold on the device, and the way back."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from command_helpers import edgelstm_here
from edgelstm.runtime import load_bundle
from edgelstm.runtime.detector import Detector
from edgelstm.runtime.errors import ConfigError, ModelError
from edgelstm.runtime.recalibration import recalibrate, roll_back
from edgelstm.runtime.scoring.threshold_rules import parse_rule
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


def test_no_row_at_all_and_less_than_a_window_are_refused_as_too_few(model, stream):
    for rows in ([], normal(stream)[:14]):
        with pytest.raises(ModelError, match="these rows give 0"):
            recalibrate(model, rows)


def test_there_is_no_way_back_from_nowhere(model):
    with pytest.raises(ModelError, match="keeps no older threshold"):
        roll_back(model)


def test_the_command_sets_and_rolls_back(model, models):
    calls = (model, models / "stream.csv", "--force"), (model, "--rollback"), (model,)
    done, back, wrong = (edgelstm_here("calibrate", *words) for words in calls)

    assert "threshold" in done.stdout
    assert "--rollback" in done.stdout
    assert back.returncode == 0
    assert wrong.returncode == 2


def test_a_rule_is_taken_and_kept(model, stream):
    recalibrate(model, normal(stream), force=True, rule=parse_rule("pot:0.001"))
    said = load_bundle(model).metadata.threshold

    assert (said.method, said.number) == ("pot", 0.001)


def test_labelled_rows_give_the_best_f1_through_the_command(model, models, tmp_path):
    """The labels are the threshold's own decisions at 1.5 times its value: the rule must find them again."""
    lines = (models / "stream.csv").read_text().splitlines()
    before = load_bundle(model).metadata.threshold.value
    detector = Detector.load(model)
    scores = [
        detector.update(list(map(float, line.split(",")[1:])), float(line.split(",")[0])).score for line in lines[1:]
    ]
    marks = ["anomaly", *(str(int((score or 0) > 1.5 * before)) for score in scores)]
    labelled = tmp_path / "labelled.csv"
    labelled.write_text("".join(f"{line},{mark}\n" for line, mark in zip(lines, marks, strict=True)))
    flags = ("--threshold-rule", "fbeta", "--label-column", "anomaly", "--force")
    done = edgelstm_here("calibrate", model, labelled, *flags)
    found = load_bundle(model).metadata.threshold

    assert done.returncode == 0, done.stderr
    assert found.method == "fbeta"
    assert [(score or 0) > found.value for score in scores] == [(score or 0) > 1.5 * before for score in scores]


def test_fbeta_without_labels_is_refused_and_the_file_stays(model, stream):
    before = model.read_bytes()
    with pytest.raises(ConfigError, match="label-column"):
        recalibrate(model, normal(stream), rule=parse_rule("fbeta"))

    assert model.read_bytes() == before


def test_a_second_roll_back_is_told_that_there_is_no_older_threshold(model, stream):
    recalibrate(model, normal(stream), force=True)
    roll_back(model)
    before = model.read_bytes()
    with pytest.raises(ModelError, match="not recalibrated since it was converted or last rolled back"):
        roll_back(model)

    assert model.read_bytes() == before


def test_rows_labelled_as_anomalous_are_left_out_by_a_rule_of_normal_operation(model, models, tmp_path):
    """The stream's faults would raise the threshold; without them it is that of the other rows alone."""
    lines = (models / "stream.csv").read_text().splitlines()
    marks = ["fault", *(str(int(row >= 145)) for row in range(len(lines) - 1))]
    labelled, calm = tmp_path / "labelled.csv", tmp_path / "calm.csv"
    labelled.write_text("".join(f"{line},{mark}\n" for line, mark in zip(lines, marks, strict=True)))
    calm.write_text("\n".join(lines[:146]) + "\n")
    other = Path(shutil.copy(model, tmp_path / "other.tflite"))
    done = edgelstm_here("calibrate", model, labelled, "--label-column", "fault", "--force")
    plain = edgelstm_here("calibrate", other, calm, "--force")

    assert done.returncode == 0, done.stderr
    assert plain.returncode == 0, plain.stderr
    assert "scores of rows labelled as anomalous were left out" in done.stdout
    assert load_bundle(model).metadata.threshold == load_bundle(other).metadata.threshold


def test_a_calibration_on_rows_that_are_mostly_lost_says_why(model, stream, caplog):
    samples = normal(stream)
    doubled = [sample for sample in samples for _ in range(3)]
    recalibrate(model, doubled, force=True)

    assert "840 have the time of the row before" in caplog.text


def test_too_few_scores_are_explained(model, stream):
    doubled = [sample for sample in normal(stream)[:60] for _ in range(9)]
    with pytest.raises(ModelError, match=r"give 36\. 36 of 540 rows were scored: 480 have the time of the row before"):
        recalibrate(model, doubled)
