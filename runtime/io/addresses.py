"""Addresses of sources and sinks: one word each, with options after a question mark.

pump.csv   -   mqtt://user@broker/plant/+?ca=ca.pem   serial:/dev/ttyUSB0?baud=9600   sqlite:events.db
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qsl, unquote, urlsplit

from ..errors import ConfigError

T = TypeVar("T")
_SCHEME = re.compile(r"([a-z][a-z0-9]+):", re.IGNORECASE)


@dataclass(frozen=True)
class Spec:
    """An address taken apart."""

    scheme: str
    """mqtt, mqtts, serial, iio, file, sqlite, http, https, command; empty for a plain file name."""
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
    password: str = ""
    """Password in the address; better kept in a file."""

    @property
    def name(self) -> str:
        """The address for messages, without user and password."""
        if self.scheme in ("http", "https"):
            return re.sub(r"//[^/@]*@", "//", self.target).split("?")[0]
        if self.host:
            return f"{self.scheme}://{self.host}{f':{self.port}' if self.port else ''}/{self.target}"
        return f"{self.scheme}:{self.target}" if self.scheme else self.target


def parse_spec(given: str | Mapping[str, Any]) -> Spec:
    """Take an address apart.

    Args:
        given: The address, or a table with it as `url` and its options beside it.

    Raises:
        ConfigError: If it is no address.

    >>> parse_spec("serial:/dev/ttyUSB0?baud=9600")
    Spec(scheme='serial', target='/dev/ttyUSB0', options={'baud': '9600'}, host='', port=None, username='', password='')
    >>> spec = parse_spec("mqtt://me@broker/plant/#")
    >>> spec.host, spec.target, spec.username, spec.name
    ('broker', 'plant/#', 'me', 'mqtt://broker/plant/#')
    """
    if isinstance(given, Mapping):
        table = dict(given)
        url = table.pop("url", None)
        if not isinstance(url, str):
            raise ConfigError(f'A table for a source or sink needs url = "…"; it has {", ".join(table) or "nothing"}.')
        spec = parse_spec(url)
        return Spec(**{**vars(spec), "options": {**spec.options, **table}})
    match = _SCHEME.match(given)
    scheme = match.group(1).lower() if match else ""
    if scheme in ("", "http", "https"):
        return Spec(scheme, given, {})
    rest = given[len(scheme) + 1 :]
    if scheme == "command":
        return Spec(scheme, rest, {})
    target, _, query = rest.partition("?")
    options = dict(parse_qsl(query, keep_blank_values=True))
    if not target.startswith("//"):
        return Spec(scheme, target, options)
    try:
        parts = urlsplit(f"{scheme}:{target}".replace("#", "%23"))
        port = parts.port
    except ValueError as error:
        raise ConfigError(f"{given!r} is not an address ({error}).") from error
    if not parts.hostname:
        raise ConfigError(f"{given!r} names no host. Write {scheme}://HOST/…")
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    return Spec(scheme, unquote(parts.path.lstrip("/")), options, parts.hostname, port, user, password)


def build(kind: type[T], options: Mapping[str, Any], where: str) -> T:
    """An options dataclass from text or TOML values; a field `ca_file` is the option `ca-file`.

    Raises:
        ConfigError: If an option is unknown (with the nearest known one), missing or of another type.
    """
    known = {item.name.replace("_", "-"): item for item in fields(kind)}  # type: ignore[arg-type]
    unknown_keys(options, known, where)
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


def unknown_keys(given: Iterable[str], known: Iterable[str], where: str) -> None:
    """Refuse keys that nobody knows.

    >>> unknown_keys(["sauce"], ["source", "to"], "pump.toml")
    Traceback (most recent call last):
    edgelstm.runtime.errors.ConfigError: pump.toml has an unknown key 'sauce'. Did you mean 'source'?
    """
    names = list(known)
    for name in given:
        if name not in names:
            import difflib  # here: starting must be quick

            near = difflib.get_close_matches(name, names, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else f" Known: {', '.join(sorted(names)) or 'none'}."
            raise ConfigError(f"{where} has an unknown key {name!r}.{hint}")


def _convert(value: Any, kind: str, where: str) -> Any:
    """A value as the annotation `kind` wants it; text is converted, TOML values must fit."""
    base = kind.removesuffix(" | None")
    try:
        if base == "bool":
            return _boolean(value)
        if base == "int" and not isinstance(value, (bool, float)):
            return int(value)
        if base == "float" and not isinstance(value, bool):
            return float(value)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{where} must be a {base}; received {value!r}.") from error
    fitting, several = (str, Mapping) if "Mapping" in base else str, "tuple" in base
    if several and isinstance(value, (list, tuple)) and all(isinstance(one, fitting) for one in value):
        return tuple(value)
    if isinstance(value, fitting):
        return (value,) if base.startswith("tuple") else value
    raise ConfigError(f"{where} must be text{' or a list of it' * several}; received {value!r}.")


def _boolean(value: Any) -> bool:
    words = {"true": True, "1": True, "yes": True, "on": True, "": True, "false": False, "0": False, "no": False}
    found = value if isinstance(value, bool) else words.get(str(value).lower())
    if found is None:
        raise ValueError(value)
    return found


def read_secret(path: str) -> str:
    """The first line of a file, empty for no file; systemd's copy of it (LoadCredential=) where there is one.

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
    """The copy of a secret file that systemd made, which the service's own user may read, or the file itself."""
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    copy = Path(folder) / path.name if folder else path
    return copy if copy.exists() else path
