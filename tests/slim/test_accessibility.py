"""Pages for everybody: axe-core finds nothing on them, on a phone and a desk, light and dark, and none scrolls sideways."""

import pytest
from browser import NEEDS_AXE, obstacles_everywhere
from command_helpers import DATA, MODEL, edgelstm_here
from edgelstm.runtime.languages.catalogue import languages
from edgelstm.runtime.service.config import Settings
from page_helpers import Page

pytestmark = [NEEDS_AXE, pytest.mark.slow(reason="a browser is started")]


@pytest.mark.parametrize("language", languages())
def test_the_live_page_with_its_answers(tmp_path, language):
    page = Page(Settings(listen="127.0.0.1:0", language=language))
    try:
        address = f"http://127.0.0.1:{page.page.port}/"
        ready = "document.querySelector('.answers button') && document.querySelectorAll('canvas').length > 1"
        findings = obstacles_everywhere(tmp_path, address, ready)
    finally:
        page.close()

    assert findings == []


def test_the_live_page_that_asks_for_a_token(tmp_path):
    page = Page()
    try:
        address = f"http://127.0.0.1:{page.page.port}/"
        findings = obstacles_everywhere(tmp_path, address, act="document.getElementById('ask').hidden = false")
    finally:
        page.close()

    assert findings == []


def test_the_page_of_alarms(tmp_path):
    done = edgelstm_here("score", MODEL, DATA, "-o", tmp_path / "scores.csv", "--plot", tmp_path / "alarms.html")
    findings = obstacles_everywhere(tmp_path / "profile", f"file://{tmp_path}/alarms.html")

    assert done.returncode == 0, done.stderr
    assert findings == []


def test_what_keeps_people_out_is_found(tmp_path):
    """A check that cannot fail shows nothing."""
    page = tmp_path / "page.html"
    page.write_text(
        '<html><body style="width: 2000px"><img src="data:,"><p style="color: #ccc; background: #fff">pale</p>'
    )
    findings = obstacles_everywhere(tmp_path / "profile", f"file://{page}")

    assert {rule for rule in ("image-alt", "color-contrast", "html-has-lang", "scrolls sideways") if rule in str(findings)} == {
        "image-alt", "color-contrast", "html-has-lang", "scrolls sideways",
    }  # fmt: skip
