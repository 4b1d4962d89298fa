"""A search: two objectives, no trial lost to a kill, hopeless trials given up, a frontier whose points are files."""

import json
import os
import shutil
import subprocess
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from commands import PUMP, here, refused_here
from fleet_helpers import kill_when

pytest.importorskip("optuna", reason="needs the scale extra")
pytest.importorskip("fsspec", reason="needs the scale extra")

from edgelstm.runtime.errors import ConfigError, SeriesError
from optuna.trial import TrialState

from edgelstm.cli.search import _beside, _show
from edgelstm.data.series import Series, read_series
from edgelstm.fleet.claims import started
from edgelstm.fleet.engine import Outcome
from edgelstm.fleet.places import Place
from edgelstm.search.design import KINDS, Design, design_of, suggest
from edgelstm.search.frontier import Point, chosen, frontier, heard, points
from edgelstm.search.injected import split_for_injection, write_injected
from edgelstm.search.study import check_question, ended_trials, open_study, requeue_lost, run_study, take_folder
from edgelstm.search.trial import Result, Rival, TrialTask, family, hopeless
from edgelstm.training.options import Options
from edgelstm.training.train import Trained

QUICK = ("--epochs", "1", "--trials")


class Instant:
    """An engine that makes up results, in this process."""

    def __init__(self, fail=0):
        self.fail = fail

    def run(self, function, tasks):
        for task in tasks:
            size = 1000 + 10 * sum(task.design.units)
            value = Result(task.number / 10, 0.5, size, file=f"{task.number}.tflite", parameters=size, losses={3: 0.1})
            yield Outcome(task, value) if task.number != self.fail else Outcome(task, error="its process ended")


def task():
    series = Series(np.zeros((9, 1)), np.arange(9.0), ("a",), 1.0, ((0, 9),))
    return TrialTask(-1, Design(), Options(), series, b"", None, False)


def normal_rows(path, rows):
    lines = PUMP.joinpath("pump_normal.csv").read_text().splitlines(keepends=True)
    path.write_text("".join(lines[: rows + 1]))
    return path


@pytest.mark.parametrize(
    "design", [Design(), Design("linear", "ewma", 16), Design("autoencoder", "mean", 0, (8, 4), "dynamic", 2)]
)
def test_a_design_comes_back_from_its_parameters(design):
    assert design_of(design.parameters) == design
    assert design.options(Options()).architecture.kind == design.kind


def test_the_frontier_holds_what_no_other_point_beats():
    made = [Point(at, Design(), quality, 0.5, cost, 0, "") for at, (quality, cost) in enumerate([(0.5, 10), (0.4, 12), (0.7, 20), (0.7, 30), (0.9, 40)])]  # fmt: skip

    assert [point.number for point in frontier(made)] == [0, 2, 4]


def test_a_design_whose_threshold_nothing_reaches_is_left_off_the_frontier():
    """A search on SKAB had put one with an F1 of .005 first."""
    made = [Point(at, Design(), quality, f1, cost, 0, "") for at, (quality, f1, cost) in enumerate([(0.5, 0.8, 10), (0.9, 0.005, 12), (0.7, 0.4, 20)])]  # fmt: skip

    assert [point.number for point in frontier(made)] == [0, 2]
    assert [point.number for point in heard(made)] == [0, 2]
    assert [point.number for point in frontier([replace(made[1], f1=0.0)])] == [1]  # of an older study


def test_a_trial_is_hopeless_where_three_not_larger_ones_are_clearly_better():
    rivals = [Rival("forecaster witnesses", size, {3: 0.1}) for size in (50, 60, 70)]

    assert hopeless(rivals, 3, 0.2, 80)
    assert not hopeless(rivals, 3, 0.105, 80)
    assert not hopeless(rivals, 3, 0.2, 65)
    assert not hopeless(rivals, 8, 0.2, 80)


def test_losses_are_compared_where_they_measure_the_same():
    assert family(Design(lookback=8)) == family(Design(lookback=48, units=(8, 4)))
    assert family(Design()) != family(Design(score="ewma"))
    assert family(Design("autoencoder", "mean", 8)) != family(Design("autoencoder", "mean", 16))


@pytest.mark.parametrize("form", ["search.log", "sqlite:///search.db"])
def test_a_study_goes_on_where_it_stopped_and_begins_with_the_default(tmp_path, monkeypatch, form):
    monkeypatch.chdir(tmp_path)
    first = list(run_study(open_study(form), Instant(), task(), 3))
    later = list(run_study(open_study(form), Instant(), task(), 5))
    study = open_study(form)

    assert first[0][1] == Design()
    assert [number for number, _, _ in first + later] == [0, 1, 2, 3, 4]
    assert len(ended_trials(study)) == 5
    assert len(points(study)) == 4
    assert chosen(study).number == 4
    assert chosen(study, 2).quality == 0.2
    with pytest.raises(ConfigError, match="no completed trial 99"):
        chosen(study, 99)


def test_no_design_is_tried_twice(tmp_path):
    study = open_study(str(tmp_path / "search.log"))

    made = [design for _, design, _ in run_study(study, Instant(fail=4), task(), 60)]

    assert len(made) == len(set(made)) == 60
    assert len(ended_trials(study)) == 60


def test_a_trial_whose_process_was_killed_gets_another_turn(tmp_path):
    study = open_study(str(tmp_path / "search.log"))
    outcomes = run_study(study, Instant(fail=None), task(), 2)
    next(outcomes)
    killed = Design("linear", "ewma", 16).parameters
    study.enqueue_trial(killed)
    trial = study.ask()
    suggest(trial)
    child = subprocess.Popen(["true"])
    child.wait()
    trial.set_user_attr("holder", {"run": "", "host": os.uname().nodename, "process": child.pid, "started": 5})

    assert requeue_lost(study) == 1
    assert requeue_lost(study) == 0
    assert study.trials[-1].system_attrs["fixed_params"] == killed


def test_a_trial_whose_process_never_named_itself_is_given_up_after_a_minute(tmp_path, monkeypatch):
    study = open_study(str(tmp_path / "search.log"))
    study.ask()

    assert requeue_lost(study) == 0
    monkeypatch.setattr("edgelstm.search.study.UNNAMED", timedelta(0))
    assert requeue_lost(study) == 1
    assert [trial.state.name for trial in study.trials] == ["FAIL"]


def test_two_questions_are_not_mixed_in_one_study(tmp_path):
    study = open_study(str(tmp_path / "search.log"))
    check_question(study, "a", "bytes")
    check_question(study, "a", "bytes")

    with pytest.raises(ConfigError, match="other data"):
        check_question(study, "b", "bytes")


def test_runs_that_share_a_study_make_no_more_trials_than_asked_for_and_wait_for_half_chosen_designs(tmp_path):
    address = str(tmp_path / "search.log")
    one = run_study(open_study(address), Instant(fail=None), task(), 4)
    next(one)
    other = open_study(address)
    chosen_by_halves = other.ask()
    chosen_by_halves.suggest_categorical("kind", KINDS)
    chosen_by_halves.set_user_attr("holder", {"run": "", "host": os.uname().nodename, "process": os.getpid(), "started": started(os.getpid())})  # fmt: skip

    made = [*list(run_study(open_study(address), Instant(fail=None), task(), 4)), *one]

    assert len(made) == 2  # beside the first one and the one under way
    assert len(ended_trials(open_study(address))) == 3


def test_a_trial_that_another_machine_took_for_lost_does_not_end_the_run(tmp_path):
    study = open_study(str(tmp_path / "search.log"))

    class Slow(Instant):
        def run(self, function, tasks):
            for outcome in super().run(function, tasks):
                study.tell(outcome.task.number, state=TrialState.FAIL)
                yield outcome

    outcomes = run_study(study, Slow(fail=None), task(), 2)
    next(outcomes)

    assert ended_trials(study) == []


def test_a_folder_of_another_studys_models_is_refused(tmp_path):
    home = Place(str(tmp_path / "models"))
    one, other = (open_study(str(tmp_path / name)) for name in ("one.log", "other.log"))
    take_folder(one, home)
    take_folder(one, home)

    with pytest.raises(ConfigError, match="another study"):
        take_folder(other, home)


def test_labels_are_checked_before_the_first_trial(tmp_path):
    rows = normal_rows(tmp_path / "normal.csv", 300)
    lines = rows.read_text().splitlines()
    path = tmp_path / "labelled.csv"

    def search(marks, *more):
        path.write_text("\n".join(f"{line},{mark}" for line, mark in zip(lines, ["anomaly", *marks], strict=True)))
        return refused_here("search", rows, "--data", path, "--study", tmp_path / "search.log", *more)

    assert "no column 'nosuch'" in search("0" * 150 + "1" * 150, "--label-column", "nosuch")
    assert "marks no row as anomalous" in search("0" * 300)
    assert "marks every row as anomalous" in search("1" * 300)
    assert "--label-column is of --data" in here("search", rows, "--label-column", "anomaly", code=2).stderr
    assert not (tmp_path / "search.log").exists()


def test_a_study_whose_trials_all_fail_says_why(tmp_path, capsys):
    study = open_study(str(tmp_path / "search.log"))
    list(run_study(study, Instant(fail=0), task(), 1))

    with pytest.raises(ConfigError, match="its process ended"):
        _show(study, str(tmp_path / "search.log"), "bytes", Place(str(tmp_path / "models")), False)


def test_a_design_is_not_mixed_with_options_of_its_own(tmp_path):
    study = open_study(str(tmp_path / "search.log"))
    list(run_study(study, Instant(fail=None), task(), 1))
    rows = normal_rows(tmp_path / "normal.csv", 300)
    words = ("train", rows, "-o", tmp_path / "a.keras", "--from", tmp_path / "search.log", "--kind", "linear")

    assert "--kind: --from" in here(*words, code=2).stderr


def test_what_lies_beside_a_study_has_its_name():
    assert _beside("runs/run.1", ".models") == "runs/run.1.models"
    assert _beside("search.log", ".models") == "search.models"
    assert _beside("sqlite:///a.db", ".models") != _beside("sqlite:///b.db", ".models")


def test_faults_are_injected_into_rows_that_are_not_trained_on(tmp_path):
    series = read_series([normal_rows(tmp_path / "normal.csv", 3000)])

    early, late = split_for_injection(series)
    count = write_injected(late, tmp_path / "injected.csv")
    judged = read_series([tmp_path / "injected.csv"], label_column="anomaly", repair=False)

    assert early.segments == ((0, 2100),)
    assert late.segments == ((2100, 3000),)
    labelled = judged.labels == "1"
    assert labelled.sum() == 60 * count
    assert (judged.values[~labelled] == late.parts()[0][~labelled]).all()
    assert (judged.values[labelled] != late.parts()[0][labelled]).any(axis=1).mean() > 0.9
    with pytest.raises(SeriesError, match="Give more rows"):
        split_for_injection(read_series([normal_rows(tmp_path / "short.csv", 500)]))


def test_train_shrinks_as_the_design_of_a_search_says(tmp_path):
    study = open_study(str(tmp_path / "search.log"))
    study.enqueue_trial(Design(units=(8,), halvings=2).parameters)
    study.enqueue_trial(Design(units=(8,)).parameters)
    list(run_study(study, Instant(fail=None), task(), 2))
    data = normal_rows(tmp_path / "normal.csv", 900)

    small, whole = (tmp_path / f"{trial}.keras" for trial in (0, 1))
    for trial, output in enumerate((small, whole)):
        here("train", data, "-o", output, "--from", tmp_path / f"search.log:{trial}", "--epochs", "1")
    shrunk, full = map(Trained.load, (small, whole))

    assert [layer.units for layer in shrunk.model.layers if hasattr(layer, "cell")] == [2]
    assert shrunk.model.count_params() < full.model.count_params() / 2
    assert shrunk.metadata.scoring.scale != full.metadata.scoring.scale
    assert small.stat().st_size < whole.stat().st_size


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """A search by injected faults whose coordinator is killed, and goes on."""
    folder = tmp_path_factory.mktemp("search")
    data = normal_rows(folder / "normal.csv", 1900)
    words = ("search", data, "--study", folder / "search.log", *QUICK)
    models = folder / "search.models"
    kill_when((*words, "2", "--workers", "1"), lambda: models.exists() and list(models.glob("*.tflite")))
    done = here(*words, "2", "--workers", "1", "--json")
    return folder, data, done


@pytest.mark.slow(reason="whole searches, one of them killed")
def test_a_killed_search_loses_no_trial_and_its_frontier_is_files(searched):
    folder, _, done = searched
    study = open_study(str(folder / "search.log"))

    assert "2 trials:" in done.stderr
    assert len(ended_trials(study)) == 2
    # killed in the instant before a trial names its process, there is one without a design: nothing to lose
    assert not [trial for trial in study.trials if trial.state.name == "RUNNING" and trial.params]
    best = json.loads(done.stdout)
    assert best
    assert all(os.path.getsize(point["file"]) == point["size"] for point in best)
    assert (folder / "search.frontier.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow(reason="whole searches, one of them killed")
def test_train_takes_the_result_of_a_search(searched):
    folder, data, _ = searched
    study = open_study(str(folder / "search.log"))

    done = here("train", data, "-o", folder / "pump.keras", "--from", folder / "search.log", "--epochs", "1", "--json")

    assert f"trial {chosen(study).number}:" in done.stderr
    assert json.loads(done.stdout)["kind"] == chosen(study).design.kind.replace("linear", "forecaster")
    shutil.copy(folder / "normal.csv", folder / "labelled.csv")
    assert "other data" in refused_here(
        "search", data, "--study", folder / "search.log", "--trials", "3", "--seed", "1"
    )
