"""The page of alarms: sensors, expectations, scores and alarms in one file that asks nothing from outside."""

import base64
import json
import re
from datetime import datetime, timedelta, timezone

import numpy as np
import pytest
from browser import NEEDS_CHROMIUM, Browser
from command_helpers import DATA, MODEL, edgelstm_here
from sink_helpers import wait_for

from edgelstm.alarm_page.write import shown_rows


def data_of(html):
    return json.loads(re.search(r"^const data = (.*);$", html, re.MULTILINE)[1])


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    done = edgelstm_here("score", MODEL, DATA, "-o", folder / "scores.csv", "--plot", folder / "alarms.html")
    assert done.returncode == 0, done.stderr
    return folder


def test_the_page_holds_what_the_detector_measured_and_expected(written):
    record = data_of((written / "alarms.html").read_text())
    scores = np.frombuffer(base64.b64decode(record["scores"]), "<f4")
    level = np.frombuffer(base64.b64decode(record["channels"][0]["values"]), "<f4")
    expected = np.frombuffer(base64.b64decode(record["channels"][0]["expected"]), "<f4")
    csv = np.genfromtxt(written / "scores.csv", delimiter=",", skip_header=1)

    assert record["rows"] == record["shown"] == 600
    np.testing.assert_allclose(scores, csv[:, 1].astype("f4"), rtol=1e-4)
    np.testing.assert_allclose(level, np.loadtxt(DATA, delimiter=",", skiprows=1)[:, 1], rtol=1e-4)
    near = np.abs(level - expected) < 2 * record["channels"][0]["within"]
    assert near[np.isfinite(expected)].mean() > 0.5
    assert record["events"][0]["text"].startswith("sample ")


def test_the_page_asks_nothing_from_outside_and_no_name_ends_its_script(tmp_path):
    data = tmp_path / "<!--<script>.csv"
    data.write_text(DATA.read_text())
    edgelstm_here("score", MODEL, data, "-o", tmp_path / "s.csv", "--plot", tmp_path / "a.html")
    html = (tmp_path / "a.html").read_text()

    assert "http://" not in html
    assert "https://" not in html
    assert html.count("<!--") == 0
    assert html.count("<script>") == html.count("</script>") == 1
    assert "<!--<script>" in data_of(html)["title"]


def test_of_many_rows_those_with_the_highest_scores_are_kept():
    scores = np.zeros(100_001, np.float32)
    scores[[7, 50_000, 100_000]] = 5
    rows = shown_rows(scores)

    assert len(rows) <= 50_000
    assert {7, 50_000, 100_000} <= set(rows.tolist())
    assert (np.diff(rows) > 0).all()


@pytest.mark.slow(reason="a browser is started")
@NEEDS_CHROMIUM
@pytest.mark.parametrize("width", [390, 1000])
def test_an_alarm_in_the_list_leads_to_its_time(written, tmp_path, width):
    browser = Browser(tmp_path, f"file://{written}/alarms.html", width)
    try:
        assert wait_for(lambda: browser.evaluate("document.getElementById('range')?.textContent"))
        whole = browser.evaluate("document.getElementById('range').textContent")
        browser.evaluate("document.querySelector('#list button').click()")
        assert wait_for(lambda: browser.evaluate("document.getElementById('range').textContent") != whole)
        begin, end, start, stop = browser.evaluate("[from, to, data.events[0].start, data.events[0].end]")
        scroll = browser.evaluate("document.documentElement.scrollWidth")
        unnamed = browser.evaluate(
            "[...document.querySelectorAll('button, canvas')].filter(one => !one.textContent && !one.ariaLabel).length"
        )
    finally:
        browser.close()

    assert begin <= start <= stop <= end
    assert end - begin < 600
    assert scroll <= width
    assert unnamed == 0


def test_a_page_that_cannot_be_written_is_found_before_the_work(tmp_path):
    done = edgelstm_here("score", MODEL, DATA, "--plot", tmp_path / "none" / "a.html")

    assert done.returncode == 1
    assert not done.stdout


def dated(path, zone):
    lines = [line.split(",") for line in DATA.read_text().splitlines()]
    start = datetime(2026, 3, 18, 10, tzinfo=timezone.utc)
    rows = [
        f"{start + timedelta(seconds=at):%Y-%m-%d %H:%M:%S}{zone},{','.join(cells[1:])}"
        for at, cells in enumerate(lines[1:])
    ]
    path.write_text("\n".join([",".join(lines[0]), *rows]))
    return path


def test_one_doubled_and_one_late_row_leave_the_dates_on_the_axis(tmp_path):
    data = dated(tmp_path / "rows.csv", "Z")
    lines = data.read_text().splitlines()
    lines[100:101] = [lines[100], lines[100], lines[90]]
    data.write_text("\n".join(lines))
    done = edgelstm_here("score", MODEL, data, "-o", tmp_path / "s.csv", "--plot", tmp_path / "a.html")
    record = data_of((tmp_path / "a.html").read_text())
    times = np.frombuffer(base64.b64decode(record["times"]), "<f8")

    assert done.returncode == 0, done.stderr
    assert record["dated"]
    assert len(times) == 602
    assert (np.diff(times) >= 0).all()


@pytest.mark.parametrize(
    ("zone", "time", "shown"),
    [("Z", "18.03., 11:0", "Europe/Berlin"), ("", "18.03., 10:0", "UTC")],
)  # fmt: skip
def test_a_page_in_german_says_local_times(tmp_path, zone, time, shown):
    data = dated(tmp_path / "rows.csv", zone)
    words = ("--language", "de", "--timezone", "Europe/Berlin")
    edgelstm_here("score", MODEL, data, "-o", tmp_path / "s.csv", "--plot", tmp_path / "a.html", *words)
    record = data_of((tmp_path / "a.html").read_text())

    assert record["events"][0]["text"].startswith(time)
    assert "erwartet" in record["events"][0]["text"]
    assert (record["zone"], record["words"]["all"], record["decimal"]) == (shown, "Alles zeigen", ",")
    assert record["onSite"] == (not zone)


@pytest.mark.slow(reason="a browser is started")
@NEEDS_CHROMIUM
def test_no_word_of_a_german_page_is_english(tmp_path):
    data = dated(tmp_path / "daten.csv", "Z")
    edgelstm_here("score", MODEL, data, "-o", tmp_path / "s.csv", "--plot", tmp_path / "a.html", "--language", "de")
    browser = Browser(tmp_path / "profile", f"file://{tmp_path}/a.html", 390)
    try:
        assert browser.wait_for("document.getElementById('range').textContent")
        text = browser.evaluate(
            "document.body.innerText + [...document.querySelectorAll('[aria-label]')].map(one => one.ariaLabel)"
        )
        language = browser.evaluate("document.documentElement.lang")
    finally:
        browser.close()

    assert language == "de"
    assert not re.findall(
        r"(?i)\b(?:the|of|score|threshold|zoom|events?|rows|anomaly|sensor fault|expected|undefined)\b", text
    )


def test_an_unknown_language_is_refused_before_the_work(tmp_path):
    done = edgelstm_here("score", MODEL, DATA, "--plot", tmp_path / "a.html", "--language", "fr")

    assert done.returncode == 1
    assert "A language is one of de, en" in done.stderr
    assert not done.stdout


def test_score_lists_the_alarms_in_words_and_for_programs(tmp_path):
    done = edgelstm_here("score", MODEL, DATA, "-o", tmp_path / "s.csv", "--json", "--language", "de")
    words = edgelstm_here("score", MODEL, DATA, "-o", tmp_path / "s.csv").stderr.splitlines()

    events = json.loads(done.stdout)["events"]
    assert events[0]["text"].startswith("Messung ")
    assert len(words) == 1 + len(events)
    assert words[1].startswith("  sample ")
