"""Damaged and hostile repositories against the device's client.

python benchmarks/fuzz_updates.py --repositories 10000 -o benchmarks/results/fuzz_updates.json

Each repository is a copy of a good one with two versions, changed by one to three of the changes below; the device has installed the
first version. A repository may be accepted only where every signed file in it is as it was signed. In this process for speed;
`--workers` of them go through the child process that a device uses, with its limits.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from edgelstm.runtime.errors import EdgelstmError
from edgelstm.runtime.updates.child import Child
from tuf.api.exceptions import DownloadError, RepositoryError
from update_forms import Plant, model

REFUSALS = (
    RepositoryError,
    DownloadError,
    EdgelstmError,
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
    RecursionError,
)
GOOD = {1: model("first"), 2: model("second"), 3: model("third")}
LIMIT_SECONDS, LIMIT_MB = 30.0, 300.0


def files(folder: Path) -> list[Path]:
    """Files of a repository that a device reads: the newest ones of each role, and the newest model."""
    newest = {path.name.partition(".")[2]: path for path in sorted((folder / "metadata").glob("[0-9]*.json"))}
    newest.pop("root.json", None)  # a device asks for the next one, which is not there
    models = sorted((folder / "targets" / "canary").glob("*.tflite"), key=lambda path: path.stat().st_mtime_ns)
    timestamp = folder / "metadata" / "timestamp.json"
    return [*([timestamp] if timestamp.exists() else []), *newest.values(), *models[-1:]]


def flip(chance: random.Random, folder: Path) -> None:
    """Flip one to eight bits of a file."""
    path = chance.choice(files(folder))
    content = bytearray(path.read_bytes())
    for _ in range(chance.randint(1, 8)):
        if content:
            content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    path.write_bytes(content)


def cut(chance: random.Random, folder: Path) -> None:
    """Cut a file short."""
    path = chance.choice(files(folder))
    content = path.read_bytes()
    path.write_bytes(content[: chance.randrange(len(content) + 1)])


def grow(chance: random.Random, folder: Path) -> None:
    """Append bytes to a file, now and then 30 MB."""
    path = chance.choice(files(folder))
    size = 30_000_000 if chance.random() < 0.02 else chance.randint(1, 70_000)
    with path.open("ab") as file:
        file.write(chance.choice([b"\0", b" ", b"[", b"9"]) * size)


def swap(chance: random.Random, folder: Path) -> None:
    """Put one file in the place of another one."""
    one, other = chance.choice(files(folder)), chance.choice(files(folder))
    other.write_bytes(one.read_bytes())


def remove(chance: random.Random, folder: Path) -> None:
    """Remove a file."""
    chance.choice(files(folder)).unlink()


def number(chance: random.Random, folder: Path) -> None:
    """Change a number or a word of the metadata, the signatures left as they are."""
    path = chance.choice([path for path in files(folder) if path.suffix == ".json"])
    try:
        record = json.loads(path.read_bytes())
    except ValueError:
        return
    node = record
    while isinstance(node, (dict, list)) and node:
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        key = chance.choice(keys)
        if not isinstance(node[key], (dict, list)) or not node[key] or chance.random() < 0.15:
            node[key] = chance.choice([0, -1, 1, 2, 10**30, None, "", "x" * 99, [], {}, True, 1e308])
            break
        node = node[key]
    path.write_text(json.dumps(record))


class World:
    """The good repository and what an attacker may mix into it."""

    def __init__(self, folder: Path) -> None:
        self.plant = Plant(folder / "plant")
        self.plant.publish("first")
        self.plant.fetch()
        self.first = self.plant.backup("first")
        self.plant.publish("second")
        self.plant.fetch()
        self.device = shutil.copytree(self.plant.device, folder / "device", symlinks=True)
        self.second = self.plant.backup("second")
        self.plant.publish("third")
        self.stranger = Plant(folder / "stranger")
        self.stranger.trust()
        for marker in ("evil", "evil 2", "evil 3"):
            self.stranger.publish(marker)

    def replay(self, chance: random.Random, folder: Path) -> None:
        """Offer a file of an older state, or the whole older state."""
        old = chance.choice([self.first, self.second])
        stale = dict(zip(files(folder), files(old), strict=False))  # older content under the newer names
        for path in stale if chance.random() < 0.3 else chance.sample(list(stale), 1):
            path.write_bytes(stale[path].read_bytes())
        if chance.random() < 0.3:
            shutil.copy(old / "metadata" / "timestamp.json", folder / "metadata" / "timestamp.json")

    def mix(self, chance: random.Random, folder: Path) -> None:
        """Offer a file of a stranger's repository, or several."""
        strange = self.stranger.repository
        for path in chance.choices(files(strange), k=chance.choice([1, 1, 2, 5])):
            shutil.copy(path, folder / path.relative_to(strange))
        if chance.random() < 0.5:
            shutil.copy(strange / "metadata" / "2.root.json", folder / "metadata" / "2.root.json")


def attack(world: World, chance: random.Random, folder: Path) -> list[str]:
    """Change a copy of the repository; return the names of the changes."""
    shutil.copytree(world.plant.repository, folder)
    changes = [flip, cut, grow, swap, remove, number, world.replay, world.mix]
    chosen = chance.choices(changes, k=chance.choice([1, 1, 2, 3]))
    for change in chosen:
        if files(folder):
            change(chance, folder)
    return sorted({change.__name__ for change in chosen})


def untouched(world: World, folder: Path) -> bool:
    """Tell whether the device would read what was published, byte by byte."""
    published = world.plant.repository
    paths = {path.relative_to(published) for path in files(published)} | {Path("metadata/2.root.json")}
    return all(content_of(published / path) == content_of(folder / path) for path in paths)


def content_of(path: Path) -> bytes | None:
    """Bytes of a file, None where there is none."""
    return path.read_bytes() if path.exists() else None


def fuzz(world: World, count: int, workers: int, seed: int) -> dict[str, object]:
    """Offer repositories to a device; raise where one is accepted that must not be."""
    chance, outcomes, by_change = random.Random(seed), Counter[str](), Counter[str]()
    slowest = 0.0
    place = world.plant.folder / "attacked"
    for index in range(count):
        shutil.rmtree(place, ignore_errors=True)
        shutil.rmtree(world.plant.device)
        shutil.copytree(world.device, world.plant.device, symlinks=True)
        names = attack(world, chance, place)
        while untouched(world, place):
            shutil.rmtree(place)
            names = attack(world, chance, place)
        by_change.update(names)
        begin = time.perf_counter()
        outcome = offer(world, place, in_child=index < workers)
        slowest = max(slowest, time.perf_counter() - begin)
        outcomes[outcome] += 1
        ledger = world.plant.store.ledger
        assert ledger.current is not None, names
        content = world.plant.store.read(ledger.current)
        assert content in (GOOD[2], GOOD[3]), (index, names)
        assert (content == GOOD[3]) == outcome.startswith("the newest model was taken"), (index, names)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    assert max(peak, children) < LIMIT_MB
    assert slowest < LIMIT_SECONDS
    return {
        "repositories": count, "outcomes": dict(outcomes), "changes": dict(by_change), "through_child": workers,
        "slowest_seconds": round(slowest, 3), "peak_mb": round(peak), "peak_child_mb": round(children), "seed": seed,
        "forged_or_older_models_accepted": 0,
    }  # fmt: skip


def offer(world: World, repository: Path, in_child: bool) -> str:
    """Let the device update from a repository; return the outcome in words."""
    plant = world.plant
    try:
        if in_child:
            request = dict(vars(plant.request(url=str(repository))))
            answer = Child().ask("fetch_worker", request, LIMIT_SECONDS)
            if answer["fetched"]:
                plant.fetch(url=str(repository))
            fetched = answer["fetched"]
        else:
            fetched = plant.fetch(url=str(repository))[1]
    except REFUSALS as error:
        return f"refused: {type(error).__name__}"
    return "the newest model was taken: the signed content is whole" if fetched else "nothing new"


def verification(world: World, times: int = 20) -> dict[str, float]:
    """Measure a look at the repository that finds and fetches a new model, in this process."""
    spent = []
    for _ in range(times):
        shutil.rmtree(world.plant.device)
        shutil.copytree(world.device, world.plant.device, symlinks=True)
        begin = time.perf_counter()
        world.plant.fetch()
        spent.append(time.perf_counter() - begin)
    return {"verify_fetch_and_install_seconds_median": round(sorted(spent)[times // 2], 4)}


def main() -> None:
    """Run all of it, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repositories", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=200, help="of them, through the device's child process")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder))
        figures = {**verification(world), **fuzz(world, options.repositories, options.workers, options.seed)}
    text = json.dumps(figures, indent=1)
    print(text)
    if options.output:
        options.output.write_text(text + "\n")


if __name__ == "__main__":
    main()
