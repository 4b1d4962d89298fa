"""A real PostgreSQL, started and stopped by the tests on loopback."""

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
from edgelstm.runtime.io.addresses import parse_address
from edgelstm.runtime.sources import Columns, open_source
from mqtt_helpers import free_port

psycopg = pytest.importorskip("psycopg", reason="the extra [postgres] is not installed")

BIN = max(Path("/usr/lib/postgresql").glob("*/bin"), default=None)
NEEDS_POSTGRES = pytest.mark.skipif(BIN is None, reason="PostgreSQL is not installed (apt-get install postgresql)")
FLOW = Columns(("flow", "motor"))
PASSWORD = "höchst/geheim?"


def _user():
    """Keywords of a process that runs as a plain user: the server refuses root."""
    if os.getuid():
        return {}
    entry = pwd.getpwnam("postgres")
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


class Server:
    """A server with an empty database and a user `watch` with a password."""

    def __init__(self):
        self.folder, self.port, self.process = Path(tempfile.mkdtemp(prefix="edgelstm-pg")), free_port(), None
        (self.folder / "password").write_text(PASSWORD)
        if user := _user():
            for path in (self.folder, self.folder / "password"):
                os.chown(path, user["user"], user["group"])
        self._run("initdb", "-D", self.folder / "data", "-U", "watch", "-A", "scram-sha-256", "-E", "UTF8", "--no-sync",
                  "--no-locale", f"--pwfile={self.folder / 'password'}")  # fmt: skip

    def _run(self, program, *arguments):
        done = subprocess.run([BIN / program, *arguments], capture_output=True, text=True, cwd="/", **_user())
        assert done.returncode == 0, done.stderr

    def start(self):
        options = [f"port={self.port}", "listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off"]
        command = [BIN / "postgres", "-D", self.folder / "data", *(word for one in options for word in ("-c", one))]
        self.process = subprocess.Popen(command, stderr=subprocess.DEVNULL, cwd="/", **_user())
        end = time.monotonic() + 20
        while True:
            try:
                psycopg.connect(self.conninfo, connect_timeout=2).close()
                return self
            except psycopg.OperationalError:
                assert time.monotonic() < end, "PostgreSQL does not start"
                time.sleep(0.02)

    @property
    def conninfo(self):
        return psycopg.conninfo.make_conninfo(
            host="127.0.0.1", port=self.port, user="watch", password=PASSWORD, dbname="postgres"
        )

    def do(self, statement, rows=None):
        """Execute a statement, once or for many rows; give what it returns."""
        with psycopg.connect(self.conninfo) as connection, connection.cursor() as cursor:
            if rows is not None:
                cursor.executemany(statement, rows)
                return None
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else None

    def stop(self):
        """Stop at once, without waiting for clients."""
        if self.process is not None:
            self.process.send_signal(2)  # SIGINT: fast shutdown
            self.process.wait(20)
            self.process = None

    def remove(self):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def address(server, options="table=pump&key=id&every=0.05", database="postgres"):
    return f"postgresql://watch@127.0.0.1:{server.port}/{database}?password-env=PUMP_PASSWORD&{options}"


def opened(server, options="table=pump&key=id&every=0.05", columns=FLOW):
    return open_source(parse_address(address(server, options)), columns)


def insert(server, values):
    server.do("INSERT INTO pump (flow, motor) VALUES (%s, 0)", [(value,) for value in values])
