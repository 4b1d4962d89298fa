"""Studies that several runs share, that go on after kills, and that refuse what every trial would fail at."""

import os
import subprocess
from datetime import timedelta

import pytest
from commands import here, refused_here
from search_helpers import Instant, normal_rows, task

pytest.importorskip("optuna", reason="needs the scale extra")
pytest.importorskip("fsspec", reason="needs the scale extra")

from edgelstm.runtime.errors import ConfigError
from optuna.trial import TrialState

from edgelstm.cli.search import _beside, _show
from edgelstm.fleet.claims import started
from edgelstm.fleet.places import Place
from edgelstm.search.design import KINDS, Design, suggest
from edgelstm.search.frontier import chosen, points
from edgelstm.search.study import check_question, ended_trials, open_study, requeue_lost, run_study, take_folder


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
