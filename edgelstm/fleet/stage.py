"""One step of the work on one asset, done once: known by the hash of what goes in, written whole or not at all."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from edgelstm.runtime.errors import EdgelstmError, OutputError

from ..versions import tool_versions
from .assets import Asset
from .claims import Elsewhere, claimed
from .places import Place

RECORDS = ".fleet"
SCHEMA = 1
RESULT = ("files", "input", "facts", "data", "versions")  # of a record, what a step that was done leaves


class Stage(Protocol):
    """Step of the work, the same for every asset."""

    @property
    def name(self) -> str:
        """Name of the step; its records are in a folder of that name."""

    def options(self) -> dict[str, Any]:
        """Options that the result depends on, as JSON types."""

    def gather(self, asset: Asset, home: Place, folder: Path) -> tuple[Any, str]:
        """Return what goes in, and its hash.

        Args:
            asset: The asset.
            home: The fleet's folder.
            folder: A temporary one.
        """

    def make(self, asset: Asset, gathered: Any, folder: Path) -> Made:
        """Do the work.

        Args:
            asset: The asset.
            gathered: What goes in.
            folder: A temporary one.
        """


@dataclass(frozen=True)
class Made:
    """Result of a step."""

    files: Mapping[str, bytes]
    """Content by file name."""
    facts: dict[str, Any] = field(default_factory=dict)
    """Facts for the manifest, as JSON types."""


@dataclass(frozen=True)
class Task:
    """One asset's turn."""

    stage: Stage
    """The step."""
    asset: Asset
    """The asset."""
    home: Place
    """The fleet's folder."""
    run: str
    """Name of the run."""
    versions: Mapping[str, str]
    """Versions that the result depends on, those of the coordinator."""


@dataclass(frozen=True)
class Done:
    """Outcome of a task, small enough for a hundred thousand of them."""

    asset: str
    """Name of the asset."""
    state: str
    """done (now), kept (it was done), failed, or elsewhere (another run works on it)."""
    error: str = ""
    """Reason of a failure, one line."""


def perform(task: Task) -> Done:
    """Do a task, unless its result is there.

    Raises:
        OutputError: If its result cannot be written.
    """
    from contextlib import ExitStack

    versions = tool_versions()
    if dict(task.versions) != versions:
        return Done(
            task.asset.name, "failed", f"this worker has {_listed(versions)}; the run has {_listed(task.versions)}"
        )
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="edgelstm-")))
        try:
            gathered, digest = task.stage.gather(task.asset, task.home, folder)
        except EdgelstmError as error:
            return _fail(task, "", str(error))
        key = key_of(task.stage, digest, versions)
        if (kept := _kept(task, key)) is not None:
            return kept
        try:
            claim = stack.enter_context(claimed(task.home, f"{task.stage.name}-{task.asset.stem}", task.run))
        except Elsewhere:
            return Done(task.asset.name, "elsewhere")
        if (kept := _kept(task, key)) is not None:  # while it waited
            return kept
        try:
            made = task.stage.make(task.asset, gathered, folder)
        except OutputError:
            raise
        except EdgelstmError as error:
            return _fail(task, key, str(error))
        except Exception as error:  # of a library: it must not stop the other assets
            return _fail(task, key, f"{type(error).__name__}: {error}", refused=False)
        if not claim.is_mine():
            return Done(task.asset.name, "elsewhere")
        _write(task, key, digest, made)
    return Done(task.asset.name, "done")


def key_of(stage: Stage, digest: str, versions: Mapping[str, str]) -> str:
    """Hash of all that a result depends on, hex.

    Args:
        stage: The step with its options.
        digest: Hash of what goes in.
        versions: Versions of the tools.
    """
    facts = {
        "schema": SCHEMA,
        "stage": stage.name,
        "options": stage.options(),
        "input": digest,
        "versions": dict(versions),
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def record_name(stage: str, asset: Asset) -> str:
    """Name of the record of a step.

    Args:
        stage: Name of the step.
        asset: The asset.
    """
    return f"{RECORDS}/{stage}/{asset.stem}.json"


def read_record(home: Place, stage: str, asset: Asset) -> dict[str, Any] | None:
    """Return the record of a step; None where there is none.

    Args:
        home: The fleet's folder.
        stage: Name of the step.
        asset: The asset.
    """
    content = home.read(record_name(stage, asset))
    try:
        record = None if content is None else json.loads(content)
    except ValueError:
        return None
    return record if isinstance(record, dict) and record.get("schema") == SCHEMA else None


def is_whole(home: Place, record: Mapping[str, Any]) -> bool:
    """Tell whether the files of a record are there as they were written.

    Args:
        home: The fleet's folder.
        record: Of a step that was done.
    """
    return all(
        (content := home.read(name)) is not None and hashlib.sha256(content).hexdigest() == known
        for name, known in record["files"].items()
    )


def _kept(task: Task, key: str) -> Done | None:
    """The outcome that is there already; what a library failed at is tried again."""
    record = read_record(task.home, task.stage.name, task.asset)
    if record is None or record["key"] != key:
        return None
    if record["refused"]:
        return Done(task.asset.name, "failed", record["error"])
    if not record["files"] or not is_whole(task.home, record):
        return None
    if record["error"]:  # of a later attempt, such as one while its data were out of reach
        _record(task, key, **{name: record[name] for name in RESULT})
    return Done(task.asset.name, "kept")


def _write(task: Task, key: str, digest: str, made: Made) -> None:
    """Write the record, then the files: a step is done when the files have the hashes of the record."""
    files = {name: hashlib.sha256(content).hexdigest() for name, content in made.files.items()}
    _record(task, key, files=files, input=digest, facts=made.facts)
    for name, content in made.files.items():
        task.home.write(name, content)


def _fail(task: Task, key: str, error: str, refused: bool = True) -> Done:
    line = " ".join(error.split())[:500]
    earlier = None if key else read_record(task.home, task.stage.name, task.asset)
    if earlier is not None and earlier["files"]:  # what was made before is still there
        _record(task, earlier["key"], error=line, **{name: earlier[name] for name in RESULT})
    else:
        _record(task, key, error=line, refused=refused)
    return Done(task.asset.name, "failed", line)


def write_crash(task: Task, error: str) -> None:
    """Write down that the processes of a task ended.

    Args:
        task: The task.
        error: Reason, one line.
    """
    _fail(task, "", error, refused=False)


def _record(task: Task, key: str, **more: Any) -> None:
    record = {
        "schema": SCHEMA, "asset": task.asset.name, "data": list(task.asset.files), "key": key, "versions": dict(task.versions),
        "error": "", "refused": False, "files": {}, "input": "", "facts": {}, **more,
    }  # fmt: skip
    task.home.write(record_name(task.stage.name, task.asset), json.dumps(record, indent=1).encode() + b"\n")


def _listed(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))
