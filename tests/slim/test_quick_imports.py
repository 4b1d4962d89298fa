"""Imports without searches for garbage leave the collector as it was."""

import gc
import subprocess
import sys

import pytest
from edgelstm.runtime.io.imports import quick_imports


@pytest.mark.parametrize("searching", [True, False])
def test_the_collector_is_left_as_it_was(searching):
    before = gc.isenabled()
    (gc.enable if searching else gc.disable)()
    try:
        with quick_imports():
            assert not gc.isenabled()
        assert gc.isenabled() == searching
    finally:
        (gc.enable if before else gc.disable)()


@pytest.mark.parametrize(("ending", "printed"), [("quick_exit()", ""), ("", "found\n")])
def test_only_a_process_of_our_own_ends_without_a_last_search(ending, printed):
    program = (
        "from edgelstm.runtime.io.imports import quick_exit, quick_imports\n"
        f"{ending}\n"
        "with quick_imports():\n    pass\n"
        "class Loop:\n    def __del__(self):\n        print('found')\n"
        "loop = Loop()\nloop.own = loop\ndel loop\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)

    assert (done.returncode, done.stdout) == (0, printed)
