"""TOML files of the user's, of bounded length."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from ..errors import ConfigError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

LARGEST = 1 << 20  # bytes of a file


def read_toml(path: Path | str) -> dict[str, Any]:
    """Read a file's tables.

    Raises:
        ConfigError: If it cannot be read, is too large, or is no TOML.
    """
    try:
        with Path(path).open("rb") as stream:
            text = stream.read(LARGEST + 1)
        if len(text) > LARGEST:
            raise ConfigError(f"{path} is too large for a configuration file.")
        return tomllib.loads(text.decode("utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"There is no configuration {path}. Check the name.") from error
    except OSError as error:
        raise ConfigError(f"Cannot read {path}: {error.strerror or error}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}.") from error
