"""Assets of a fleet: folders, patterns, long tables."""

import pytest
from fleet_helpers import pump_csv, write_plant

pytest.importorskip("fsspec", reason="needs the scale extra")
pytest.importorskip("pyarrow", reason="needs the scale extra")

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from edgelstm.runtime.errors import SeriesError

from edgelstm.data.series import read_series
from edgelstm.fleet.asset_files import digest_of, local_files
from edgelstm.fleet.assets import Asset, list_assets
from edgelstm.fleet.places import Place


@pytest.fixture
def home(tmp_path):
    return Place(str(tmp_path / "models"))


def interleaved(count, rows):
    """A long table in time order, the pumps in turn."""
    tables = [pump_csv(number, rows, asset=True) for number in range(count)]
    return "".join(
        [tables[0][0], *(line for lines in zip(*(table[1:] for table in tables), strict=True) for line in lines)]
    )


def rows_of(asset, folder):
    folder.mkdir()
    return read_series(local_files(asset, folder)).values


def test_a_folder_has_an_asset_a_file(tmp_path, home):
    plant = write_plant(tmp_path / "plant", 3, rows=20)
    (plant / "notes.md").write_text("no data")
    pyarrow.parquet.write_table(pyarrow.csv.read_csv(plant / "P0.csv"), plant / "hall 2.parquet")

    assets = list_assets(str(plant), "asset", home)

    assert [asset.name for asset in assets] == ["P0", "P1", "P2", "hall 2"]
    assert assets[3].stem == "hall%202"


def test_a_pattern_names_the_asset_and_joins_its_files(tmp_path, home):
    for name in ("P1", "P2"):
        (tmp_path / name).mkdir()
        lines = pump_csv(1, 40)
        (tmp_path / name / "a.csv").write_text("".join(lines[:21]))
        (tmp_path / name / "b.csv").write_text("".join([lines[0], *lines[21:]]))

    assets = list_assets(f"{tmp_path}/{{pump}}/*.csv", "pump", home)

    assert [(asset.name, len(asset.files)) for asset in assets] == [("P1", 2), ("P2", 2)]
    assert len(rows_of(assets[0], tmp_path / "copies")) == 40


@pytest.mark.parametrize("form", ["csv", "csv.gz", "parquet", "folder of csv"])
def test_a_long_table_is_split_into_the_rows_of_each_asset(tmp_path, home, form):
    text = interleaved(3, 50)
    table = tmp_path / f"readings.{form}"
    if form == "parquet":
        pyarrow.parquet.write_table(pyarrow.csv.read_csv(pa.py_buffer(text.encode())), table, row_group_size=40)
    elif form == "folder of csv":
        table.mkdir()
        lines = text.splitlines(keepends=True)
        (table / "1.csv").write_text("".join(lines[:70]))
        (table / "2.csv").write_text("".join([lines[0], *lines[70:]]))
    else:
        import gzip

        table.write_bytes(gzip.compress(text.encode()) if form == "csv.gz" else text.encode())

    assets = list_assets(str(table), "pump", home)
    alone = write_plant(tmp_path / "plant", 3, rows=50)

    assert [asset.name for asset in assets] == ["P0", "P1", "P2"]
    for number, asset in enumerate(assets):
        expected = read_series([alone / f"P{number}.csv"]).values
        assert (rows_of(asset, tmp_path / f"copies{number}") == expected).all()


def test_a_split_table_is_split_again_only_after_a_change(tmp_path, home):
    table = tmp_path / "readings.csv"
    table.write_text(interleaved(2, 20))
    first = list_assets(str(table), "pump", home)
    again = list_assets(str(table), "pump", home)
    table.write_text(interleaved(3, 20))

    assert again == first
    assert len(list_assets(str(table), "pump", home)) == 3


def test_cells_of_a_foreign_table_stay_as_they_are_written(tmp_path, home):
    table = tmp_path / "anlage.csv"
    rows = [f"{name};2024-03-01 00:00:{second:02};{second},5" for second in range(30) for name in ("A;1", "B")]
    table.write_text("Anlage;Zeit;Druck\n" + "\n".join(row.replace("A;1", '"A;1"') for row in rows) + "\n")

    assets = list_assets(str(table), "Anlage", home)

    assert [asset.name for asset in assets] == ["A;1", "B"]
    assert rows_of(assets[0], tmp_path / "copies")[:, 0].tolist() == [second + 0.5 for second in range(30)]


def test_parquet_is_read_by_column_with_times_and_exact_numbers(tmp_path):
    import numpy as np

    values = np.random.default_rng(0).normal(size=60)
    times = pa.array(np.arange(60) * 1_000_000, pa.timestamp("us", tz="UTC"))
    table = pa.table({"when": times, "flow": values, "other": values + 1, "blob": [b"x"] * 60})
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
    asset = Asset("a", (str(tmp_path / "a.parquet"),))
    (tmp_path / "copies").mkdir()

    files = local_files(asset, tmp_path / "copies")
    series = read_series(files, ["flow"])

    assert series.channels == ("flow",)
    assert (series.values[:, 0] == values).all()
    assert series.period == 1.0
    assert len(digest_of(files)) == 64


def test_folders_of_an_object_store_are_read_and_written(tmp_path):
    """The store in memory of fsspec in memory stands for S3: bytes by name, no folders, no local path."""
    store = Place("memory://plant-test/data")
    for number in range(2):
        store.write(f"P{number}.csv", "".join(pump_csv(number, 20)).encode())

    assets = list_assets("memory://plant-test/data/{asset}.csv", "asset", store)
    same = list_assets("memory://plant-test/data", "asset", store)

    assert assets == same
    assert len(rows_of(assets[1], tmp_path / "copies")) == 20
    assert not store.create("P1.csv", b"")
    assert store.create("new.csv", b"a")


@pytest.mark.parametrize(
    ("make", "by", "reason"),
    [
        (lambda folder: None, "asset", "There is no"),
        (lambda folder: folder.mkdir(), "asset", "holds no assets"),
        (lambda folder: (folder / "A").mkdir(parents=True), "asset", "give a pattern"),
        (lambda folder: folder.write_text("a,b\n1,2\n"), "asset", "no column 'asset'"),
        (lambda folder: folder.write_text("asset,b\n,2\n,3\n"), "asset", "is empty"),
    ],
)
def test_data_that_hold_no_assets_are_refused_with_the_reason(tmp_path, home, make, by, reason):
    make(tmp_path / "data.csv")

    with pytest.raises(SeriesError, match=reason):
        list_assets(str(tmp_path / "data.csv"), by, home)


def test_two_files_of_one_name_are_refused(tmp_path, home):
    plant = write_plant(tmp_path / "plant", 1, rows=20)
    (plant / "P0.tsv").write_text("")

    with pytest.raises(SeriesError, match="Two files"):
        list_assets(str(plant), "asset", home)
