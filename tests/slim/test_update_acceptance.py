"""The model that a stream starts with, and the conditions under which a fetched one may take over."""

import json
import subprocess
import sys
import time

import numpy as np
import pytest

pytest.importorskip("tuf", reason="needs the update extra")
pytest.importorskip("cryptography", reason="needs the publish extra")

from edgelstm.runtime.alarms.events import Event, Result
from edgelstm.runtime.diagnostics.updates import check_updates
from edgelstm.runtime.errors import ConfigError, ModelError
from edgelstm.runtime.model_file.bundle import parse_bundle
from edgelstm.runtime.service.assembly import assemble
from edgelstm.runtime.service.config import make_config
from edgelstm.runtime.updates.acceptance import judge_replay
from edgelstm.runtime.updates.child import Child
from edgelstm.runtime.updates.normal_rows import MOST_ROWS, NormalRows, load_normal_rows
from edgelstm.runtime.updates.probation import Probation
from edgelstm.runtime.updates.promise import AlarmCount, allowed_alarms
from edgelstm.runtime.updates.startup import MOST_STARTS, choose_signed
from edgelstm.runtime.updates.update import Place, update
from model_files import aborting, repack
from update_forms import MODELS, Plant, model

from edgelstm.publishing import releases

ROWS = np.loadtxt(MODELS / "stream.csv", delimiter=",", skiprows=1)
NORMAL = ROWS[:150]


@pytest.fixture
def plant(tmp_path):
    plant = Plant(tmp_path)
    plant.publish("first")
    plant.fetch()
    return plant


def second(plant):
    """Install the second version."""
    plant.publish("second")
    return plant.fetch()[0]


def test_a_model_that_alarms_on_the_last_normal_rows_is_refused_before_it_takes_over(plant):
    rows = NormalRows(plant.device, 2)
    for row in NORMAL:
        rows.add(float(row[0]), row[1:].tolist())
    rows.save()
    plant.publish("", content=repack(model("x"), metadata={"threshold": {"value": 1e-6}}))

    with pytest.raises(ModelError, match="It alarms on normal rows"):
        update(plant.store, Place(str(plant.repository), str(plant.root_json), "canary", "pump"), Child())
    assert plant.store.ledger.current.version == 1
    assert plant.store.ledger.history[-1].event == "refused"


def test_a_process_that_crashes_again_and_again_starts_with_the_model_before(plant):
    second(plant)
    for _ in range(MOST_STARTS):
        assert choose_signed(plant.store, None, spare=False).release.version == 2
        plant.store.count_start(plant.store.ledger.starts + 1)

    assert choose_signed(plant.store, None, spare=False).release.version == 1
    assert "ended the process 3 times" in plant.store.ledger.history[-1].reason


def test_a_damaged_model_at_the_start_gives_way_to_the_one_before(plant):
    release = second(plant)
    plant.store.model_path(release).write_bytes(b"rot")

    start = choose_signed(plant.store, None, spare=False)

    assert start.release.version == 1
    assert "damaged on this device" in start.fallback
    assert plant.store.ledger.current == release  # the next update repairs it


def test_a_model_that_fails_its_trial_at_the_start_is_undone(plant, tmp_path, monkeypatch):
    """As after an update of the interpreter, which asks for another trial."""
    monkeypatch.setattr(releases, "try_model", lambda *_: None)
    plant.publish("", content=aborting(MODELS))
    release, _ = plant.fetch()

    dry = choose_signed(plant.store, tmp_path / "notes", spare=False, dry=True)
    assert plant.store.ledger.current == release
    start = choose_signed(plant.store, tmp_path / "notes", spare=False)

    assert dry.release.version == start.release.version == plant.store.ledger.current.version == 1
    assert "ended a process in a trial" in plant.store.ledger.history[-1].reason
    assert release.digest in plant.store.ledger.refused


def test_alarms_are_judged_by_what_the_threshold_promises(plant):
    metadata = parse_bundle(model("first")).metadata

    assert allowed_alarms(metadata, 0) == 0
    assert 1 <= allowed_alarms(metadata, 100) < allowed_alarms(metadata, 10_000) < 60
    probation = Probation(metadata, 3600)
    assert probation.add(Result(None, 1.0, 2.0, False, (1.0, 0.0)), 0.001) == ""


def test_one_alarm_that_never_ends_breaks_the_promise_though_few_rows_are_above_the_threshold():
    """Hysteresis keeps an alarm open on rows between the two limits."""
    metadata, count = parse_bundle(model("first")).metadata, AlarmCount()
    begin = Event("id", "anomaly", "open", 0.0, None, 2.0, ())
    for number in range(200):
        above = number % 10 == 0
        count.add(Result(None, 1.0, 1.1, above, (1.0, 0.0), events=() if number else (begin,)))

    assert "200 of 200 rows were in alarm" in count.broken_promise(metadata)
    assert AlarmCount(200, 1, 99).broken_promise(metadata) == ""


@pytest.mark.parametrize(
    ("counts", "reason"),
    [
        ({"finite": 90}, "10 of 100 scores"),
        ({"scored": 0, "finite": 0}, "no score on 1000"),
        ({"seconds": 1e6}, "too slow"),
        ({"alarms": 90}, "alarms on normal rows"),
        ({"alarmed": 90}, "above its threshold"),
    ],
)
def test_a_replay_is_judged_by_its_counts(counts, reason):
    good = {"rows": 1000, "scored": 100, "finite": 100, "alarmed": 0, "alarms": 0, "seconds": 0.001}
    metadata = parse_bundle(model("first")).metadata

    judge_replay(metadata, good)
    with pytest.raises(ModelError, match=reason):
        judge_replay(metadata, {**good, **counts})


def test_the_ring_of_normal_rows_is_bounded_and_survives_a_restart(tmp_path):
    rows = NormalRows(tmp_path, 2)
    for number in range(MOST_ROWS + 10):
        rows.add(None, (float(number), 1.0))
    rows.save()

    assert load_normal_rows(tmp_path)[0, 1] == 10.0
    assert len(NormalRows(tmp_path, 2)._rows) == MOST_ROWS
    assert len(NormalRows(tmp_path, 3)._rows) == 0  # of another model


def config(plant, **changes):
    updates = {"url": str(plant.repository), "root": str(plant.root_json), "group": "canary"}
    return make_config({
        "name": "pump", "source": str(MODELS / "stream.csv"), "state-dir": str(plant.folder / "state"),
        "updates": updates, "require-signed": True, **changes,
    })  # fmt: skip


def test_run_with_updates_fetches_its_first_model_itself_and_says_what_it_runs(plant, capsys):
    (runner,) = assemble(config(plant))
    runner.run()

    assert runner.watch.report["version"] == 1
    assert [json.loads(line)["kind"] for line in capsys.readouterr().out.splitlines()].count("anomaly") > 1


def test_nothing_unsigned_runs_where_signatures_are_required(plant):
    with pytest.raises(ModelError, match="cannot be read"):
        assemble(
            config(
                plant,
                updates={"url": str(plant.folder / "none"), "root": str(plant.root_json)},
                model=str(MODELS / "auto.int8.tflite"),
            )
        )
    with pytest.raises(ConfigError, match="require-signed requires updates"):
        make_config({"model": "a.tflite", "require-signed": True})


def test_an_unsigned_model_runs_until_a_signed_one_is_there(plant):
    wanted = config(plant, model=str(MODELS / "auto.int8.tflite"), **{"require-signed": False})

    (runner,) = assemble(wanted)

    assert runner.watch.report["digest"] == ""
    runner.watch.close()


def test_a_watch_with_updates_loads_no_python_tuf():
    """It would take 24 MB; the child process that verifies has it."""
    code = (
        "import sys\n"
        "import edgelstm.runtime.service.assembly, edgelstm.runtime.service.signed_stream, edgelstm.runtime.service.runner\n"
        "print(*sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    loaded = result.stdout.split()
    assert "edgelstm.runtime.updates.update_watch" in loaded
    assert not [name for name in loaded if name.partition(".")[0] in ("tuf", "securesystemslib", "urllib3")]


def test_doctor_names_what_updates_lack(plant):
    now = time.time()

    good = {finding.check: finding for finding in check_updates(plant.device, now)}
    late = {finding.check: finding for finding in check_updates(plant.device, now + 200 * 86_400)}
    early = {finding.check: finding for finding in check_updates(plant.device, 0.0)}
    plant.store.note_error("no route to host")
    failed = {finding.check: finding for finding in check_updates(plant.device, now)}

    assert {finding.status for finding in good.values()} == {"ok"}
    assert late["update repository"].status == "fail"
    assert "keys renew" in late["update repository"].remedy
    assert early["update clock"].status == "warn"
    assert early["update repository"].status == "ok"
    assert "no route to host" in failed["signed model"].detail


def test_a_signed_model_that_ends_the_interpreter_is_refused_on_the_device(plant, monkeypatch):
    """As a thief of the release key would publish it."""
    monkeypatch.setattr(releases, "try_model", lambda *_: None)
    plant.publish("", content=aborting(MODELS))

    with pytest.raises(ModelError, match="was refused: It ended a process in a trial"):
        update(plant.store, Place(str(plant.repository), str(plant.root_json), "canary", "pump"), Child())
    assert plant.store.ledger.current.version == 1
