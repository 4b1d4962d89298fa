"""Transport of a repository's files: from a folder, or over HTTP with resumption by range requests."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from typing import Any

import urllib3
from tuf.api.exceptions import DownloadError, DownloadHTTPError
from tuf.ngclient import FetcherInterface

CHUNK = 1 << 16
ATTEMPTS = 5  # interruptions of one download that are resumed
PAUSE = 0.2  # seconds, times the number of interruptions
TIMEOUT = urllib3.Timeout(connect=10.0, read=10.0)


class Transport(FetcherInterface):  # type: ignore[misc]  # python-tuf is not followed
    """Reader of files by address: `http://`, `https://`, or a path."""

    def __init__(self) -> None:
        self._pool = urllib3.PoolManager(retries=False, headers={"Accept-Encoding": "identity"})

    def _fetch(self, url: str) -> Iterator[bytes]:
        return self.read(url)

    def read(self, url: str, start: int = 0) -> Iterator[bytes]:
        """Open a file; errors of opening come at once, as the interface wants it.

        Args:
            url: Its address.
            start: Bytes that are there already.

        Raises:
            DownloadError: If it cannot be read.
        """
        if not url.lower().startswith(("http://", "https://")):
            return _read_file(url, start)
        return self._resumed(url, start, self._open(url, start))

    def _open(self, url: str, start: int) -> Any:
        headers = {"Range": f"bytes={start}-"} if start else {}
        response = self._pool.request(
            "GET",
            url,
            headers={**self._pool.headers, **headers},
            preload_content=False,
            redirect=False,
            timeout=TIMEOUT,
        )
        if response.status not in (200, 206):
            response.close()
            raise DownloadHTTPError(f"{url} answers with status {response.status}", response.status)
        if response.status == 206 and not response.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
            response.close()
            raise DownloadError(f"{url} answers with another range than was asked for")
        return response

    def _resumed(self, url: str, start: int, response: Any) -> Iterator[bytes]:
        position, failures = start, 0
        while True:
            try:
                response = response or self._open(url, position)
                skip = position if response.status == 200 else 0  # a server without ranges begins anew
                for chunk in response.stream(CHUNK, decode_content=False):
                    rest = chunk[skip:]
                    skip = max(0, skip - len(chunk))
                    position += len(rest)
                    if rest:
                        yield rest
                return
            except urllib3.exceptions.HTTPError as error:
                failures += 1
                if failures > ATTEMPTS:
                    raise DownloadError(f"{url} broke off {failures} times ({type(error).__name__})") from error
                time.sleep(PAUSE * failures)
            finally:
                if response is not None:
                    response.close()
                response = None


def _read_file(path: str, start: int) -> Iterator[bytes]:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a pipe on a hostile stick must not block
    except FileNotFoundError as error:
        raise DownloadHTTPError(f"There is no {path}", 404) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise DownloadError(f"{path} is no file")
    return _chunks(descriptor, start)


def _chunks(descriptor: int, start: int) -> Iterator[bytes]:
    with os.fdopen(descriptor, "rb") as file:
        file.seek(start)
        while chunk := file.read(CHUNK):
            yield chunk
