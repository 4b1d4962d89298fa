"""Systemd unit of a configuration, with no more rights than the configuration needs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from ..errors import ConfigError
from ..io.access import Access
from ..io.addresses import SECRETS, Address, parse_address
from ..sinks import SinkKind, sink_kind
from ..sources import SourceKind, source_kind
from ..updates.options import UpdateOptions, parse_updates
from .config import Config
from .systemd import PATIENCE

LEAST_WATCHDOG = 60.0  # seconds; a start with imports and warm-up fits in it many times
FIRST_UPDATE = 300.0  # seconds for a start that fetches and tries its first model; systemd's default is 90
START = f"TimeoutStartSec={FIRST_UPDATE:g}\n"
HOMES = ("/home", "/root", "/run/user")
LOCAL = ("localhost", "127.0.0.1", "::1")
ETC = "/etc/edgelstm"  # configurations of `edgelstm@NAME`, and below it the secrets that they name
SERIAL_DRIVERS = ("ttyUSB", "ttyACM", "ttyAMA", "ttyS")

UNIT = """\
{header}
[Unit]
Description=edgelstm watching {names}
{condition}Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=0

[Service]
Type=notify
ExecStart={program} run --config ${{CREDENTIALS_DIRECTORY}}/{config_name}
# A snapshot of the state now, and log files opened anew.
ExecReload=/bin/kill -HUP $MAINPID
{credentials}
# The watchdog is fed only while samples are scored: a silent sensor restarts the service.
WatchdogSec={watchdog:g}
{start}Restart=on-failure
RestartSec=5
TimeoutStopSec=90

# Who it is and what it may write: a user of its own, and one folder
DynamicUser=yes
StateDirectory={identity}
WorkingDirectory=%S/{identity}
UMask=0077

# What it may see
ProtectSystem=strict
ProtectHome={homes}
PrivateTmp=yes
{devices}
ProtectProc=invisible
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes

# What it may do
NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
MemoryDenyWriteExecute=yes
LockPersonality=yes
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM
TasksMax=64

# Whom it may talk to
{network}

[Install]
WantedBy=multi-user.target
"""


@dataclass
class _Needs:
    """Needs of sources and sinks."""

    devices: list[str] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)
    anywhere: bool = False
    secrets: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)


def unit(config: Config, path: Path, program: str, periods: Iterable[float | None] = ()) -> str:
    """Return the unit's text.

    Args:
        config: The configuration that it runs.
        path: The configuration's absolute path.
        program: Absolute path of the `edgelstm` command.
        periods: Each model's seconds between samples, None when unknown.

    Raises:
        ConfigError: If a path is relative, or a sink writes where a service may not.
    """
    needs = _needs(config)
    identity = f"edgelstm-{path.stem}" if path.stem != "edgelstm" else "edgelstm"
    longest = max((period for period in periods if period), default=0.0)
    secrets = dict.fromkeys([str(path), *needs.secrets])
    if len({Path(name).name for name in secrets}) < len(secrets):
        raise ConfigError("Two secret files have the same name. Rename one: a service sees them in one folder.")
    header = (
        "# Written by `edgelstm service`. Put it into /etc/systemd/system, then:\n"
        f"#   systemctl daemon-reload && systemctl enable --now {identity}.service"
    )
    return UNIT.format(
        header=header,
        identity=identity,
        names=", ".join(stream.label for stream in config.streams),
        program=program,
        condition="",
        config_name=path.name,
        credentials="\n".join(f"LoadCredential={Path(name).name}:{name}" for name in secrets),
        start=START if any(stream.updates for stream in config.streams) else "",
        watchdog=max(LEAST_WATCHDOG, PATIENCE * longest),
        homes="read-only" if any(_in_home(name) for name in [program, *needs.files]) else "yes",
        devices="\n".join(_devices(needs.devices)),
        network="\n".join(_network(needs)),
    )


def template(program: str) -> str:
    """Return the text of `edgelstm@.service`, the unit of packages: `edgelstm@pump` runs `/etc/edgelstm/pump.toml`.

    As no configuration is known yet, it grants what any may need beside its own folder: the network and serial devices. The
    process asks systemd for a longer watchdog where its models take samples more rarely than that (`systemd.serving`).

    Raises:
        ConfigError: If the program's path is relative.
    """
    name = "%i"
    return UNIT.format(
        header=(
            "# Written by `edgelstm service --template`: `systemctl enable --now edgelstm@pump` runs "
            f"{ETC}/pump.toml.\n"
            "# `edgelstm service` writes a narrower unit for one configuration, which has precedence as\n"
            "# /etc/systemd/system/edgelstm@pump.service."
        ),
        identity=f"edgelstm-{name}",
        names=name,
        condition=f"AssertPathExists={ETC}/{name}.toml\n",
        program=_absolute(program, "The program"),
        config_name=f"{name}.toml",
        credentials=f"LoadCredential={name}.toml:{ETC}/{name}.toml\nLoadCredential={SECRETS}:{ETC}/{SECRETS}",
        start=START,
        watchdog=LEAST_WATCHDOG,
        homes="yes",
        devices="\n".join(_devices([f"char-{driver}" for driver in SERIAL_DRIVERS])),
        network="\n".join(_network(_Needs(anywhere=True))),
    )


def _needs(config: Config) -> _Needs:
    needs = _Needs()
    for stream in config.streams:
        if stream.model:
            needs.files.append(_absolute(stream.model, "The model"))
        if stream.channels and isinstance(stream.channels, str):
            needs.files.append(_absolute(stream.channels, "The table of channels"))
        if stream.updates:
            _add_updates(needs, parse_updates(stream.updates))
        _add_source(needs, parse_address(stream.source))
        for sink in (*stream.to, *stream.scores_to):
            _add_sink(needs, parse_address(sink))
        for name in filter(None, (stream.state, stream.event_log)):
            _own_folder(name, name)
    if config.settings.token_file:
        needs.secrets.append(_absolute(config.settings.token_file, "The token file"))
    if config.settings.listen:
        host = config.settings.listen.rpartition(":")[0].strip("[]")
        _add_host(needs, host)
    return needs


def _add_updates(needs: _Needs, options: UpdateOptions) -> None:
    """Let the service read its trusted keys and reach the repository; models go to its own folder."""
    needs.files.append(_absolute(options.root, "The root metadata"))
    if options.folder:
        _own_folder(options.folder, "The folder of updates")
    host = urlsplit(options.url).hostname if "://" in options.url else ""
    if host:
        _add_host(needs, host)
    else:
        needs.files.append(_absolute(options.url, "The repository"))


def _add_source(needs: _Needs, address: Address) -> None:
    kind = source_kind(address)
    if kind.access is Access.FILE:
        if address.target == "-":
            raise ConfigError("A service has no standard input. Give the stream another source.")
        needs.files.append(_absolute(address.target, "The source"))
    _add_access(needs, address, kind)


def _add_sink(needs: _Needs, address: Address) -> None:
    kind = sink_kind(address)
    if kind.access is Access.FOLDER:
        _own_folder(address.target, address.name)
    needs.anywhere |= kind.access is Access.PROGRAM
    _add_access(needs, address, kind)


def _add_access(needs: _Needs, address: Address, kind: SourceKind | SinkKind) -> None:
    """Add the device or host, and the files that options name."""
    if kind.access is Access.DEVICE:
        needs.devices.append(_absolute(address.target, "The serial device"))
    if kind.access is Access.NETWORK:
        _add_host(needs, address.host or urlsplit(address.target).hostname or "")
    for names, paths in ((kind.secrets, needs.secrets), (kind.files, needs.files)):
        paths += [_absolute(str(address.options[name]), name) for name in names if address.options.get(name)]


def _own_folder(path: str, what: str) -> None:
    if Path(path).is_absolute():
        raise ConfigError(
            f"{what}: a service writes in its own folder only. Give a name without a path; it is found below "
            "/var/lib/private."
        )


def _add_host(needs: _Needs, host: str) -> None:
    needs.hosts.add(host)
    needs.anywhere |= host not in LOCAL


def _devices(devices: list[str]) -> Iterator[str]:
    if not devices:
        yield from ("PrivateDevices=yes", "PrivateUsers=yes")
        return
    yield "DevicePolicy=closed"
    for device in devices:
        yield f"DeviceAllow={device} rw"
    yield "SupplementaryGroups=dialout"


def _network(needs: _Needs) -> Iterator[str]:
    if needs.anywhere:
        yield "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6"
    elif needs.hosts:
        yield from ("RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6", "IPAddressDeny=any", "IPAddressAllow=localhost")
    else:
        yield from ("RestrictAddressFamilies=AF_UNIX", "PrivateNetwork=yes", "IPAddressDeny=any")


def _absolute(path: str, what: str) -> str:
    if not Path(path).is_absolute():
        raise ConfigError(f"{what} {path!r} is relative; a service has another working directory. Write its full path.")
    if any(letter.isspace() or letter in '"%$\\:' for letter in path):
        raise ConfigError(f"{what} {path!r} has a character that units take for something else. Rename it.")
    return path


def _in_home(path: str) -> bool:
    return any(path.startswith(f"{home}/") for home in HOMES)
