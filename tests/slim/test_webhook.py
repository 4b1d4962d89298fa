"""Webhooks: delivery, repetition and refusal, against a server on loopback."""

import time

import pytest
from edgelstm.runtime.io.addresses import parse_address
from edgelstm.runtime.sinks import plan_delivery
from edgelstm.runtime.sinks import store_and_forward as forward_module
from edgelstm.runtime.sources import Sample
from sink_helpers import RESULT, Hook, event, forwarder, open_sink, wait_for


@pytest.fixture
def hook():
    made = Hook()
    yield made
    made.close()


def test_a_webhook_gets_each_event_as_json_with_a_key(tmp_path, hook):
    (tmp_path / "token").write_text("sesame\n")
    delivery = plan_delivery(parse_address({"url": hook.url, "token-file": f"{tmp_path}/token"}), "pump", False)()
    sink = forwarder(tmp_path / "spool", delivery)
    sink.event(event(0))
    sink.close()

    assert hook.bodies[0]["id"] == "e0"
    assert (hook.headers[0]["Idempotency-Key"], hook.headers[0]["Authorization"]) == ("pump-0", "Bearer sesame")


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_a_redirect_is_no_delivery_and_gets_neither_record_nor_token(tmp_path, hook, quick, caplog, code):
    """The other host answers 200: that must not count, and it must not see the token."""
    other = Hook()
    (tmp_path / "token").write_text("sesame\n")
    hook.answer, hook.location = code, f"{other.url}?token=abc"
    delivery = plan_delivery(parse_address({"url": hook.url, "token-file": f"{tmp_path}/token"}), "pump", False)()
    sink = forwarder(tmp_path / "spool", delivery)
    sink.event(event(0))
    assert wait_for(lambda: sink.failures >= 3)
    hook.answer = 200
    assert wait_for(lambda: sink.delivered == 1)
    sink.close()
    other.close()

    assert other.requests == 0
    assert [one["id"] for one in hook.bodies] == ["e0"]
    assert caplog.text.count("redirects to") == 1
    assert "abc" not in caplog.text


def test_secrets_of_a_webhooks_address_are_not_part_of_its_name():
    address = parse_address("https://me:sesame@hooks.example.com/services/T024BE7LDB0X9f3a/in?token=abc")

    assert open_sink(address).name == "https://hooks.example.com/services/***/in"
    assert "sesame" not in repr(parse_address("mqtt://me:sesame@broker/plant"))


def test_a_webhook_that_fails_is_tried_again_and_a_senseless_record_is_given_up(tmp_path, hook, quick):
    hook.answer = 503
    sink = forwarder(tmp_path, open_sink(hook.url))
    sink.event(event(0))
    assert wait_for(lambda: "503" in sink.failure or "Service" in sink.failure)
    hook.answer = 422
    assert wait_for(lambda: sink.delivery.refused == 1)
    hook.answer = 200
    sink.event(event(1))
    sink.close()

    assert [one["id"] for one in hook.bodies] == ["e1"]


def slowest_result(sink, count=2000):
    """The longest that one sample was held up, seconds."""
    worst = 0.0
    for number in range(count):
        begin = time.perf_counter()
        sink.result(Sample([1.0, 2.0], None, number), RESULT)
        worst = max(worst, time.perf_counter() - begin)
    return worst


def test_a_slow_webhook_never_holds_up_scoring(tmp_path, hook, monkeypatch):
    monkeypatch.setattr(forward_module, "GRACE", 0.1)
    hook.delay = 1.0
    sink = forwarder(tmp_path, open_sink(hook.url))
    begin = time.monotonic()
    worst = slowest_result(sink)

    assert worst < 0.5  # one answer takes a second; the margin is for a busy machine
    assert time.monotonic() - begin < 2.0
    sink.close()


def test_a_dead_webhook_never_holds_up_scoring(tmp_path, monkeypatch):
    monkeypatch.setattr(forward_module, "GRACE", 0.1)
    sink = forwarder(tmp_path, open_sink("http://127.0.0.1:9/hook"))
    worst = slowest_result(sink)

    assert worst < 0.5
    assert wait_for(lambda: "refused" in sink.failure)
    assert sink.spool.backlog > 100_000
    sink.close()
