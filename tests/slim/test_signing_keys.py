"""Signing keys: made, rotated, lost and stolen, as docs/how-to/update-models.md has it."""

import os
import pty
import shutil
import stat
import subprocess
import sys

import pytest

pytest.importorskip("tuf", reason="needs the update extra")
pytest.importorskip("cryptography", reason="needs the publish extra")

from edgelstm.runtime.errors import ConfigError
from edgelstm.runtime.updates.repository_client import fetch_release
from tuf.api.exceptions import RepositoryError
from update_forms import PASSPHRASE, Plant

from edgelstm.publishing.keys import load_public_key, load_signer, new_key
from edgelstm.publishing.releases import renew
from edgelstm.publishing.repository import Repository


@pytest.fixture
def plant(tmp_path):
    return Plant(tmp_path)


def test_a_private_key_is_encrypted_and_for_its_owner_alone(tmp_path):
    path = tmp_path / "release.key"
    new_key(path, PASSPHRASE)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert b"ENCRYPTED" in path.read_bytes()
    with pytest.raises(ConfigError, match="passphrase is wrong"):
        load_signer(path, "another passphrase")
    with pytest.raises(ConfigError, match="already"):
        new_key(path, PASSPHRASE)
    with pytest.raises(ConfigError, match="at least 8"):
        new_key(tmp_path / "short.key", "short")


def typed(folder, words, answers):
    """Type answers at a terminal, each when a passphrase is asked for; return what was shown and the exit code."""
    pid, terminal = pty.fork()
    if not pid:
        os.chdir(folder)
        os.environ.pop("EDGELSTM_KEY_PASSPHRASE", None)
        os.execv(sys.executable, [sys.executable, "-m", "edgelstm", *words])
    shown, left = b"", list(answers)
    while True:
        try:
            part = os.read(terminal, 1000)
        except OSError:  # the other end is closed
            break
        shown += part
        if left and part.rstrip().endswith(b":"):
            os.write(terminal, f"{left.pop(0)}\n".encode())
    os.close(terminal)
    return shown.decode(), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_a_passphrase_is_asked_for_twice_and_never_shown(tmp_path):
    shown, code = typed(tmp_path, ["keys", "new", "a.key"], ["a long one", "a mistyped", "a long one", "a long one"])

    assert code == 0
    assert "do not match" in shown
    assert "long one" not in shown
    assert load_signer(tmp_path / "a.key", "a long one")


def test_where_nobody_can_be_asked_for_a_passphrase_the_variable_is_named(tmp_path):
    environment = {key: value for key, value in os.environ.items() if key != "EDGELSTM_KEY_PASSPHRASE"}
    command = [sys.executable, "-m", "edgelstm", "keys", "new", str(tmp_path / "a.key")]
    done = subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, start_new_session=True
    )

    assert done.returncode == 1
    assert "Set EDGELSTM_KEY_PASSPHRASE" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_no_key_is_refused_by_name(tmp_path):
    path = tmp_path / "text"
    path.write_text("no key")

    with pytest.raises(ConfigError, match=r"no public key. Name the \.pub"):
        load_public_key(path)
    with pytest.raises(ConfigError, match="no private key"):
        load_signer(path, PASSPHRASE)
    with pytest.raises(ConfigError, match="There is no key"):
        load_signer(tmp_path / "none", PASSPHRASE)


def test_a_root_key_signs_no_models_and_a_release_key_no_roots(plant):
    with pytest.raises(ConfigError, match="may not sign models"):
        plant.publish("first", key="root")
    repository, release = Repository(plant.repository), plant.signer()
    with pytest.raises(ConfigError, match="cannot be a release key"):
        repository.write_root([release.public_key], [release.public_key], [release])
    with pytest.raises(ConfigError, match="one of the old"):
        repository.write_root([release.public_key], [plant.signer("root").public_key], [release])


def test_a_repository_without_a_root_says_how_to_make_one(plant, tmp_path):
    with pytest.raises(ConfigError, match="edgelstm keys root"):
        renew(Repository(tmp_path / "empty"), plant.signer())


def test_a_lost_release_key_is_replaced_and_devices_follow(plant):
    plant.publish("first")
    plant.fetch()
    new_key(plant.folder / "release-2.key", PASSPHRASE)

    plant.trust("release-2")
    with pytest.raises(RepositoryError):
        plant.fetch()  # nothing is signed with the new key yet
    renew(Repository(plant.repository), plant.signer("release-2"))
    plant.publish("second", key="release-2")

    assert plant.fetch()[0].version == 2
    with pytest.raises(ConfigError, match="may not sign models"):
        plant.publish("third")


def test_what_a_thief_signed_is_worthless_after_the_key_is_replaced(plant):
    plant.publish("first")
    for marker in ("evil 1", "evil 2", "evil 3"):
        plant.publish(marker)
    plant.fetch()
    evil = plant.backup("evil")
    new_key(plant.folder / "release-2.key", PASSPHRASE)

    plant.trust("release-2")
    for path in plant.repository.glob("metadata/*"):
        if not path.name.endswith("root.json"):
            path.unlink()
    shutil.rmtree(plant.repository / "targets")
    plant.publish("good", key="release-2")

    release, fetched = plant.fetch()
    assert (fetched, release.version) == (True, 1)  # versions count anew: a thief's high numbers do not bind
    with pytest.raises(RepositoryError):
        plant.fetch(url=str(evil))


def test_a_lost_root_key_is_replaced_with_the_spare_one(plant):
    plant.publish("first")
    plant.fetch()
    new_key(plant.folder / "root-2.key", PASSPHRASE)
    spare, new = plant.signer("spare"), plant.signer("root-2")

    Repository(plant.repository).write_root(
        [new.public_key, spare.public_key], [plant.signer().public_key], [new, spare]
    )
    plant.publish("second")

    assert plant.fetch()[0].version == 2


def test_a_device_that_slept_through_three_rotations_follows_them(plant):
    plant.publish("first")
    for _ in range(3):
        plant.trust()
    plant.publish("second")

    assert fetch_release(plant.request())[0].version == 2


def test_renewed_signatures_bring_an_expired_repository_back(plant):
    plant.publish("first", days=-1)
    with pytest.raises(RepositoryError, match="expired"):
        plant.fetch()

    models = renew(Repository(plant.repository), plant.signer())

    assert [model.version for model in models] == [1]
    assert plant.fetch()[1]
