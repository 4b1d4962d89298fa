"""The systemd unit of a stream with updates: it grants what an update needs, and an update works with no more than that."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

pytest.importorskip("tuf", reason="needs the update extra")
pytest.importorskip("cryptography", reason="needs the publish extra")

from edgelstm.runtime.errors import ConfigError
from edgelstm.runtime.service.config import make_config
from edgelstm.runtime.service.systemd_unit import unit
from edgelstm.runtime.updates.store import ModelStore
from update_forms import HASTE, Plant, serving
from update_process import lines

SANDBOX = Path(__file__).parents[1] / "sandboxed.py"
NEEDS_SYSTEMD = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd is not installed (apt-get install systemd)"
)


def written(source="mqtt://localhost/plant", **updates):
    """Unit of a stream with updates."""
    table = {"url": "https://models.example/", "root": "/etc/edgelstm/root.json", **updates}
    config = make_config({"name": "pump", "source": source, "updates": table, "require-signed": True})
    return unit(config, Path("/etc/edgelstm/pump.toml"), "/opt/edgelstm/bin/edgelstm", [None])


@NEEDS_SYSTEMD
def test_the_unit_with_updates_is_valid_and_hardened(tmp_path):
    file = tmp_path / "edgelstm-pump.service"
    file.write_text(written().replace("/opt/edgelstm/bin/edgelstm", sys.executable))
    verified = subprocess.run(["systemd-analyze", "verify", file], capture_output=True, text=True, timeout=60)
    command = ["systemd-analyze", "security", "--offline=true", "--threshold=20", file]
    security = subprocess.run(command, capture_output=True, text=True, timeout=60)

    assert file.name not in verified.stderr
    assert security.returncode == 0, security.stdout
    assert float(re.search(r"Overall exposure level for \S+: ([0-9.]+)", security.stdout).group(1)) < 1.6


def test_the_unit_grants_an_update_its_network_and_time_and_no_folder_but_its_own():
    remote, stick = written(), written(source="/srv/pump.csv", url="/media/usb")

    assert "IPAddressDeny" not in remote
    assert "PrivateNetwork=yes" in stick
    assert "TimeoutStartSec=300" in remote
    assert re.findall(r"^(?:ReadWritePaths|StateDirectory)=(.*)", remote, re.MULTILINE) == ["edgelstm-pump"]
    with pytest.raises(ConfigError, match="own folder only"):
        written(folder="/srv/models")
    with pytest.raises(ConfigError, match="relative"):
        written(root="root.json")


@pytest.fixture
def folder():
    """A folder outside of /tmp, which a service does not see."""
    place = tempfile.mkdtemp(prefix="edgelstm-", dir="/var/lib" if os.access("/var/lib", os.W_OK) else None)
    yield Path(place)
    shutil.rmtree(place)


def sandboxed(folder, text, *command, **more):
    """Start a command as a unit restricts it."""
    file = folder / "edgelstm-pump.service"
    file.write_text(text)
    state = folder / "state"
    state.mkdir(exist_ok=True)
    net = ["--net"] if "PrivateNetwork=yes" in text else []
    words = ["unshare", "--mount", *net, sys.executable, str(SANDBOX), str(file), str(state), *map(str, command)]
    return subprocess.Popen(words, env={**os.environ, "STATE_DIRECTORY": str(state)}, stderr=subprocess.PIPE, **more)


def skip_without_a_sandbox(folder, text):
    if sys.platform != "linux" or os.geteuid() or shutil.which("unshare") is None:
        pytest.skip("needs root on Linux, to make a sandbox")
    code = (
        "import os, resource, socket\n"
        "resource.setrlimit(resource.RLIMIT_DATA, (1 << 30, 1 << 30))\n"
        "open('own', 'w').close()\n"
        "for path in ('/etc/edgelstm-test', '/var/lib/edgelstm-test', '../outside'):\n"
        "    try: open(path, 'w')\n"
        "    except OSError: continue\n"
        "    raise SystemExit(f'{path} could be written')\n"
        "try: socket.socket(socket.AF_NETLINK)\n"
        "except OSError: raise SystemExit(0)\n"
        "raise SystemExit('AF_NETLINK could be used')\n"
    )
    process = sandboxed(folder, text, sys.executable, "-c", code)
    errors = process.communicate(timeout=60)[1].decode()
    if process.returncode == 77 or "unshare failed" in errors:
        pytest.skip(f"no sandbox here: {errors}")
    assert process.returncode == 0, errors


@NEEDS_SYSTEMD
@pytest.mark.skipif(not Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h").exists(), reason="needs linux-libc-dev")
def test_a_watch_in_the_sandbox_of_its_unit_updates_itself(folder):
    plant = Plant(folder / "plant")
    plant.publish("first")
    data = folder / "pump.csv"
    data.write_text("time,level_cm,flow_lpm\n")
    rows = lines()
    with serving(plant.repository) as (url, _):
        updates = {"url": url, "root": str(plant.root_json), "group": "canary", "every": "1s"}
        record = {"name": "pump", "source": str(data), "follow": True, "state": "detector", "event-log": "events.jsonl"}
        record |= {"updates": updates, "require-signed": True}
        text = unit(make_config(record), folder / "pump.toml", sys.executable, [None])
        config = [f"{key} = {json.dumps(value)}" for key, value in record.items() if key != "updates"]
        config.append("updates = {" + ", ".join(f"{key} = {json.dumps(value)}" for key, value in updates.items()) + "}")
        (folder / "pump.toml").write_text("\n".join(config))
        skip_without_a_sandbox(folder, text)
        process = sandboxed(folder, text, sys.executable, "-c", HASTE, "run", "--config", folder / "pump.toml")
        store, seen, end = ModelStore(folder / "state" / "updates" / "pump"), [], time.monotonic() + 60
        while len(seen) < 2 and time.monotonic() < end and process.poll() is None:
            with data.open("a") as file:
                file.writelines(next(rows) for _ in range(5))
            current = store.ledger.current
            if current is not None and current.version not in seen:
                seen.append(current.version)
                plant.publish("second")
            time.sleep(0.05)
        process.terminate()
        errors = process.communicate(timeout=30)[1].decode()

    assert seen == [1, 2], errors
    assert process.returncode == 0, errors
    assert store.ledger.error == ""
    assert {path.name for path in (folder / "state").iterdir()} >= {"detector", "events.jsonl", "updates", "tried"}
