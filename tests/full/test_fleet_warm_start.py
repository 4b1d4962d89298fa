"""A warm start: one model over a sample of assets, from which each asset's training begins."""

import json

import numpy as np
import pytest
from fleet_helpers import write_plant

pytest.importorskip("fsspec", reason="needs the scale extra")

from edgelstm.data.reading import Reading
from edgelstm.fleet.assets import list_assets
from edgelstm.fleet.engine import Outcome
from edgelstm.fleet.places import Place
from edgelstm.fleet.run import run_stage
from edgelstm.fleet.training import Training
from edgelstm.fleet.warm_start import CommonModel, read_start, sampled
from edgelstm.training.architectures import Architecture
from edgelstm.training.options import Options

QUICK = Options(Architecture(units=(6,)), epochs=1, limits=False)


class Here:
    """An engine that works in this process, where TensorFlow is loaded already."""

    def run(self, function, tasks):
        for task in tasks:
            yield Outcome(task, function(task))


def states(stage, assets, home):
    return [outcome.done.state for outcome in run_stage(stage, assets, home, Here())]


@pytest.fixture(scope="module")
def warm(tmp_path_factory):
    folder = tmp_path_factory.mktemp("warm")
    plant = write_plant(folder / "plant", 2)
    home = Place(str(folder / "models"))
    assets = list_assets(str(plant), "asset", home)
    common = CommonModel(QUICK, Reading())
    made = states(common, [sampled(assets)], home) + states(Training(QUICK, warm=True), assets, home)
    return plant, home, assets, common, made


def test_the_common_model_is_made_once_and_every_asset_begins_with_it(warm):
    _, home, assets, common, made = warm
    start = read_start(home)
    record = json.loads(home.read(".fleet/train/P0.json"))

    assert made == ["done"] * 3
    assert states(common, [sampled(assets)], home) == ["kept"]
    assert start.lookback == record["facts"]["window"]
    assert record["input"].endswith(start.digest)
    assert states(Training(QUICK), assets[:1], home) == ["done"]  # a cold start is another result


def test_fine_tuning_stays_near_the_common_weights(warm):
    _, home, _, _, _ = warm
    start = read_start(home)
    from edgelstm.keras_file import load_keras

    model = load_keras(home.path("P1.keras"))
    tuned = model.get_layer("encoder_1").get_weights()[0]

    distance = min(np.abs(tuned - array).max() for array in start.weights if array.shape == tuned.shape)
    assert 0 < distance < 0.1


def test_assets_with_other_channels_are_refused_with_both_lists(warm):
    plant, home, _, common, _ = warm
    (plant / "Q.csv").write_text("time,flow\n" + "".join(f"{at},{at % 7}\n" for at in range(400)))

    (outcome,) = run_stage(common, [sampled(list_assets(str(plant), "asset", home))], home, Here())

    assert outcome.done.state == "failed"
    assert "Q.csv has flow, P0.csv motor_current_a" in outcome.done.error
