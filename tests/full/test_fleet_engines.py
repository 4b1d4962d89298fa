"""Engines: processes of this machine and a Dask cluster do the same tasks, whatever kills their workers."""

import os
import signal
import subprocess
import sys
import threading
from contextlib import closing

import pytest
from fleet_helpers import cluster, double, end_itself, grow, refuse_odd, slow_once, wait_for

pytest.importorskip("distributed", reason="needs the scale extra")

from edgelstm.runtime.errors import ConfigError

from edgelstm.fleet.claims import started
from edgelstm.fleet.engine import ATTEMPTS
from edgelstm.fleet.local_engine import LocalEngine, suitable_workers
from edgelstm.fleet.open_engine import open_engine

pytestmark = pytest.mark.slow(reason="workers of a machine and a cluster are started and killed")


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory):
    with cluster(tmp_path_factory.mktemp("dask"), workers=2) as (address, _):
        yield address


@pytest.fixture(params=["local", "dask"])
def engine(request):
    address = request.getfixturevalue("scheduler") if request.param == "dask" else None
    made = open_engine(address, None if address else 2)
    yield made
    made.close()


def test_every_task_has_its_outcome(engine):
    outcomes = list(engine.run(double, range(20)))

    assert {outcome.task: outcome.value for outcome in outcomes} == {task: 2 * task for task in range(20)}
    assert all(outcome.attempts == 1 for outcome in outcomes)


def test_an_exception_is_the_outcome_of_its_task_alone_in_one_line(engine):
    outcomes = {outcome.task: outcome for outcome in engine.run(refuse_odd, range(4))}

    assert outcomes[2].value == 2
    assert outcomes[3].error == "ValueError: 3 is odd"


def test_tasks_are_taken_as_they_are_needed(engine):
    taken = []
    outcomes = engine.run(double, (taken.append(task) or task for task in range(1000)))

    next(outcomes)
    early = len(taken)
    outcomes.close()

    assert early < 20


def test_a_killed_worker_loses_its_running_task_alone(tmp_path):
    marks = [str(tmp_path / f"{task}") for task in range(3)]
    for mark in marks[1:]:
        (tmp_path / mark).write_text("passed")
    threading.Thread(target=_kill_writer, args=(tmp_path / "0", 0)).start()

    with closing(LocalEngine(2)) as engine:
        outcomes = {outcome.task: outcome for outcome in engine.run(slow_once, marks)}

    assert outcomes[marks[0]].attempts == 2
    assert outcomes[marks[1]].attempts == outcomes[marks[2]].attempts == 1
    assert not any(outcome.error for outcome in outcomes.values())


def _kill_writer(mark, which):
    """Kill the process that wrote a mark, or its parent."""
    wait_for(lambda: mark.exists() and mark.read_text())
    os.kill(int(mark.read_text().split()[which]), signal.SIGKILL)


def test_workers_are_kept_for_the_next_tasks_and_replaced_when_they_grow():
    with closing(LocalEngine(1)) as engine:
        list(engine.run(double, range(2)))
        first = engine.processes
        list(engine.run(double, range(2)))
        kept = engine.processes
        outcomes = list(engine.run(grow, range(3)))

    assert first == kept
    assert len({outcome.value for outcome in outcomes}) > 1


def test_a_task_that_kills_its_processes_is_given_up_and_the_others_go_on():
    with closing(LocalEngine(1)) as engine:
        outcomes = {outcome.task: outcome for outcome in engine.run(end_itself, ["a", "deadly", "b"])}

    assert (outcomes["a"].value, outcomes["b"].value) == ("a", "b")
    assert outcomes["deadly"].attempts == ATTEMPTS
    assert "signal 9" in outcomes["deadly"].error


def test_a_dask_worker_that_is_killed_loses_no_task_and_takes_its_child_along(tmp_path):
    mark = tmp_path / "mark"
    threading.Thread(target=_kill_writer, args=(mark, 1)).start()
    with cluster(tmp_path, workers=2) as (address, workers), closing(open_engine(address)) as engine:
        outcomes = list(engine.run(slow_once, [str(mark)]))

        wait_for(lambda: any(worker.poll() is not None for worker in workers))
    child = int(mark.read_text().split()[0])
    wait_for(lambda: not started(child))
    assert not outcomes[0].error
    assert outcomes[0].value != child


def test_workers_end_with_their_coordinator():
    with closing(LocalEngine(1)) as engine:
        next(iter(engine.run(double, range(3))))
        (process,) = engine.processes

    assert not started(process)
    assert suitable_workers() >= 1


@pytest.mark.parametrize("address", ["nope", "tcp://host", "tcp://host:x", "carrier-pigeon://host:8786"])
def test_what_is_no_address_of_a_scheduler_is_said_at_once(address):
    """Of a process of its own: what Dask leaves behind speaks at its end."""
    program = (
        "import sys\nfrom edgelstm.fleet.open_engine import open_engine\n"
        "try:\n    open_engine(sys.argv[1])\nexcept Exception as error:\n    print(type(error).__name__, error)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, address], capture_output=True, text=True, timeout=20)

    assert done.stdout.startswith(f"ConfigError {address} is no address of a Dask scheduler")
    assert done.stderr == ""


def test_a_scheduler_that_wants_certificates_is_said_at_once():
    with pytest.raises(ConfigError, match="needs certificates"):
        open_engine("tls://127.0.0.1:1")


def test_a_scheduler_that_is_not_there_is_said(monkeypatch):
    monkeypatch.setattr("edgelstm.fleet.dask_engine.PATIENCE", "1 s")

    with pytest.raises(ConfigError, match="No Dask scheduler answers"):
        open_engine("tcp://127.0.0.1:1")
    with pytest.raises(ConfigError, match="its own"):
        open_engine("tcp://127.0.0.1:1", workers=2)
