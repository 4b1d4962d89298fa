"""A fleet from data to manifest: every asset once, the bits of `edgelstm train`, whatever is killed."""

import json
import os
import shutil

import pytest
from commands import here, refused_here
from fleet_helpers import QUICK, cluster, kill_when, pump_csv, write_plant

pytest.importorskip("distributed", reason="needs the scale extra")
pytest.importorskip("fsspec", reason="needs the scale extra")
pytest.importorskip("pyarrow", reason="needs the scale extra")

import pyarrow.parquet

from edgelstm.deployment.convert import convert_file

pytestmark = pytest.mark.slow(reason="fleets in processes of their own, one of them killed")


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    """A plant of two pumps and a file that is none, trained by one process that is killed on its way, then again."""
    folder = tmp_path_factory.mktemp("fleet")
    write_plant(folder / "plant", 2)
    (folder / "plant" / "P9.csv").write_text("time,state\n0,idle\n1,busy\n")
    train = ("fleet", "train", folder / "plant", "-o", folder / "models", "--workers", "1", *QUICK)
    claims = folder / "models" / ".fleet" / "claims"
    kill_when(train, lambda: (folder / "models" / "P0.keras").exists() and any(claims.iterdir()))
    early = {path.name: path.stat().st_mtime_ns for path in (folder / "models").glob("*.keras")}
    status = here("fleet", "status", folder / "models").stdout
    done = here(*train, code=1)
    return folder, early, status, done


def manifest(folder):
    return {row["asset"]: row for row in json.loads((folder / "models" / "manifest.json").read_text())["assets"]}


def test_a_killed_run_goes_on_where_it_stopped(fleet):
    folder, early, status, done = fleet

    assert "done     P0" in status
    assert "failed   P9" not in status
    assert f"{len(early)} done before" in done.stderr
    assert f"{2 - len(early)} done, " in done.stderr
    assert all((folder / "models" / name).stat().st_mtime_ns == time for name, time in early.items())
    assert not any((folder / "models" / ".fleet" / "claims").iterdir())


def test_the_models_are_those_of_training_one_by_one(fleet):
    folder, *_ = fleet
    here("train", folder / "plant" / "P1.csv", "-o", folder / "alone.keras", *QUICK)

    assert (folder / "alone.keras").read_bytes() == (folder / "models" / "P1.keras").read_bytes()


def test_a_failed_asset_is_written_down_with_its_reason(fleet):
    folder, _, _, done = fleet

    assert "P9: P9.csv has no column of numbers" in done.stderr
    assert "failed   P9  P9.csv has no column" in here("fleet", "status", folder / "models", code=1).stdout
    assert manifest(folder)["P9"]["state"] == "failed"


def test_the_manifest_has_a_row_an_asset_in_json_and_parquet(fleet):
    folder, *_ = fleet
    rows = manifest(folder)
    table = pyarrow.parquet.read_table(folder / "models" / "manifest.parquet").to_pylist()

    assert [row["asset"] for row in table] == list(rows) == ["P0", "P1", "P9"]
    assert table[0] == rows["P0"]
    assert rows["P1"]["rows"] == 400
    assert rows["P1"]["threshold"] > 0
    assert {version["name"] for version in rows["P1"]["versions"]} >= {"edgelstm", "keras", "tensorflow"}


def test_conversion_and_evaluation_are_those_of_one_by_one(fleet):
    folder, *_ = fleet
    labelled = folder / "labelled"
    labelled.mkdir(exist_ok=True)
    lines = pump_csv(1, 300)
    marked = [f"{line.strip()},{'anomaly' if not at else int(100 < at < 130)}\n" for at, line in enumerate(lines)]
    (labelled / "P1.csv").write_text("".join(marked))
    shutil.copy(folder / "models" / "P1.keras", folder / "P1.keras")
    convert_file(folder / "P1.keras", allow_drop=True, apart=False)["int8"].bundle.save(folder / "P1.int8.tflite")
    here("evaluate", folder / "P1.int8.tflite", labelled / "P1.csv", "-o", folder / "P1.evaluation.json")

    made = here("fleet", "convert", folder / "models", "--int8", "--allow-drop", "--workers", "1")
    judged = here("fleet", "evaluate", folder / "models", f"{labelled}/{{asset}}.csv", "--workers", "1", "--json")
    again = here("fleet", "convert", folder / "models", "--int8", "--allow-drop", "--workers", "1")

    assert "2 done" in made.stderr
    assert "2 done before" in again.stderr
    assert "1 of 2 models have no labelled rows" in judged.stderr
    assert json.loads(judged.stdout)["assets"] == {"done": 1}
    for name in ("P1.int8.tflite", "P1.evaluation.json"):
        assert (folder / "models" / name).read_bytes() == (folder / name).read_bytes()
    row = manifest(folder)["P1"]
    assert row["converted"][0]["bytes"] == (folder / "P1.int8.tflite").stat().st_size
    assert row["f1"] == json.loads((folder / "P1.evaluation.json").read_text())["f1"]


def test_a_cluster_makes_the_same_models_and_what_changed_is_stale(fleet, tmp_path):
    folder, *_ = fleet
    train = ("fleet", "train", f"{folder}/plant/{{asset}}.csv", "-o", tmp_path / "models", *QUICK)
    with cluster(tmp_path) as (address, _):
        done = here(*train, "--scheduler", address, code=1)

    for name in ("P0.keras", "P1.keras"):
        assert (tmp_path / "models" / name).read_bytes() == (folder / "models" / name).read_bytes()
    assert "2 done, 1 failed" in done.stderr
    (tmp_path / "models" / "P1.keras").write_bytes(b"damaged")
    os.utime(tmp_path / "models" / "P0.keras")
    status = here("fleet", "status", tmp_path / "models", code=1)
    assert "stale    P1  its file" in status.stdout
    assert "1 failed" in status.stderr
    assert "1 done" in status.stderr


def test_folders_without_a_fleet_are_refused(tmp_path):
    assert "holds no fleet" in refused_here("fleet", "status", tmp_path)
    assert "holds no models" in refused_here("fleet", "convert", tmp_path)
    assert "There is no" in refused_here("fleet", "train", tmp_path / "nowhere", "-o", tmp_path / "models")
