"""Sink that runs a command for each record, which the command reads as JSON from its standard input."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from collections.abc import Sequence
from typing import Any

from ..errors import ConfigError
from ..io.addresses import Address
from .delivery import LONGEST_WAIT, DeliveryError, NoOptions, Stream
from .jsonl import compact

PATIENCE = 60.0  # seconds after which a command is stopped and counts as failed


class CommandDelivery:
    """Runner of a command a record, without a shell; exit code 0 delivers it, any other is tried again later.

    Args:
        address: The command line.
        options: None.
        stream: Unused.

    Raises:
        ConfigError: If there is no such command.
    """

    Options = NoOptions
    longest_wait = LONGEST_WAIT

    def __init__(self, address: Address, options: NoOptions, stream: Stream) -> None:
        try:
            self._words = shlex.split(address.target)
        except ValueError as error:
            raise ConfigError(f"{address.name!r} is not a command ({error}).") from error
        if not self._words or shutil.which(self._words[0]) is None:
            raise ConfigError(
                f"There is no command {''.join(self._words[:1])!r}. Check its name and that it is executable."
            )
        self.name = f"command:{self._words[0]}"

    def deliver(self, records: Sequence[dict[str, Any]]) -> int:
        """See `Delivery`."""
        record = records[0]
        try:
            done = subprocess.run(
                self._words,
                input=compact(record).encode() + b"\n",
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=PATIENCE,
                check=False,
                start_new_session=True,
            )
        except subprocess.TimeoutExpired as error:
            raise DeliveryError(f"not done after {PATIENCE:g} s") from error
        if done.returncode:
            raise DeliveryError(f"exit code {done.returncode}")
        return 1

    def announce(self, facts: dict[str, Any]) -> None:
        """Do nothing: events about models come as records."""

    def stop_waiting(self) -> None:
        """Do nothing: each attempt ends by itself."""

    def close(self) -> None:
        """Do nothing: nothing stays open."""
