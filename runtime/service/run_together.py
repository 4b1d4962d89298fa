"""Several models in one process, and the signals that end them."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from ..errors import EdgelstmError
from .runner import Runner

log = logging.getLogger("edgelstm")


def run_all(runners: Sequence[Runner]) -> None:
    """Run several models side by side, each in its own thread; one that fails does not stop the others.

    Raises:
        EdgelstmError: At the end, the first failure. A defect of ours or of a library comes as one, too.
        OSError: If standard output or a file cannot be written any more.
    """
    failures: list[BaseException] = []

    def work(runner: Runner) -> None:
        try:
            runner.run()
        except (EdgelstmError, OSError) as error:
            failures.append(error)
        except Exception as error:
            failures.append(_defect(runner, error))
        if failures and len(runners) > 1 and runner.status.state == "failed":
            log.warning("%s has stopped: %s", runner.name, runner.status.error)

    if len(runners) == 1:
        work(runners[0])
    else:
        _in_threads(work, runners)
    if failures:
        raise failures[0]


def _defect(runner: Runner, error: Exception) -> EdgelstmError:
    """An exception that nothing is written for, as one line: events and snapshots until then are whole on disk."""
    log.debug("%s", runner.name, exc_info=error)
    made = EdgelstmError(
        f"{runner.name} has stopped after {runner.status.samples} samples on a defect ({type(error).__name__}: {error}). "
        "A restart goes on from the last snapshot; please report it."
    )
    made.__cause__ = error
    return made


def _in_threads(work: Callable[[Runner], None], runners: Sequence[Runner]) -> None:
    threads = [threading.Thread(target=work, args=(runner,), name=runner.name) for runner in runners]
    for thread in threads:
        thread.start()
    for thread in threads:
        while thread.is_alive():  # a join without end would keep signals waiting
            thread.join(0.2)


@contextmanager
def handling_signals(*runners: Runner) -> Iterator[None]:
    """Handle signals while the block runs.

    SIGTERM and SIGINT end the runners cleanly; a second one acts as usual. SIGHUP takes a snapshot of each state and
    reopens the event logs, as logrotate wants it.
    """

    def stop(number: int, frame: FrameType | None) -> None:
        signal.signal(number, before[signal.Signals(number)])
        for runner in runners:
            runner.stop()

    def save(number: int, frame: FrameType | None) -> None:
        for runner in runners:  # in threads: the interrupted one may be in the middle of a sample
            threading.Thread(target=runner.save_state, name=f"snapshot of {runner.name}", daemon=True).start()

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handlers = {signal.SIGTERM: stop, signal.SIGINT: stop, signal.SIGHUP: save}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
