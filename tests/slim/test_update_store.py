"""A device's models on disk: one at work at any instant, whatever ends the process."""

import json
import os
import shutil
import signal
import subprocess
import sys
import traceback
from pathlib import Path

import pytest

pytest.importorskip("tuf", reason="needs the update extra")
pytest.importorskip("cryptography", reason="needs the publish extra")

from edgelstm.runtime.errors import ConfigError, ModelError
from edgelstm.runtime.updates import child
from edgelstm.runtime.updates.child import Child
from edgelstm.runtime.updates.ledger import MOST_ENTRIES, Ledger, Release, ledger_from_json
from edgelstm.runtime.updates.store import ModelStore
from edgelstm.runtime.updates.update import Place, update
from update_forms import PASSPHRASE, Plant, in_process, model

WRITES = {"open", "os.rename", "os.remove", "os.symlink", "os.mkdir", "os.truncate"}


@pytest.fixture
def plant(tmp_path):
    return Plant(tmp_path)


def place(plant):
    return Place(str(plant.repository), str(plant.root_json), "canary", "")


def killed_at(write, plant):
    """Update in a process of its own that is killed before its write of that number; whether it was killed."""
    pid = os.fork()
    if pid:
        return os.WIFSIGNALED(os.waitpid(pid, 0)[1])
    left = write

    def watch(event, arguments):
        nonlocal left
        if event not in WRITES or not str(arguments[0]).startswith(str(plant.device)):
            return
        if event == "open" and not (arguments[2] & (os.O_WRONLY | os.O_RDWR)):
            return
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)

    Child.ask = in_process
    sys.addaudithook(watch)
    try:
        update(plant.store, place(plant))
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        os._exit(1)


def at_work(plant):
    """The model that a start would take: the ledger's, and the link's."""
    store = plant.store
    release = store.ledger.current
    return release.version, store.read(release), (plant.device / "pump.tflite").read_bytes()


def test_a_kill_at_any_write_of_an_update_leaves_the_old_or_the_new_model(plant):
    plant.publish("first")
    update(plant.store, place(plant))
    plant.publish("second")
    backup = shutil.copytree(plant.device, plant.folder / "backup", symlinks=True)
    contents = {1: model("first"), 2: model("second")}
    versions = []

    for write in range(200):
        shutil.rmtree(plant.device)
        shutil.copytree(backup, plant.device, symlinks=True)
        if not killed_at(write, plant):
            break
        version, content, linked = at_work(plant)
        assert content == contents[version]
        assert linked in contents.values()
        versions.append(version)

    assert at_work(plant) == (2, model("second"), model("second"))
    assert len(versions) > 20
    assert versions == sorted(versions)
    assert set(versions) == {1, 2}


@pytest.mark.parametrize("write", [3, 9, 15, 21])
def test_an_update_after_a_kill_brings_the_new_model(plant, write, monkeypatch):
    plant.publish("first")
    monkeypatch.setattr(child.Child, "ask", in_process)
    update(plant.store, place(plant))
    plant.publish("second")

    assert killed_at(write, plant)
    update(plant.store, place(plant))

    assert at_work(plant) == (2, model("second"), model("second"))


def test_rollback_returns_to_the_model_before_and_never_takes_the_bad_one_again(plant):
    plant.publish("first")
    plant.fetch()
    plant.publish("second")
    bad, _ = plant.fetch()

    assert plant.store.leave("rolled back", "alarms every night", bad.digest)

    assert plant.store.ledger.current.version == 1
    assert (plant.device / "pump.tflite").read_bytes() == model("first")
    assert plant.fetch() == (bad, False)
    assert plant.store.ledger.history[-1].reason == "alarms every night"
    plant.publish("third")
    assert plant.fetch()[0].version == 3


def test_two_updates_in_a_row_return_to_the_last_model_that_was_no_trial():
    one, two, three = (Release("pump", number, "all", f"{number:064x}") for number in (1, 2, 3))

    ledger = Ledger().install(one, 0.0, trial=False).install(two, 1.0, trial=True).install(three, 2.0, trial=True)

    assert ledger.leave("undone", "it crashed", 3.0).current == one
    assert ledger.confirm(4.0).install(two, 5.0, trial=True).previous == three


def test_after_an_undone_update_there_is_still_a_model_to_return_to(plant):
    for marker in ("first", "second", "third"):
        plant.publish(marker)
        bad, _ = plant.fetch()

    plant.store.leave("undone", "it crashed", bad.digest)
    good = plant.store.ledger.current
    plant.store.leave("rolled back", "by hand", good.digest)

    assert (good.version, plant.store.ledger.current.version) == (2, 1)
    assert plant.store.read(plant.store.ledger.current) == model("first")
    assert plant.store.ledger.previous is None
    assert len(list((plant.device / "models").iterdir())) == 1


def test_a_ledger_survives_json_and_keeps_a_bounded_history():
    ledger = Ledger()
    for number in range(MOST_ENTRIES + 50):
        ledger = ledger.install(Release("pump", number, "all", f"{number:064x}", ("k",)), float(number), trial=True)

    assert len(ledger.history) == MOST_ENTRIES
    assert ledger_from_json(ledger.to_json()) == ledger


@pytest.mark.parametrize("damage", [b"", b"{}", b"[1]", b"null", b"[" * 100_000, b'{"schema": 99}', b"\xff"])
def test_a_damaged_ledger_is_refused_by_name(tmp_path, damage):
    store = ModelStore(tmp_path)
    store.path.write_bytes(damage)

    with pytest.raises(ModelError, match=r"ledger\.json cannot be used"):
        _ = store.ledger


def test_a_model_that_was_changed_on_the_device_is_refused(plant):
    plant.publish("first")
    release, _ = plant.fetch()
    plant.store.model_path(release).write_bytes(model("another"))

    with pytest.raises(ModelError, match="damaged on this device"):
        plant.store.read(release)


def test_a_model_that_was_damaged_on_the_device_is_repaired_by_the_next_update(plant):
    plant.publish("first")
    release = update(plant.store, place(plant)).release
    plant.store.model_path(release).write_bytes(b"rot")

    outcome = update(plant.store, place(plant))

    assert (outcome.release, outcome.installed) == (release, True)
    assert at_work(plant) == (1, model("first"), model("first"))
    assert [entry.event for entry in plant.store.ledger.history] == ["installed", "repaired"]
    assert not update(plant.store, place(plant)).installed


def test_two_updates_at_once_are_one(plant):
    plant.publish("first")
    lock = plant.store.updating()

    with pytest.raises(ConfigError, match=r"in use|used twice"):
        update(plant.store, place(plant))
    lock.close()
    assert update(plant.store, place(plant)).installed


def edgelstm(folder, *words):
    """Run a command with the passphrase in the environment."""
    code = "from edgelstm.cli import main; main()"
    environment = {**os.environ, "EDGELSTM_KEY_PASSPHRASE": PASSPHRASE}
    return subprocess.run(
        [sys.executable, "-c", code, *words], cwd=folder, env=environment, capture_output=True, text=True
    )


def test_the_commands_carry_a_model_from_the_workstation_to_the_device_and_back(plant, models):
    folder = plant.folder
    (folder / "pump.int8.tflite").write_bytes(model("first"))
    release = ["--key", "release.key"]
    place = ["--from", "repository", "--root", "device-root.json", "--group", "canary", "--to", "device"]

    assert edgelstm(folder, "publish", "pump.int8.tflite", "--to", "repository", "--group", "canary", *release).stdout
    assert "is installed" in edgelstm(folder, "update", *place).stdout
    assert "at work already" in edgelstm(folder, "update", *place).stdout
    assert edgelstm(folder, "run", "device/pump.tflite", str(models / "stream.csv")).stdout.count("anomaly") > 1
    assert "No signed model came before pump version 1" in edgelstm(folder, "rollback", "device").stderr
    back = edgelstm(folder, "rollback", "device", "--reason", "a test", "--unsigned")
    assert "model of the configuration" in back.stdout
    history = [json.loads(line) for line in edgelstm(folder, "history", "device", "--json").stdout.splitlines()]

    assert [entry["event"] for entry in history] == ["installed", "rolled back"]
    assert history[0]["signers"] == [plant.signer().public_key.keyid]
    assert history[1]["reason"] == "a test"
    assert not Path(folder / "device" / "pump.tflite").exists()


def test_a_refusal_is_one_line_and_kept_for_the_history(plant):
    plant.publish("first")
    for path in plant.repository.glob("targets/canary/*.tflite"):
        path.write_bytes(b"x" * path.stat().st_size)
    place = ["--from", "repository", "--root", "device-root.json", "--group", "canary", "--to", "device"]

    result = edgelstm(plant.folder, "update", *place)

    assert result.returncode == 1
    assert "is not the file that was signed" in result.stderr
    assert "Traceback" not in result.stderr
    assert "is not the file that was signed" in edgelstm(plant.folder, "history", "device").stderr
