"""Addresses of sources and sinks: one word each, with options after a question mark.

pump.csv   -   mqtt://user@broker/plant/+?ca=ca.pem   serial:/dev/ttyUSB0?baud=9600   sqlite:events.db
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qsl, unquote, urlsplit

from ..errors import ConfigError
from .terminal import masked, masked_url

T = TypeVar("T")
WHOLE = ("http", "https")  # schemes whose whole address, query included, is the target
COMMAND = "command"  # the scheme of a command line, in which ? is no mark of ours
SECRETS = "secrets"  # what systemd calls its copies of a folder of secret files, followed by _ and the file's name
_SCHEME = re.compile(r"(opc\.tcp|[a-z][a-z0-9]+(?:\+[a-z]+)?):", re.IGNORECASE)


@dataclass(frozen=True)
class Address:
    """An address taken apart."""

    scheme: str
    """mqtt, serial, sqlite and so on, in lower case; empty for a plain file name."""
    target: str
    """Path, topic, device, command line, or for http the whole address."""
    options: Mapping[str, Any]
    """Options by flag name."""
    host: str = ""
    """Host name, for mqtt."""
    port: int | None = None
    """Port, None for the usual one."""
    username: str = ""
    """User name in the address."""
    password: str = field(default="", repr=False)
    """Password in the address; better kept in a file."""

    @property
    def name(self) -> str:
        """The address for messages, without secrets."""
        if self.scheme in ("http", "https"):
            return masked_url(self.target)
        if self.host:
            return f"{self.scheme}://{self.host}{f':{self.port}' if self.port else ''}/{self.target}"
        if self.scheme == COMMAND:  # its arguments may hold secrets of any form
            first, *rest = self.target.split(maxsplit=1) or [""]
            return f"{self.scheme}:{first}{' …' * bool(rest)}"
        return masked(f"{self.scheme}:{self.target}" if self.scheme else self.target)

    @property
    def identity(self) -> str:
        """Text that differs where addresses differ, secrets included: to be hashed, never shown."""
        return f"{self.scheme}://{self.host}:{self.port}/{self.target}"


def parse_address(address: str | Mapping[str, Any]) -> Address:
    """Take an address apart.

    Args:
        address: The text, or a table with it as `url` and its options beside it.

    Raises:
        ConfigError: If it is no address.

    >>> parse_address("serial:/dev/ttyUSB0?baud=9600")
    Address(scheme='serial', target='/dev/ttyUSB0', options={'baud': '9600'}, host='', port=None, username='')
    >>> broker = parse_address("mqtt://me@broker/plant/#")
    >>> broker.host, broker.target, broker.username, broker.name
    ('broker', 'plant/#', 'me', 'mqtt://broker/plant/#')
    """
    if isinstance(address, Mapping):
        return _from_table(dict(address))
    match = _SCHEME.match(address)
    scheme = match.group(1).lower() if match else ""
    if scheme in ("", *WHOLE):
        return Address(scheme, address, {})
    rest = address[len(scheme) + 1 :]
    if scheme == COMMAND:
        return Address(scheme, rest, {})
    target, _, query = rest.partition("?")
    options = dict(parse_qsl(query, keep_blank_values=True))
    if target.startswith("///"):  # a path, written as other tools write it
        return Address(scheme, target[2:], options)
    if target.startswith("//"):
        return _from_url(scheme, target, options)
    return Address(scheme, target, options)


def _from_table(table: dict[str, Any]) -> Address:
    url = table.pop("url", None)
    if not isinstance(url, str):
        raise ConfigError(f'A table for a source or sink needs url = "…"; it has {", ".join(table) or "nothing"}.')
    address = parse_address(url)
    return replace(address, options={**address.options, **table})


def _from_url(scheme: str, target: str, options: Mapping[str, Any]) -> Address:
    shown = masked(f"{scheme}:{target}")
    try:
        parts = urlsplit(f"{scheme}:{target}".replace("#", "%23"))
        port = parts.port
    except ValueError as error:
        raise ConfigError(f"{shown!r} is not an address ({masked(str(error))}).") from error
    if not parts.hostname:
        raise ConfigError(f"{shown!r} names no host. Write {scheme}://HOST/…")
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    return Address(scheme, unquote(parts.path.lstrip("/")), options, parts.hostname, port, user, password)


def build_options(kind: type[T], options: Mapping[str, Any], where: str) -> T:
    """Make an options dataclass from text or TOML values; a field `ca_file` is the option `ca-file`.

    Args:
        kind: The dataclass.
        options: Values by option name.
        where: Name of the source, sink or file that they belong to, for errors.

    Raises:
        ConfigError: If an option is unknown (with the nearest known one), missing or of another type.
    """
    known = {item.name.replace("_", "-"): item for item in fields(kind)}  # type: ignore[arg-type]
    refuse_unknown_keys(options, known, where)
    values: dict[str, Any] = {}
    for name, value in options.items():
        values[known[name].name] = _convert(value, str(known[name].type), f"{where}: {name}")
    lacking = [
        name for name, item in known.items() if item.default is MISSING and item.default_factory is MISSING
        and item.name not in values
    ]  # fmt: skip
    if lacking:
        raise ConfigError(f"{where} lacks {', '.join(lacking)}.")
    return kind(**values)


def refuse_unknown_keys(keys: Iterable[str], known: Iterable[str], where: str) -> None:
    """Refuse keys that nobody knows, with the nearest known one.

    Args:
        keys: The keys that are there.
        known: The keys that may be there.
        where: Name of the file or address, for the error.

    Raises:
        ConfigError: At the first unknown key.

    >>> refuse_unknown_keys(["sauce"], ["source", "to"], "pump.toml")
    Traceback (most recent call last):
    edgelstm.runtime.errors.ConfigError: pump.toml has an unknown key 'sauce'. Did you mean 'source'?
    """
    names = list(known)
    for name in keys:
        if name not in names:
            import difflib  # here: starting must be quick

            near = difflib.get_close_matches(name, names, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else f" Known: {', '.join(sorted(names)) or 'none'}."
            raise ConfigError(f"{where} has an unknown key {name!r}.{hint}")


def _convert(value: Any, kind: str, where: str) -> Any:
    """Convert text to what the annotation `kind` names; TOML values must fit as they are."""
    base = kind.removesuffix(" | None")
    try:
        if base == "bool":
            return _boolean(value)
        if base == "int" and not isinstance(value, (bool, float)):
            return int(value)
        if base == "float" and not isinstance(value, bool):
            return _finite(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise ConfigError(f"{where} must be a {base}; received {value!r}.") from error
    fitting, several = (str, Mapping) if "Mapping" in base else str, "tuple" in base
    if several and isinstance(value, (list, tuple)) and all(isinstance(one, fitting) for one in value):
        return tuple(value)
    if isinstance(value, fitting):
        return (value,) if base.startswith("tuple") else value
    wanted = f"a {base}" if base in ("int", "float") else f"text{' or a list of it' * several}"
    raise ConfigError(f"{where} must be {wanted}; received {value!r}.")


def _finite(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(value)
    return number


def _boolean(value: Any) -> bool:
    words = {"true": True, "1": True, "yes": True, "on": True, "": True, "false": False, "0": False, "no": False}
    boolean = value if isinstance(value, bool) else words.get(str(value).lower())
    if boolean is None:
        raise ValueError(value)
    return boolean


def read_secret(path: str) -> str:
    """Read the first line of a file, empty for no file; systemd's copy of it (LoadCredential=) where there is one.

    Raises:
        ConfigError: If it cannot be read.
    """
    if not path:
        return ""
    try:
        return credential(Path(path)).read_text(encoding="utf-8").split("\n", 1)[0].strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"Cannot read the secret in {path}: {getattr(error, 'strerror', error)}.") from error


def credential(path: Path) -> Path:
    """Return systemd's copy of a secret file, which the service's own user may read, or the file itself.

    Copies are called like the file; those of a folder, `LoadCredential=secrets:FOLDER`, `secrets_` and its name.
    """
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    if not folder:
        return path
    copies = (Path(folder) / path.name, Path(folder) / f"{SECRETS}_{path.name}")
    return next((copy for copy in copies if copy.exists()), path)
