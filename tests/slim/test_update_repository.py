"""Models that a device takes from a repository, and attacks that it withstands."""

import json
import os
import shutil

import pytest

pytest.importorskip("tuf", reason="needs the update extra")
pytest.importorskip("cryptography", reason="needs the publish extra")

from datetime import datetime

from edgelstm.runtime.errors import ConfigError, EdgelstmError, ModelError
from edgelstm.runtime.updates.clock import BUILT, newest_time
from tuf.api.exceptions import DownloadError, RepositoryError
from tuf.api.metadata import Metadata
from update_forms import Plant, model, serving

DAY = 86_400.0
REFUSALS = (RepositoryError, DownloadError, EdgelstmError)


@pytest.fixture
def plant(tmp_path):
    return Plant(tmp_path)


def test_a_published_model_reaches_its_group_and_promoted_it_reaches_all(plant):
    plant.publish("first")

    release, fetched = plant.fetch()

    assert fetched
    assert (release.name, release.version, release.group) == ("pump", 1, "canary")
    assert release.signers == (plant.signer().public_key.keyid,)
    with pytest.raises(ModelError, match="no model at all for the group plant"):
        plant.fetch(group="plant", have="")
    plant.promote()
    assert plant.fetch(group="plant", have="")[0].digest == release.digest
    assert plant.fetch() == (release, False)  # the same model: nothing is fetched


def test_the_newer_of_the_own_group_and_all_is_taken(plant):
    plant.publish("first", "canary")
    plant.publish("second", "all")

    assert plant.fetch()[0].version == 2


def test_publishing_the_same_file_twice_changes_nothing_and_an_older_one_gets_a_new_version(plant):
    assert plant.publish("first").version == plant.publish("first").version == 1
    assert plant.publish("second").version == 2
    assert plant.publish("first").version == 3


def test_a_group_is_not_promoted_over_a_newer_model(plant):
    plant.publish("first", "canary")
    plant.publish("second", "all")

    with pytest.raises(ConfigError, match="newer than 1"):
        plant.promote()


def test_a_damaged_model_is_never_published(plant):
    with pytest.raises(ModelError):
        plant.publish("", content=model("x")[:-40])

    assert not list(plant.repository.glob("targets/**/*.tflite"))


def newest(plant, role):
    """File of the newest metadata of a role."""
    paths = plant.repository.glob(f"metadata/*.{role}.json")
    return max(paths, key=lambda path: int(path.name.partition(".")[0]))


def flipped(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def another_model(plant):
    path = next(plant.repository.glob("targets/canary/*.tflite"))
    path.write_bytes(model("another"))


def longer_model(plant):
    path = max(plant.repository.glob("targets/canary/*.tflite"), key=os.path.getmtime)
    path.write_bytes(path.read_bytes() + bytes(100_000))


def shorter_model(plant):
    path = max(plant.repository.glob("targets/canary/*.tflite"), key=os.path.getmtime)
    path.write_bytes(path.read_bytes()[:-1])


def all_models(change):
    def apply(plant):
        for path in plant.repository.glob("targets/canary/*.tflite"):
            change(path)

    return apply


def of_a_stranger(plant):
    stranger = Plant(plant.folder / "stranger")
    stranger.publish("of a stranger")
    shutil.rmtree(plant.repository)
    shutil.copytree(stranger.repository, plant.repository)


def mixed_roots(plant):
    stranger = Plant(plant.folder / "stranger")
    stranger.trust()
    shutil.copy(stranger.repository / "metadata/2.root.json", plant.repository / "metadata/2.root.json")


def older_snapshot(plant):
    newer = newest(plant, "snapshot")
    shutil.copy(newer.with_name("1.snapshot.json"), newer)


def older_targets(plant):
    newer = newest(plant, "targets")
    shutil.copy(newer.with_name("1.targets.json"), newer)


def a_pipe(plant):
    path = plant.repository / "metadata/timestamp.json"
    path.unlink()
    os.mkfifo(path)


def huge_metadata(plant):
    (plant.repository / "metadata/timestamp.json").write_bytes(b" " * (1 << 24))


def deep_metadata(plant):
    (plant.repository / "metadata/timestamp.json").write_bytes(b"[" * 15_000)


def unsigned(plant):
    path = plant.repository / "metadata/timestamp.json"
    record = json.loads(path.read_bytes())
    path.write_text(json.dumps({**record, "signatures": []}))


def signed_by_the_root_key(plant):
    path = plant.repository / "metadata/timestamp.json"
    metadata = Metadata.from_file(str(path))
    metadata.sign(plant.signer("root"))
    metadata.to_file(str(path))


ATTACKS = {
    "timestamp with a bit flipped": lambda plant: flipped(plant.repository / "metadata/timestamp.json"),
    "snapshot with a bit flipped": lambda plant: flipped(newest(plant, "snapshot")),
    "targets with a bit flipped": lambda plant: flipped(newest(plant, "targets")),
    "model with a bit flipped": all_models(flipped),
    "another model under the name of the signed one": all_models(lambda path: path.write_bytes(model("another"))),
    "a longer model": longer_model,
    "a shorter model": shorter_model,
    "an empty model": all_models(lambda path: path.write_bytes(b"")),
    "no model": all_models(lambda path: path.unlink()),
    "a repository of a stranger": of_a_stranger,
    "a root of a stranger": mixed_roots,
    "an older snapshot under the newer name": older_snapshot,
    "older targets under the newer name": older_targets,
    "a pipe in place of a file": a_pipe,
    "metadata of 16 MB": huge_metadata,
    "metadata nested 15,000 deep": deep_metadata,
    "metadata without a signature": unsigned,
    "metadata signed by a key of another role": signed_by_the_root_key,
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attacked_repository_is_refused_and_the_model_at_work_stays(plant, attack):
    plant.publish("first")
    before, _ = plant.fetch()
    plant.publish("second")

    ATTACKS[attack](plant)

    with pytest.raises(REFUSALS):
        plant.fetch()
    assert plant.store.ledger.current == before
    assert plant.store.read(before) == model("first")


def test_a_replayed_older_repository_is_refused(plant):
    plant.publish("first")
    old = plant.backup("old")
    plant.publish("second")
    release, _ = plant.fetch()

    with pytest.raises(RepositoryError):
        plant.fetch(url=str(old))
    assert plant.store.ledger.current == release


def test_a_replayed_older_repository_is_refused_after_the_metadata_were_lost_too(plant):
    """A power cut may take what python-tuf remembers; the version of the model stays in the ledger."""
    plant.publish("first")
    old = plant.backup("old")
    plant.publish("second")
    plant.fetch()
    shutil.rmtree(plant.device / "tuf")

    with pytest.raises(ModelError, match="An older model is never taken"):
        plant.fetch(url=str(old))


def test_a_frozen_repository_is_refused_when_it_has_expired(plant):
    now = BUILT + 100 * DAY
    plant.trust(now=now)
    plant.publish("first", now=now, days=30)

    assert plant.fetch(now=now + 29 * DAY)[1]
    with pytest.raises(RepositoryError, match="expired"):
        plant.fetch(now=now + 31 * DAY)


def test_a_clock_of_1970_does_not_bring_expired_metadata_back(plant):
    """Expiry is judged by the newest of clock, build time and last seen time of signing."""
    now = BUILT + 400 * DAY
    plant.trust(now=BUILT)
    plant.publish("first", now=BUILT + DAY, days=30)
    old = plant.backup("old")
    plant.publish("second", now=now)
    assert plant.fetch(now=0.0)[0].version == 2

    assert newest_time(plant.device / "tuf", now=0.0) == now
    with pytest.raises(RepositoryError):
        plant.fetch(now=0.0, url=str(old))
    assert newest_time(plant.folder, now=0.0) == BUILT


def test_the_build_time_is_before_this_day():
    assert datetime.now().timestamp() >= BUILT


@pytest.mark.parametrize("part", ["/targets/", "/metadata/1.targets.json", "/metadata/timestamp.json"])
def test_endless_data_end_at_a_length_that_is_known(plant, part):
    plant.publish("first")

    with serving(plant.repository, endless=part) as (url, _), pytest.raises(REFUSALS, match=r"not the file|exceeding"):
        plant.fetch(url=url)
    assert sum(path.stat().st_size for path in plant.device.rglob("*")) < 100_000


@pytest.mark.parametrize("ranges", [True, False])
def test_an_interrupted_download_goes_on_where_it_broke_off(plant, ranges):
    plant.publish("first")
    size = len(model("first"))

    with serving(plant.repository, cut=size // 3 if ranges else 0, ranges=ranges) as (url, log):
        part = plant.store.incoming / plant.publish("first").digest
        part.write_bytes(model("first")[:100])
        release, fetched = plant.fetch(url=url)

    assert fetched
    assert plant.store.read(release) == model("first")
    asked = [span for path, span in log if path.endswith(".tflite")]
    assert asked[0] == "bytes=100-"


def test_a_redirect_is_not_followed(plant):
    plant.publish("first")

    def redirect(self):
        self.send_response(302)
        self.send_header("Location", "http://127.0.0.1:9/")
        self.end_headers()

    with serving(plant.repository, do_GET=redirect) as (url, _), pytest.raises(DownloadError, match="302"):
        plant.fetch(url=url)
