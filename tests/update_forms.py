"""Repositories, devices and servers for the tests of updates."""

import json
import shutil
import threading
from contextlib import contextmanager
from functools import cache
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from edgelstm.runtime.updates.ledger import Release
from edgelstm.runtime.updates.repository_client import Request, fetch_release
from edgelstm.runtime.updates.store import ModelStore
from model_files import repack

from edgelstm.publishing.keys import load_signer, new_key
from edgelstm.publishing.releases import promote, publish
from edgelstm.publishing.repository import Repository

PASSPHRASE = "correct horse battery"
MODELS = Path(__file__).parent / "slim" / "models"
HASTE = (
    "import edgelstm.runtime.updates.update_watch as w; w.FIRST_LOOK = 0.2; w.LOOK = 0.1\n"
    "from edgelstm.cli import main; main()"
)


class Plant:
    """A workstation with keys and a repository, and a device."""

    def __init__(self, folder):
        self.folder = folder
        self.repository = folder / "repository"
        self.root_json = folder / "device-root.json"
        self.device = folder / "device"
        folder.mkdir(exist_ok=True)
        for name in ("root", "spare", "release"):
            new_key(folder / f"{name}.key", PASSPHRASE)
        self.trust()
        shutil.copy(self.repository / "root.json", self.root_json)

    def signer(self, name="release"):
        """A private key."""
        return load_signer(self.folder / f"{name}.key", PASSPHRASE)

    def trust(self, release="release", now=None, days=1095.0):
        """Sign root metadata with both root keys trusted."""
        roots = [self.signer("root"), self.signer("spare")]
        repository = Repository(self.repository, now)
        with repository.locked():
            keys = [one.public_key for one in roots]
            repository.write_root(keys, [self.signer(release).public_key], roots[:1], days)

    def publish(self, marker, group="canary", now=None, days=180.0, key="release", content=None):
        """Publish a model that differs from others by a marker."""
        path = self.folder / "pump.int8.tflite"
        path.write_bytes(model(marker) if content is None else content)
        return publish(path, Repository(self.repository, now), group, self.signer(key), days=days)

    def promote(self, source="canary", to="all"):
        """Promote the model."""
        return promote("pump", Repository(self.repository), source, to, self.signer())

    @property
    def store(self):
        """The device's models."""
        return ModelStore(self.device)

    def request(self, **changes):
        """The device's question."""
        ledger = self.store.ledger
        facts = {
            "url": str(self.repository), "root": str(self.root_json), "folder": str(self.device), "group": "canary",
            "have": ledger.current.digest if ledger.current else "", "highest": ledger.highest,
            "highest_keys": ledger.highest_keys, "refused": ledger.refused,
        }  # fmt: skip
        return Request(**{**facts, **changes})

    def fetch(self, now=None, **changes):
        """Fetch in this process, and install what came without a trial; return the release and whether it came."""
        release, fetched = fetch_release(self.request(**changes), now)
        if fetched:
            content = (self.store.incoming / release.digest).read_bytes()
            self.store.install(release, content, trial=False)
        return release, fetched

    def backup(self, name):
        """A copy of the repository as it is now."""
        return shutil.copytree(self.repository, self.folder / name)


@cache
def model(marker):
    """A good model file whose bytes depend on a marker."""
    return repack((MODELS / "auto.int8.tflite").read_bytes(), metadata={"marker": {"text": marker}})


def release_of(record):
    """A release from an answer in JSON."""
    return Release(**{**record, "signers": tuple(record["signers"]), "trusted": tuple(record["trusted"])})


def in_process(self, module, request, seconds):
    """Stand-in for `Child.ask` that works in this process: for tests that count its writes."""
    if module == "fetch_worker":
        from edgelstm.runtime.updates.fetch_worker import _answer

        return json.loads(json.dumps(_answer(json.loads(json.dumps(request)))))
    return {"rows": 0, "scored": 0, "finite": 0, "alarmed": 0, "alarms": 0, "seconds": 0.0, "channels": []}


class Handler(SimpleHTTPRequestHandler):
    """Server of files with ranges; a class attribute may cut answers short."""

    cut = 0  # bytes after which an answer breaks off, 0 for never
    endless = ""  # part of a path whose answer never ends
    ranges = True
    log = None  # paths with ranges that were asked for

    def do_GET(self):
        """Answer, wholly or in part."""
        type(self).log.append((self.path, self.headers.get("Range")))
        if self.endless and self.endless in self.path:
            self.send_response(200)
            self.end_headers()
            self.flood()
            return
        path = Path(self.translate_path(self.path))
        if not path.is_file():
            self.send_error(404)
            return
        content, start = path.read_bytes(), 0
        asked = self.headers.get("Range")
        if asked and self.ranges:
            start = int(asked.removeprefix("bytes=").rstrip("-"))
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        else:
            self.send_response(200)
        content = content[start:]
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: self.cut or None])

    def flood(self):
        """Send zeros until the client has enough."""
        try:
            while True:
                self.wfile.write(bytes(1 << 16))
        except OSError:
            pass

    def log_message(self, *args):
        """Say nothing."""


@contextmanager
def serving(folder, **attributes):
    """A real HTTP server of a folder; yields its address and the log of requests."""
    log = []
    kind = type("Own", (Handler,), {**attributes, "log": log})
    server = ThreadingHTTPServer(("127.0.0.1", 0), lambda *a: kind(*a, directory=str(folder)))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/", log
    finally:
        server.shutdown()
        server.server_close()
