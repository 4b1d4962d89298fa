"""Hostile requests to the listener: damaged, endless, packed to burst."""

import gzip
import json
import socket
import tracemalloc

import pytest
from edgelstm.runtime.sources.http_listener import LARGEST, MOST_LINES
from hypothesis import given, settings
from hypothesis import strategies as st
from sink_helpers import wait_for
from telegraf_helpers import Listening, post

LINE = b"pump,host=pi flow=1.5,motor=2i 1700864000000000000\n"


@pytest.fixture
def listening():
    made = Listening()
    yield made
    made.close()


def test_what_is_too_long_is_refused_before_it_takes_memory(listening):
    bomb = gzip.compress(b"\n" * (50 << 20), 9)
    tracemalloc.start()
    answers = [
        post(listening.port, bomb, headers={"Content-Encoding": "gzip"})[0],
        post(listening.port, LINE * (LARGEST // len(LINE) + 1))[0],
        post(listening.port, b"a b=1\n" * (MOST_LINES + 1))[0],
        post(listening.port, json.dumps([{}] * 20_000).encode())[0],
    ]
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert answers == [413, 413, 413, 400]
    assert most < 40 << 20  # the body that is sent has 4 MB, and is made twice
    assert post(listening.port, LINE)[0] == 204


def test_a_sender_that_waits_to_be_told_is_told_to_go_on(listening):
    with socket.create_connection(("127.0.0.1", listening.port)) as line:
        head = f"POST /write HTTP/1.1\r\nHost: x\r\nContent-Length: {len(LINE)}\r\nExpect: 100-continue\r\n\r\n"
        line.sendall(head.encode())
        assert line.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        line.sendall(LINE)
        assert line.recv(100).startswith(b"HTTP/1.1 204")


@pytest.mark.parametrize(
    "rest",
    [b"Transfer-Encoding: chunked\r\n\r\n-5\r\n", b"Transfer-Encoding: chunked\r\n\r\n0x5\r\nabcde\r\n0\r\n\r\n",
     b"Transfer-Encoding: chunked\r\n\r\n2\r\nabcd\r\n0\r\n\r\n", b"Transfer-Encoding: gzip\r\n\r\n",
     b"Content-Length: -1\r\n\r\n", b"Content-Length: 1_0\r\n\r\n", b"Content-Length: \xb2\r\n\r\n",
     b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"a: b\r\n" * 30],
)  # fmt: skip
def test_a_damaged_request_is_refused(listening, rest):
    with socket.create_connection(("127.0.0.1", listening.port)) as line:
        line.sendall(b"POST /write HTTP/1.1\r\nHost: x\r\n" + rest)
        assert line.recv(100).startswith(b"HTTP/1.1 400")


SHARED = []


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode), st.booleans())
def test_no_content_makes_the_listener_fail(content, packed):
    if not SHARED:
        SHARED.append(Listening())
    status, _, text = post(SHARED[0].port, content, packed=packed)

    assert status in (204, 400)
    assert "Failed" not in text


def test_the_listener_of_the_hostile_contents_still_works():
    if SHARED:
        one = SHARED.pop()
        assert post(one.port, b"pump flow=123456,motor=2 1700864000")[0] == 204
        assert wait_for(lambda: [123456.0, 2.0] in one.values)
        one.close()
