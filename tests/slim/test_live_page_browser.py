"""The live page in a real browser: what it shows, in every language, on a phone and a desk."""

import re
import subprocess

import pytest
from browser import CHROMIUM, NEEDS_CHROMIUM, Browser
from edgelstm.runtime.languages.catalogue import languages
from edgelstm.runtime.service.config import Settings
from page_helpers import Page, carry_limits
from sink_helpers import wait_for

pytestmark = [NEEDS_CHROMIUM, pytest.mark.slow(reason="a browser is started")]


def test_the_page_shows_the_stream_in_a_real_browser(page, tmp_path):
    carry_limits(page)
    words = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    words += [f"--user-data-dir={tmp_path}", "--virtual-time-budget=3000", "--timeout=20000", "--dump-dom"]
    done = subprocess.run(
        [CHROMIUM, *words, f"http://127.0.0.1:{page.page.port}/"], capture_output=True, text=True, timeout=60
    )

    assert '<span id="link" role="status" data-word="connecting" class="good">live</span>' in done.stdout
    assert "<dt>samples</dt><dd>600</dd>" in done.stdout
    assert re.search(
        r"<li><div[^>]*>sample [0-9–]+: (level|flow)_[a-z]+ [-0-9.]+, expected [-0-9.]+ ± [0-9.]+", done.stdout
    )
    assert done.stdout.count('<button aria-pressed="false">Real fault</button>') >= 1
    assert re.search(r'<canvas role="img" aria-label="level_cm: [-0-9.]+, expected', done.stdout)
    assert "<h3>What it would catch: smallest fault found in 90% of cases within 60 s</h3>" in done.stdout
    assert '<td data-head="offset"><span>0.7</span></td>' in done.stdout
    assert re.search(r'aria-label="Scores; newest [0-9.]+, threshold [0-9.]+"', done.stdout)


def test_the_page_speaks_the_language_of_the_device(tmp_path):
    page = Page(Settings(listen="127.0.0.1:0", language="de"), start=1.7e9)
    carry_limits(page)
    browser = Browser(tmp_path, f"http://127.0.0.1:{page.page.port}/", 1000)
    try:
        assert browser.wait_for("document.querySelector('ol.events button') && document.querySelector('figure')")
        language, text = browser.evaluate("[document.documentElement.lang, document.body.innerText]")
        browser.evaluate("document.querySelector('ol.events button').click()")
        assert browser.wait_for("document.querySelector('ol.events + p').textContent.startsWith('Nicht gespeichert')")
    finally:
        browser.close()
        page.close()

    assert language == "de"
    assert {"Neueste Ereignisse", "Echter Fehler", "Messungen", "Anteile der Kanäle an der neuesten Abweichung"} <= set(
        text.splitlines()
    )
    assert "kleinster Fehler, der in 90 % der Fälle innerhalb von 60 s gefunden wird" in text
    assert "0,7" in text.split()
    assert not re.search(r"\b(score|events?|sensors|expected|threshold|from|times|ago|false)\b", text)


@pytest.mark.parametrize("language", languages())
@pytest.mark.parametrize("width", [390, 1000])
def test_no_width_needs_sideways_scrolling(tmp_path, width, language):
    page = Page(Settings(listen="127.0.0.1:0", language=language), start=1.7e9)
    browser = Browser(tmp_path, f"http://127.0.0.1:{page.page.port}/", width)
    try:
        assert wait_for(lambda: browser.evaluate("document.querySelectorAll('ol.events li').length"))
        inner, scroll = browser.evaluate("[innerWidth, document.documentElement.scrollWidth]")
        cut = browser.evaluate(
            "[...document.querySelectorAll('ol.events div, button, dd, h2, h3')]"
            ".filter(one => one.getBoundingClientRect().right > innerWidth || one.scrollWidth > one.clientWidth + 1"
            " && getComputedStyle(one).display !== 'inline').length"
        )
    finally:
        browser.close()
        page.close()

    assert inner == width
    assert scroll <= width
    assert cut == 0


def test_times_are_in_the_zone_of_the_device_unless_the_source_has_none(tmp_path):
    page = Page(Settings(listen="127.0.0.1:0", timezone="Europe/Berlin"), start=1.7e9)
    browser = Browser(tmp_path, f"http://127.0.0.1:{page.page.port}/", 1000, zone="Asia/Tokyo")
    try:
        assert wait_for(lambda: browser.evaluate("document.querySelector('.zone')?.textContent"))
        zone = browser.evaluate("document.querySelector('.zone').textContent")
        said, start = browser.evaluate("[...document.querySelectorAll('ol.events li > div')].slice(0, 2).map(one => one.textContent)")  # fmt: skip
        absolute, naive = browser.evaluate(
            "['2023-11-14T22:13:20Z', '14.11.2023 22:13'].map(label => when(1.7e9, zoneOf(label)))"
        )
        axis = browser.evaluate("ticks(1.7e9, 1.7e9 + 7200, deviceZone, 5)")
    finally:
        browser.close()
        page.close()

    assert zone.startswith("2023-11-15 to 2023-11-15 00:13:19, times in Europe/Berlin")
    assert re.match("15 Nov, 00:[01][0-9]:[0-9]{2}", said)
    assert f"from 2023-11-15 {said[8:16]}" in start
    assert (absolute, naive) == ("2023-11-14 23:13:20", "2023-11-14 22:13:20")
    assert [text for _, text in axis] == ["23:30", "00:00", "00:30", "01:00"]
