"""User names and passwords from addresses, files and the environment."""

from __future__ import annotations

import os
from dataclasses import dataclass

from ..errors import ConfigError
from .addresses import Address, read_secret


@dataclass(frozen=True)
class Login:
    """Settings of a login."""

    username: str = ""
    """User name, unless the address holds it."""
    password_file: str = ""
    """File whose first line is the password."""
    password_env: str = ""
    """Environment variable that holds the password instead."""

    def __post_init__(self) -> None:
        """Find what is missing before anything is connected.

        Raises:
            ConfigError: If the file cannot be read, or the variable is not set.
        """
        if self.password_file and self.password_env:
            raise ConfigError("A password comes from password-file or password-env, not from both. Leave one out.")
        if self.password_env and self.password_env not in os.environ:
            raise ConfigError(f"The environment has no variable {self.password_env!r} with the password. Set it.")
        read_secret(self.password_file)

    def of(self, address: Address) -> tuple[str, str]:
        """User name and password for an address, empty where there is none."""
        password = os.environ.get(self.password_env, "") if self.password_env else read_secret(self.password_file)
        return address.username or self.username, address.password or password
