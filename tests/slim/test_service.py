"""The systemd unit, its notifications and its watchdog."""

import re
import shutil
import socket
import subprocess
import sys
import threading
import time

import pytest
from command_helpers import MODEL, edgelstm, spawn
from edgelstm.runtime.errors import ConfigError
from edgelstm.runtime.io.addresses import read_secret
from edgelstm.runtime.service.config import make_config
from edgelstm.runtime.service.systemd import Watchdog
from edgelstm.runtime.service.systemd_unit import template, unit
from sink_helpers import wait_for


@pytest.fixture
def systemd(tmp_path):
    """A NOTIFY_SOCKET, and what came in it."""
    channel = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    channel.bind(str(tmp_path / "notify"))
    channel.settimeout(0.05)
    got = []

    def read():
        while True:
            try:
                got.append((time.monotonic(), channel.recv(4096).decode()))
            except TimeoutError:
                continue
            except OSError:
                return

    reader = threading.Thread(target=read)
    reader.start()
    yield {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "2000000"}, got
    channel.close()
    reader.join()


def test_systemd_is_told_of_the_start_the_end_and_of_samples_only(systemd, tmp_path):
    env, got = systemd
    data = tmp_path / "live.csv"
    data.write_text("time,level_cm,flow_lpm\n")
    process = spawn("run", MODEL, data, "--follow", env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert wait_for(lambda: got)
    time.sleep(0.7)
    before = [text for _, text in got if text == "WATCHDOG=1"]
    with data.open("a") as stream:
        for i in range(30):
            stream.write(f"{i},50,7\n")
            stream.flush()
            time.sleep(0.1)
    fed = sum(text == "WATCHDOG=1" for _, text in got)
    time.sleep(0.7)
    silent = sum(text == "WATCHDOG=1" for _, text in got)
    process.terminate()
    process.wait(20)
    assert wait_for(lambda: got[-1][1] == "STOPPING=1")

    assert got[0][1].startswith("READY=1")
    assert before == []
    assert fed >= 5
    assert silent <= fed + 2


def test_the_watchdog_starves_when_one_of_two_streams_stands_still():
    class Still:
        status = type("S", (), {"samples": 0, "state": "running"})()

    busy, still = Still(), Still()
    still.status = type("S", (), {"samples": 0, "state": "running"})()
    dog = Watchdog([busy, still], 1000.0)
    busy.status.samples = 5
    one = dog.all_advanced()
    still.status.samples = 1
    both = dog.all_advanced()
    dog.close()

    assert (one, both) == (False, True)


def test_a_watchdog_that_samples_cannot_meet_is_lengthened(systemd):
    env, got = systemd
    data = "time,level_cm,flow_lpm\n" + "".join(f"{i},50,7\n" for i in range(3))
    edgelstm("run", MODEL, "-", env={**env, "WATCHDOG_USEC": "1500000"}, stdin=data)
    assert wait_for(lambda: got and got[-1][1] == "STOPPING=1")

    assert got[0][1] == "WATCHDOG_USEC=10000000"


def service_config(folder, **more):
    record = {"model": str(MODEL), "source": "mqtts://broker/plant/#?password-file=/etc/edgelstm/password", **more}
    return make_config(record), folder / "pump.toml"


UNITS = {
    "network": {},
    "serial": {"source": "serial:/dev/ttyUSB0", "to": ["sqlite:events.db"]},
    "field-bus": {"source": "modbus+serial:/dev/ttyUSB1?map=/home/pi/pump.csv", "to": ["modbus://127.0.0.1/1?coil=5"]},
    "loopback": {"source": "mqtt://localhost/#", "listen": "127.0.0.1:8377"},
}


@pytest.mark.parametrize("kind", [*UNITS, "template"])
@pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd is not installed (apt-get install systemd)"
)
def test_the_unit_is_valid_and_hardened(tmp_path, kind):
    if kind == "template":
        file = tmp_path / "edgelstm@pump.service"
        file.write_text(template(sys.executable))
    else:
        file = tmp_path / "edgelstm-pump.service"
        file.write_text(unit(*service_config(tmp_path, **UNITS[kind]), sys.executable, [1.0]))
    verified = subprocess.run(["systemd-analyze", "verify", file], capture_output=True, text=True, timeout=60)
    security = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=20", file],
        capture_output=True,
        text=True,
        timeout=60,
    )
    exposure = float(re.search(r"Overall exposure level for \S+: ([0-9.]+)", security.stdout).group(1))

    assert file.name not in verified.stderr
    assert exposure < 2.0
    assert security.returncode == 0


def test_the_unit_grants_what_the_configuration_needs_and_no_more(tmp_path):
    made = {kind: unit(*service_config(tmp_path, **more), "/opt/edgelstm", [60.0]) for kind, more in UNITS.items()}

    assert "LoadCredential=password:/etc/edgelstm/password" in made["network"]
    assert "DeviceAllow" not in made["network"]
    assert "DeviceAllow=/dev/ttyUSB0 rw" in made["serial"]
    assert "PrivateNetwork=yes" in made["serial"]
    assert "IPAddressDeny=any\nIPAddressAllow=localhost" in made["loopback"]
    assert "IPAddressDeny=any\nIPAddressAllow=localhost" in made["field-bus"]
    assert "DeviceAllow=/dev/ttyUSB1 rw" in made["field-bus"]
    assert "ProtectHome=read-only" in made["field-bus"]
    assert all("WatchdogSec=600\n" in text for text in made.values())


@pytest.mark.parametrize(
    "more",
    [
        {"source": "pump.csv"},
        {"source": "-"},
        {"to": ["sqlite:/tmp/e.db"]},
        {"model": "pump.tflite"},
        {"state": "/tmp/s"},
    ],
)
def test_a_configuration_that_cannot_be_a_service_is_refused(tmp_path, more):
    with pytest.raises(ConfigError):
        unit(*service_config(tmp_path, **more), "/opt/edgelstm")


def test_service_writes_the_unit(tmp_path):
    (tmp_path / "pump.toml").write_text(f'model = "{MODEL}"\nsource = "mqtt://localhost/plant"\n')
    done = edgelstm("service", tmp_path / "pump.toml", "--program", "/opt/venv/bin/edgelstm")

    assert done.returncode == 0
    assert "ExecStart=/opt/venv/bin/edgelstm run --config ${CREDENTIALS_DIRECTORY}/pump.toml" in done.stdout


def test_the_template_runs_any_configuration_below_etc():
    text = edgelstm("service", "--template", "--program", "/usr/bin/edgelstm").stdout

    assert "ExecStart=/usr/bin/edgelstm run --config ${CREDENTIALS_DIRECTORY}/%i.toml" in text
    assert "LoadCredential=%i.toml:/etc/edgelstm/%i.toml\nLoadCredential=secrets:/etc/edgelstm/secrets\n" in text
    assert "StateDirectory=edgelstm-%i\n" in text
    assert edgelstm("service").returncode == 2


def test_the_template_is_written_where_numpy_is_not_installed():
    """Packages are built there."""
    code = "import sys; sys.modules['numpy'] = None; from edgelstm.cli import main; main()"
    command = [sys.executable, "-c", code, "service", "--template", "--program", "/usr/bin/edgelstm"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)

    assert done.stdout == template("/usr/bin/edgelstm"), done.stderr


def test_a_secret_is_found_among_the_copies_of_a_folder_of_secrets(tmp_path, monkeypatch):
    (tmp_path / "secrets_password").write_text("of the copy\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))

    assert read_secret("/etc/edgelstm/secrets/password") == "of the copy"


def test_a_table_of_channels_in_a_file_of_its_own_is_readable_for_the_service(tmp_path):
    def made(channels):
        stream = {"model": "/opt/pump.tflite", "source": "influx://db/plant?measurement=pump", "channels": channels}
        return unit(make_config(stream), tmp_path / "pump.toml", "/usr/bin/edgelstm")

    assert "ProtectHome=yes" in made("/etc/edgelstm/channels.toml")
    assert "ProtectHome=read-only" in made("/home/pump/channels.toml")
    with pytest.raises(ConfigError, match=r"table of channels 'channels\.toml' is relative"):
        made("channels.toml")
