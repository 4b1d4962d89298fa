"""A model that makes the whole process crash, again and again, in a real process that a supervisor starts again."""

import signal

import pytest

pytest.importorskip("tuf", reason="needs the update extra")
pytest.importorskip("cryptography", reason="needs the publish extra")

from model_files import repack
from update_forms import HASTE, Plant, model
from update_process import Supervised

pytestmark = pytest.mark.slow(reason="a process is started again until it works")
BAD = "bad" + "0" * 61
# an interpreter that crashes on some rows only, after every trial is passed: the real ones that are known crash at once
CRASHING = f"""
import ctypes
from edgelstm.runtime.detector import Detector
update = Detector.update
def crashing(self, *words):
    if self.metadata.source == "{BAD}" and self.index > 5:
        ctypes.string_at(0)
    return update(self, *words)
Detector.update = crashing
{HASTE}"""


def test_a_crash_loop_of_the_whole_process_ends_with_the_last_good_model(tmp_path):
    plant = Plant(tmp_path)
    plant.publish("first")
    watch = Supervised(plant, CRASHING)
    assert watch.feed_until(lambda: watch.store.ledger.current is not None)
    plant.publish("", content=repack(model("first"), metadata={"source": BAD}))

    undone = watch.feed_until(lambda: any(entry.event == "undone" for entry in watch.store.ledger.history), 90)
    rows = watch.rows
    again = watch.feed_until(lambda: any(event["kind"] == "model" for event in watch.events()), 20)
    watch.feed_until(lambda: watch.rows > rows + 100)
    endings = watch.stop()
    ledger = watch.store.ledger
    installed, left = (
        next(one for one in ledger.history if one.event == event and one.version == 2)
        for event in ("installed", "undone")
    )

    assert undone, (tmp_path / "errors").read_text()
    assert again
    assert endings == [-signal.SIGSEGV] * 3 + [0]
    assert left.reason == "it ended the process 3 times"
    assert left.time - installed.time < 60
    assert ledger.current.version == 1
    assert ledger.starts == 0
    assert left.digest in ledger.refused
