"""Records of a fleet speak of the files that are there: after a training anew, a failure, a change of the working directory."""

import hashlib
import pickle

import pytest
from commands import refused_here
from fleet_helpers import pump_csv, write_plant

pytest.importorskip("fsspec", reason="needs the scale extra")
pytest.importorskip("pyarrow", reason="needs the scale extra")

from edgelstm.runtime.errors import SeriesError

from edgelstm.data.reading import Reading
from edgelstm.fleet.assets import Asset, list_assets
from edgelstm.fleet.converting import Conversion
from edgelstm.fleet.evaluating import Judging
from edgelstm.fleet.manifest import rows, write_manifest
from edgelstm.fleet.places import Place
from edgelstm.fleet.settings import Settings, write_settings
from edgelstm.fleet.stage import Made, Task, perform, read_record
from edgelstm.fleet.status import states
from edgelstm.fleet.training import Training
from edgelstm.training.architectures import Architecture
from edgelstm.training.options import Options
from edgelstm.versions import tool_versions

TRAINING = Training(Options(architecture=Architecture("linear"), limits=False), Reading())
CONVERSION = Conversion(allow_drop=True)


def do(stage, asset, home):
    return perform(Task(stage, asset, home, "run", tool_versions()))


def labelled(path, number):
    lines = pump_csv(number, 300)
    path.write_text("".join(f"{line.strip()},{'anomaly' if not at else int(100 < at < 130)}\n" for at, line in enumerate(lines)))  # fmt: skip
    return Asset("P0", (str(path),))


@pytest.fixture(scope="module")
def renewed(tmp_path_factory):
    """An asset that was trained, converted and judged, and is trained again on other rows."""
    folder = tmp_path_factory.mktemp("records")
    home, plant = Place(str(folder / "models")), write_plant(folder / "plant", 1)
    write_settings(home, Settings(str(plant), "asset", TRAINING))
    (asset,) = list_assets(str(plant), "asset", home)
    judged = labelled(folder / "labelled.csv", 0)
    for stage, whose in ((TRAINING, asset), (CONVERSION, asset), (Judging(), judged)):
        assert do(stage, whose, home).state == "done"
    first = next(rows(home))
    (plant / "P0.csv").write_text("".join(pump_csv(7, 400)))
    assert do(TRAINING, asset, home).state == "done"
    return home, asset, judged, first


def test_figures_of_an_earlier_model_are_not_those_of_the_present_one(renewed):
    home, _, _, first = renewed
    row = next(rows(home))

    assert first["vus_pr"] is not None
    assert first["converted"]
    assert row["model_sha256"] != first["model_sha256"]
    assert row["vus_pr"] is None
    assert row["converted"] == []
    assert "run edgelstm fleet convert" in row["conversion_error"]
    assert "run edgelstm fleet evaluate" in row["evaluation_error"]
    assert [(state.state, state.reason) for state in states(home)] == [
        ("stale", "its conversions are of an earlier model")
    ]
    assert write_manifest(home) == 1


def test_a_conversion_of_an_earlier_model_is_not_judged(renewed):
    home, asset, judged, _ = renewed

    refused = do(Judging(), judged, home)
    keras = do(Judging("keras"), judged, home)
    of_keras = next(rows(home))["vus_pr"]
    converted = do(CONVERSION, asset, home)
    anew = do(Judging(), judged, home)

    assert refused.state == "failed"
    assert "of an earlier model" in refused.error
    assert (keras.state, converted.state, anew.state) == ("done", "done", "done")
    assert of_keras is not None
    assert next(rows(home))["evaluation_error"] == ""
    assert [state.state for state in states(home)] == ["done"]


class Reads:
    """A step that keeps the content of the asset's file."""

    name = "reads"

    def __init__(self, path):
        self.path = path

    def options(self):
        return {}

    def gather(self, asset, home, folder):
        if not self.path.exists():
            raise SeriesError("Cannot read it.")
        content = self.path.read_bytes()
        return content, hashlib.sha256(content).hexdigest()

    def make(self, asset, gathered, folder):
        return Made({"P1.keras": gathered}, {"rows": 5})


def test_what_was_made_outlives_an_attempt_that_could_not_read_its_data(tmp_path):
    home, stage, asset = Place(str(tmp_path / "models")), Reads(tmp_path / "data"), Asset("P1", ())
    stage.path.write_bytes(b"a")
    before = do(stage, asset, home), read_record(home, "reads", asset)
    stage.path.rename(tmp_path / "away")
    failed, between = do(stage, asset, home), read_record(home, "reads", asset)
    (tmp_path / "away").rename(stage.path)
    after = do(stage, asset, home), read_record(home, "reads", asset)

    assert (before[0].state, failed.state, after[0].state) == ("done", "failed", "kept")
    assert between["error"] == "Cannot read it."
    assert {name: between[name] for name in ("files", "facts", "key")} == {name: before[1][name] for name in ("files", "facts", "key")}  # fmt: skip
    assert after[1] == before[1]


def test_a_place_is_the_same_one_from_another_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    sent = pickle.dumps(Place("models"))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")

    assert pickle.loads(sent).path("P1.keras") == f"{tmp_path}/models/P1.keras"


def test_a_report_of_a_folder_that_is_none_of_a_fleet_leaves_nothing_behind(tmp_path):
    assert "holds no fleet" in refused_here("fleet", "report", tmp_path / "typo", "-o", tmp_path / "report")
    assert not (tmp_path / "typo").exists()


def test_patterns_cross_folders_and_sets_of_letters_and_a_manifest_is_no_asset(tmp_path):
    home = Place(str(tmp_path / "models"))
    (tmp_path / "g/sub").mkdir(parents=True)
    for name in ("g/p1.csv", "g/sub/p2.csv", "g/p3-01.csv", "g/p3-02.csv", "g/p3-09.csv"):
        (tmp_path / name).write_text("".join(pump_csv(1, 5)))
    (tmp_path / "g/manifest.parquet").write_bytes(b"of a fleet that was written here")

    def names(data):
        return {asset.name: len(asset.files) for asset in list_assets(data, "asset", home)}

    assert names(f"{tmp_path}/g/**/{{asset}}.csv") == {"p1": 1, "p2": 1, "p3-01": 1, "p3-02": 1, "p3-09": 1}
    assert names(f"{tmp_path}/g/{{asset}}-0[1-3].csv") == {"p3": 2}
    assert names(f"{tmp_path}/g/{{asset}}-0[!1-3].csv") == {"p3": 1}
    assert "manifest" not in names(f"{tmp_path}/g")
