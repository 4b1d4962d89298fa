"""Session with an OPC UA server, for sources and sinks (`pip install edgelstm[opcua]`)."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ConfigError
from .addresses import Address, credential
from .credentials import Login
from .extras import load_extra

POLICIES = {
    "none": "", "basic256sha256": "Basic256Sha256", "aes128sha256rsaoaep": "Aes128Sha256RsaOaep",
    "aes256sha256rsapss": "Aes256Sha256RsaPss",
}  # fmt: skip
MODES = {"sign": "Sign", "sign-and-encrypt": "SignAndEncrypt"}


@dataclass(frozen=True)
class OpcOptions(Login):
    """Settings of a session."""

    policy: str = "none"
    """Security policy: none, basic256sha256, aes128sha256rsaoaep or aes256sha256rsapss."""
    mode: str = "sign-and-encrypt"
    """With a policy: `sign` or `sign-and-encrypt`."""
    cert: str = ""
    """File with this device's certificate, .pem or .der, which the server must trust."""
    key: str = ""
    """File with its private key."""
    server_cert: str = ""
    """File with the server's certificate: no other server is spoken to."""
    timeout: float = 5.0
    """Seconds in which an answer must come."""

    def __post_init__(self) -> None:
        """Find what is missing before anything is connected.

        Raises:
            ConfigError: If asyncua, the password or a certificate is missing, or a setting is unknown.
        """
        super().__post_init__()
        load_extra("opcua", "asyncua")
        if self.policy.lower() not in POLICIES or self.mode not in MODES:
            raise ConfigError(f"policy is one of {', '.join(POLICIES)}, mode {' or '.join(MODES)}.")
        if not 0.1 <= self.timeout <= 600:
            raise ConfigError(f"timeout is 0.1 to 600 seconds; received {self.timeout:g}.")
        files = (self.cert, self.key, self.server_cert)
        if self.secure and not all(files):
            raise ConfigError(
                f"policy={self.policy} requires three files: cert, key and server-cert, the server's own."
            )
        if any(files) and not self.secure:
            raise ConfigError("There are certificates but no policy. Add policy=basic256sha256.")
        if self.secure:
            application_uri(self.cert)
            application_uri(self.server_cert)

    @property
    def secure(self) -> bool:
        """True for a session that is signed."""
        return self.policy.lower() != "none"


def application_uri(path: str) -> str:
    """The application's URI in a certificate, which the session must name; empty where there is none.

    Raises:
        ConfigError: If the file is no certificate.
    """
    x509 = load_extra("opcua", "cryptography.x509")
    try:
        content = Path(path).read_bytes()
        load = x509.load_pem_x509_certificate if content.startswith(b"-----") else x509.load_der_x509_certificate
        certificate = load(content)
    except (OSError, ValueError) as error:
        raise ConfigError(f"Cannot use the certificate {path}: {getattr(error, 'strerror', None) or error}.") from error
    with suppress(x509.ExtensionNotFound):
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        return str(next(iter(names.get_values_for_type(x509.UniformResourceIdentifier)), ""))
    return ""


async def connect(address: Address, options: OpcOptions) -> Any:
    """Open a session.

    Args:
        address: The server's.
        options: Login and security.

    Returns:
        An `asyncua.Client`.

    Raises:
        Exception: Of any kind of asyncua's, if it cannot be opened in time.
    """
    library = load_extra("opcua", "asyncua")
    logging.getLogger("asyncua").setLevel(logging.CRITICAL)  # each failure is said by us, once
    client = library.Client(
        f"opc.tcp://{address.host}:{address.port or 4840}/{address.target}", timeout=options.timeout
    )
    client.name = client.description = "edgelstm"
    user, password = options.of(address)
    if user:
        client.set_user(user)
        client.set_password(password)
    if options.secure:
        policies = load_extra("opcua", "asyncua.crypto.security_policies")
        policy = getattr(policies, f"SecurityPolicy{POLICIES[options.policy.lower()]}")
        client.application_uri = application_uri(options.cert) or client.application_uri
        own, key, server = map(_file, (options.cert, str(credential(Path(options.key))), options.server_cert))
        mode = getattr(library.ua.MessageSecurityMode, MODES[options.mode])
        await client.set_security(policy, own, key, server_certificate=server, mode=mode)
    try:
        await asyncio.wait_for(client.connect(), 3 * options.timeout)
    except BaseException:
        await disconnect(client)
        raise
    return client


def _file(path: str) -> Any:
    """A certificate or key for asyncua, PEM or DER by its content, whatever its name is."""
    content = Path(path).read_bytes()
    kind = "pem" if content.startswith(b"-----") else "der"
    return load_extra("opcua", "asyncua.crypto.uacrypto").CertProperties(content, extension=kind)


async def disconnect(client: Any) -> None:
    """Close a session, whatever state it is in."""
    transport = getattr(getattr(client.uaclient, "protocol", None), "transport", None)
    with suppress(Exception):
        await asyncio.wait_for(client.disconnect(), 2.0)
    if transport is not None:  # of a session that was lost, the library leaves it open
        transport.abort()


def reason(error: BaseException) -> str:
    """Text of a failure."""
    if isinstance(error, (TimeoutError, asyncio.TimeoutError)):
        return "no answer in time"
    text = str(error).splitlines()
    return text[0] if text and text[0] else type(error).__name__


class Background:
    """An asyncio loop in a thread of its own.

    Args:
        name: Name of the thread.
    """

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=name, daemon=True)
        self._thread.start()

    def start(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Begin a coroutine; return its future."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def close(self) -> None:
        """Cancel what runs, and end the thread."""
        with suppress(Exception):
            self.start(self._cancel()).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        if not self._thread.is_alive():
            self._loop.close()

    async def _cancel(self) -> None:
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0.01)  # closed connections take a turn of the loop
