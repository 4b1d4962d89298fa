"""Foreign text made safe for terminals and logs: control characters escaped, secrets in addresses masked."""

from __future__ import annotations

import logging
import re

# C0 and C1 controls but tab and line feed, DEL, line separators, and the marks that turn the direction of writing.
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_USER = re.compile(r"(?<=://)[^\s?'\"]*@")
_WORDS = "token|password|passwd|secret|signature|sig|key|apikey|api_key|access_token|auth|code"
_PAIR = re.compile(rf"(?i)([?&;](?:[\w-]*[_-])?(?:{_WORDS})=)[^&\s'\"]+")
_HEADER = re.compile(r"\b(Bearer|Basic)\s+[\w.~+/=-]{8,}")
_SEGMENT = re.compile(r"(?<=/)(?=[^/?#\s]*\d)(?=[^/?#\s]*[A-Za-z])[\w:.~-]{16,}(?=[/?#]|$)")


def printable(text: str) -> str:
    r"""Escape characters that steer a terminal; tabs and line ends stay.

    >>> printable("pump\x1b[2J \u202eflow")
    'pump\\x1b[2J \\u202eflow'
    """
    return _CONTROLS.sub(lambda match: match.group().encode("unicode_escape", "surrogatepass").decode(), text)


def json_escaped(line: str) -> str:
    r"""Escape, within a line of JSON, characters that steer a terminal; the value that is read back stays the same.

    >>> json_escaped('["\x9b2J"]')
    '["\\u009b2J"]'
    """
    return _CONTROLS.sub(lambda match: f"\\u{ord(match.group()):04x}", line)


def masked(text: str) -> str:
    """Replace secrets that a text repeats: users and passwords in addresses, tokens in queries, bearer headers.

    >>> masked("mqtt://me:sesame@broker/plant and https://host/x?token=abc&n=1, Bearer abcdefgh12")
    'mqtt://***@broker/plant and https://host/x?token=***&n=1, Bearer ***'
    """
    text = _USER.sub("***@", text)
    return _HEADER.sub(r"\1 ***", _PAIR.sub(r"\1***", text))


def masked_url(url: str) -> str:
    """Return a web address for messages: without user, query, and path segments that look like a key.

    >>> masked_url("https://me:sesame@hooks.example.com/services/T024BE7LDB0X9f3a/in?x=1")
    'https://hooks.example.com/services/***/in'
    """
    return _SEGMENT.sub("***", _USER.sub("", url).split("?")[0].split("#")[0])


class SafeFormatter(logging.Formatter):
    """Log lines with secrets masked and control characters escaped."""

    def format(self, record: logging.LogRecord) -> str:
        """Format a record as one safe text."""
        return printable(masked(super().format(record)))


def log_safely() -> None:
    """Send log lines to standard error, with secrets masked and control characters escaped."""
    handler = logging.StreamHandler()
    handler.setFormatter(SafeFormatter("%(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
