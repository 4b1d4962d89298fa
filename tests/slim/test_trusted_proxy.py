"""A reverse proxy that has asked who comes: no token, its own site around the page, answers under its own name."""

import json
import urllib.error
import urllib.request

import pytest
from edgelstm.runtime.errors import ConfigError
from edgelstm.runtime.service.config import Settings
from edgelstm.runtime.service.live_page import LivePage
from page_helpers import Page


def answer_status(page):
    """Status of an answer to an alarm that there is not, from a site that the proxy serves."""
    headers = {
        "Content-Type": "application/json",
        "Origin": "http://home.example:8123",
        "X-Forwarded-Host": "home.example:8123",
    }
    body = json.dumps({"stream": "pump", "event": "x", "answer": "real"}).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{page.page.port}/api/answer", body, headers)
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=10)
    with caught.value:
        return caught.value.code


def test_it_needs_no_token_and_may_frame_the_page(tmp_path):
    answers = {}
    for proxy in ("127.0.0.1", "127.0.0.2", ""):
        page = Page(Settings(listen="0.0.0.0:0", state_dir=str(tmp_path), trusted_proxy=proxy), rows=50)
        status, _, headers = page.get("/api/live")
        page.close()
        answers[proxy] = status, "frame-ancestors 'self'" in headers["Content-Security-Policy"]

    assert answers == {"127.0.0.1": (200, True), "127.0.0.2": (401, True), "": (401, False)}


def test_its_site_answers_under_its_own_name():
    codes = []
    for proxy in ("127.0.0.1", ""):
        page = Page(Settings(listen="127.0.0.1:0", trusted_proxy=proxy), rows=50)
        codes.append(answer_status(page))
        page.close()

    assert codes == [400, 403]  # no such event; another origin


def test_it_is_named_by_its_address():
    with pytest.raises(ConfigError, match="trusted-proxy"):
        LivePage([], Settings(listen="127.0.0.1:0", trusted_proxy="supervisor"))
