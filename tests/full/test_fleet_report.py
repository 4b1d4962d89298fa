"""The fleet report: odd assets first, one page without requests, names that are hostile."""

import re
from html.parser import HTMLParser

import pytest

pytest.importorskip("jinja2", reason="needs the train extra")
pytest.importorskip("fsspec", reason="needs the scale extra")

from edgelstm.fleet.figures import entries, histograms
from edgelstm.fleet.report import INDEX, pages


def row(name, **values):
    """A row of the manifest."""
    return {
        "asset": name, "state": "done", "error": "", "data": ["a.csv"], "data_sha256": "", "model": "a.keras", "model_sha256": "",
        "rows": 2000, "channels": ["flow"], "kind": "forecaster", "window": 32, "parameters": 100, "epochs": 3, "threshold": 1.5,
        "linear_error": 0.1, "recurrent_error": 0.1, "validation_loss": 0.1, "left_out": 3, "alarms_per_1000_rows": 0.0,
        "bytes": 50_000, "remarks": [], "versions": [], "converted": [], "conversion_error": "", "evaluation_error": "",
        "detection_limits": [{"channel": "flow", "offset": 1.0, "drift": None, "stuck": 4}], **values,
    }  # fmt: skip


@pytest.fixture
def plant():
    return [row(f"P{number:02}", validation_loss=0.1 + 0.001 * number) for number in range(20)]


def test_failed_assets_come_first_then_the_odd_ones_with_their_reason(plant):
    plant[7] = row("P07", validation_loss=4.0)
    plant[9] = row("P09", state="failed", error="no rows", validation_loss=None)
    plant[3] = row("P03", conversion_error="error above the limit")

    made = entries(plant)

    assert [entry.name for entry in made[:3]] == ["P09", "P03", "P07"]
    assert made[0].remarks == ("no rows",)
    assert made[2].remarks == ("validation loss is oddly high: 4.000",)
    assert not any(entry.remarks for entry in made[3:])


def test_distributions_count_every_asset_once(plant):
    plots = {plot.figure.key: plot for plot in histograms(entries(plant))}

    assert sum(plots["loss"].counts) == len(plant)
    assert plots["loss"].low == 0.1
    assert "vus_pr" not in plots


class Links(HTMLParser):
    """Addresses and tags of a page."""

    def __init__(self):
        super().__init__()
        self.addresses, self.tags = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.addresses += [value for name, value in attrs if name in ("href", "src", "action", "srcset", "data")]


def test_pages_ask_for_nothing_outside_and_every_link_leads_to_a_page(plant):
    made = dict(pages([*plant, row("Hall 3/<b>&pump%")], "Plant"))
    index = Links()
    index.feed(made[INDEX])

    from urllib.parse import unquote

    assert "<b>" not in made[INDEX].split("</style>")[1].replace("<figcaption><b>", "")
    assert {unquote(address) for address in index.addresses if not address.startswith("data:")} == set(made) - {INDEX}
    assert not re.search(r"https?://|@import|url\(", "".join(made.values()))
    assert index.tags.count("tr") == len(plant) + 2
    assert "sort" in made[INDEX]


def test_a_long_fleet_is_cut_and_says_so(plant, monkeypatch):
    monkeypatch.setattr("edgelstm.fleet.report.MOST", 5)

    page = dict(pages(plant, "Plant"))[INDEX]

    assert "The first 5 of 20" in page
    assert page.count('<th scope="row">') == 5
