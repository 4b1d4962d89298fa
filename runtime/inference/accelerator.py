"""Libraries of accelerators: external delegates, to which the interpreter hands the ops that they take over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode

from ..errors import ConfigError


@dataclass(frozen=True)
class Accelerator:
    """A delegate's library with its options."""

    library: str
    """Path of the shared library, or a name that the system's loader finds."""
    options: Mapping[str, str] = field(default_factory=dict)
    """Options of the library, which knows their names."""

    @classmethod
    def parse(cls, text: str | Mapping[str, Any]) -> Accelerator:
        """Read `LIBRARY?option=value&…`, or a table with `library` and the options beside it.

        Raises:
            ConfigError: If no library is named.

        >>> Accelerator.parse("libedgetpu.so.1?device=usb")
        Accelerator(library='libedgetpu.so.1', options={'device': 'usb'})
        >>> Accelerator.parse({"library": "libedgetpu.so.1", "device": "usb"}).text
        'libedgetpu.so.1?device=usb'
        """
        if isinstance(text, Mapping):
            table = {key: str(value) for key, value in text.items()}
            library = table.pop("library", "")
            options: dict[str, str] = table
        else:
            library, _, query = text.partition("?")
            options = dict(parse_qsl(query, keep_blank_values=True))
        if not library:
            raise ConfigError(
                f"--delegate names a library, as in libvendor_delegate.so?option=value; received {text!r}."
            )
        return cls(library, options)

    @property
    def text(self) -> str:
        """The form that `parse` reads."""
        return f"{self.library}?{urlencode(self.options)}" if self.options else self.library
