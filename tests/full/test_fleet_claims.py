"""Claims: one worker an asset, and none for ever."""

import json
import os
import socket
import subprocess

import pytest

pytest.importorskip("fsspec", reason="needs the scale extra")

from edgelstm.fleet import claims
from edgelstm.fleet.claims import Elsewhere, Holder, claimed, read_claim, started
from edgelstm.fleet.places import Place


@pytest.fixture(params=["folder", "store"])
def home(request, tmp_path, monkeypatch):
    monkeypatch.setattr(claims, "PULSE", 0.05)
    monkeypatch.setattr(claims, "DEAD", 0.5)
    return Place(str(tmp_path) if request.param == "folder" else f"memory://claims-{tmp_path.name}")


def leave(home, holder):
    home.write(f"{claims.FOLDER}/P1", json.dumps(holder.__dict__).encode())


def test_a_claim_is_there_while_its_block_runs(home):
    with claimed(home, "P1", "run"):
        holder = read_claim(home, "P1")
        assert holder.process == os.getpid()
        assert not holder.is_dead

    assert read_claim(home, "P1") is None


def test_a_living_worker_of_another_run_is_left_alone(home):
    with claimed(home, "P1", "one"), pytest.raises(Elsewhere), claimed(home, "P1", "two"):
        pass


def test_a_dead_process_of_this_machine_is_followed_at_once(home):
    child = subprocess.Popen(["true"])
    child.wait()
    leave(home, Holder("one", socket.gethostname(), child.pid, 5))

    with claimed(home, "P1", "two") as claim:
        assert claim.is_mine()


def test_a_holder_of_another_machine_is_dead_when_its_pulse_stops(home):
    leave(home, Holder("one", "another-machine", 1, 5))

    with claimed(home, "P1", "two") as claim:
        assert claim.is_mine()


def test_a_claim_that_was_cut_short_is_followed(home):
    home.write(f"{claims.FOLDER}/P1", b'{"run": ')

    with claimed(home, "P1", "two") as claim:
        assert claim.is_mine()


def test_whoever_was_followed_knows(home):
    with claimed(home, "P1", "one") as claim:
        leave(home, Holder("two", "another-machine", 1, 5))
        assert not claim.is_mine()

    assert read_claim(home, "P1").run == "two"


def test_numbers_of_processes_are_told_from_their_successors():
    assert started(os.getpid()) > 0
    assert Holder("", socket.gethostname(), os.getpid(), started(os.getpid()) + 1).is_dead
