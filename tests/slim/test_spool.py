"""The queue on disk: nothing is lost or repeated, over restarts and power cuts."""

import random
import subprocess
import sys

import pytest
from edgelstm.runtime.errors import ConfigError
from edgelstm.runtime.sinks.spool import Spool
from sink_helpers import record, rows


def test_a_spool_gives_back_what_was_put_in_order(tmp_path):
    spool = Spool(tmp_path)
    for number in range(5):
        assert spool.put(record(number))
    first = spool.peek(2)
    spool.drop(first)

    assert rows(first) == [0, 1]
    assert rows(spool.peek(9)) == [2, 3, 4]


def test_a_spool_survives_its_process(tmp_path):
    spool = Spool(tmp_path)
    for number in range(5):
        spool.put(record(number))
    spool.drop(spool.peek(2))
    spool.close()
    again = Spool(tmp_path)
    again.put(record(5))

    assert rows(again.peek(1)) + rows(again.peek(9))[1:] == [2, 3, 4]
    again.drop(again.peek(3))
    assert [(item.record["seq"], item.record["row"]) for item in again.peek(9)] == [(5, 5)]


@pytest.mark.parametrize("seed", range(6))
def test_a_spool_under_random_use_and_restarts_loses_and_repeats_nothing(tmp_path, seed):
    rng, spool = random.Random(seed), Spool(tmp_path, 5000)
    put = taken = 0
    for _ in range(1500):
        action = rng.random()
        if action < 0.5 and spool.put(record(put)):
            put += 1
        elif action < 0.95:
            held = spool.peek(rng.randrange(1, 9))
            assert rows(held) == list(range(taken, taken + len(held)))
            spool.drop(held)
            taken += len(held)
        else:
            spool.close()
            spool = Spool(tmp_path, 5000)
        assert spool.size <= 5000
    while held := spool.peek(50):
        taken += len(held)
        spool.drop(held)

    assert taken == put > 300
    assert len(list(tmp_path.glob("*.seg"))) <= 2


def test_a_line_torn_by_a_power_cut_is_passed_over(tmp_path):
    spool = Spool(tmp_path)
    spool.put(record(0))
    spool.close()
    segment = next(iter(tmp_path.glob("*.seg")))
    segment.write_bytes(segment.read_bytes() + b'{"seq": 1, "row"')
    (tmp_path / "cursor").write_bytes(b"\0" * 64)
    again = Spool(tmp_path)
    again.put(record(7))
    found = []
    for _ in range(4):
        held = again.peek(9)
        found += rows(held)
        again.drop(held)

    assert found == [0, 7]


def test_two_streams_of_one_process_may_not_share_a_spool(tmp_path):
    spool = Spool(tmp_path)
    with pytest.raises(ConfigError, match="used twice in this configuration"):
        Spool(tmp_path)
    spool.close()


def test_two_processes_may_not_share_a_spool_and_the_error_names_the_other(tmp_path):
    program = (
        "import sys\nfrom pathlib import Path\nfrom edgelstm.runtime.sinks.spool import Spool\n"
        "spool = Spool(Path(sys.argv[1]))\nprint('open', flush=True)\nsys.stdin.read()"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", program, tmp_path], text=True, **pipes) as other:
        assert other.stdout.readline() == "open\n"
        with pytest.raises(ConfigError, match=rf"in use by another edgelstm \(process {other.pid}\)"):
            Spool(tmp_path)
        other.kill()
    Spool(tmp_path).close()


def test_a_spool_that_is_used_for_long_takes_no_more_memory_or_disk(tmp_path):
    import tracemalloc

    spool = Spool(tmp_path, 1 << 20)

    def use(count):
        for number in range(count):
            spool.put(record(number))
            if number % 10 == 9:
                spool.drop(spool.peek(64))

    use(2000)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    use(8000)
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()

    assert grown < 50_000
    assert spool.size < 600_000
    assert sys.getsizeof(spool._sizes) < 2000
