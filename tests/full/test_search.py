"""A search: two objectives, no trial lost to a kill, hopeless trials given up, a frontier whose points are files."""

import json
import os
import shutil
from dataclasses import replace
from itertools import cycle

import pytest
from commands import here, refused_here
from fleet_helpers import kill_when
from search_helpers import Instant, normal_rows, task

pytest.importorskip("optuna", reason="needs the scale extra")
pytest.importorskip("fsspec", reason="needs the scale extra")

from edgelstm.runtime.errors import SeriesError

from edgelstm.data.series import read_series
from edgelstm.search.design import Design, design_of
from edgelstm.search.frontier import Point, chosen, frontier, heard
from edgelstm.search.injected import split_for_injection, write_injected
from edgelstm.search.study import ended_trials, open_study, run_study
from edgelstm.search.trial import Rival, family, hopeless
from edgelstm.training.injected_faults import FAULTS
from edgelstm.training.options import Options
from edgelstm.training.trained import Trained

QUICK = ("--epochs", "1", "--trials")


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


def test_faults_are_injected_into_rows_that_are_not_trained_on(tmp_path):
    series = read_series([normal_rows(tmp_path / "normal.csv", 3000)])

    early, late = split_for_injection(series)
    count = write_injected(late, tmp_path / "injected.csv")
    judged = read_series([tmp_path / "injected.csv"], label_column="anomaly", repair=False)

    assert early.segments == ((0, 2100),)
    assert late.segments == ((2100, 3000),)
    labelled = judged.labels == "1"
    lasts = [fault.lasts for _, fault in zip(range(count), cycle(FAULTS.values()), strict=False)]
    assert count == 7
    assert labelled.sum() == sum(lasts) == 6 * 60 + 2
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
