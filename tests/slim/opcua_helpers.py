"""An OPC UA server of asyncua's, started and stopped by the tests on loopback, with certificates and users."""

import asyncio
import datetime
import ipaddress
import logging
import threading
from pathlib import Path

import pytest
from mqtt_helpers import free_port

asyncua = pytest.importorskip("asyncua", reason="the extra [opcua] is not installed")
from asyncua import ua  # noqa: E402
from asyncua.crypto.permission_rules import (  # noqa: E402
    SimpleRoleRuleset,
    User,
    UserRole,
)
from asyncua.server.user_managers import UserManager  # noqa: E402
from cryptography import x509  # noqa: E402
from cryptography.hazmat.primitives import hashes, serialization  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import rsa  # noqa: E402

USE = x509.oid.ExtendedKeyUsageOID
PASSWORD = "geheim/1?"
logging.getLogger("asyncua").setLevel(logging.CRITICAL)


def certificate(folder: Path, name: str, days: int = 1) -> tuple[str, str]:
    """A self-signed certificate of an application and its key, as PEM files; it expires in some days, or did before today."""
    uri = f"urn:edgelstm:{name}"
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.timezone.utc)
    names = [x509.UniformResourceIdentifier(uri), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    made = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=9))
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.KeyUsage(True, True, True, True, False, True, False, False, False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([USE.CLIENT_AUTH, USE.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    paths = folder / f"{name}.pem", folder / f"{name}.key"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return str(paths[0]), str(paths[1])


class Users(UserManager):
    """One user who must give the password."""

    def get_user(self, iserver, username=None, password=None, certificate=None):
        if username == "watch" and password == PASSWORD:
            return User(role=UserRole.User)
        return None


class Server:
    """A server with a folder Pump that holds Flow, Motor and Alarm.

    Args:
        secured: Certificate and key; None for no security.
        trusted: Certificates of clients that it accepts; it then asks for a user, too.
    """

    def __init__(self, secured=None, trusted=()):
        self.port, self.secured, self.trusted = free_port(), secured, trusted
        self.loop = self.thread = self.server = None
        self.count = 0

    def start(self):
        ready = threading.Event()
        self.thread = threading.Thread(target=lambda: asyncio.run(self._serve(ready)), daemon=True)
        self.thread.start()
        assert ready.wait(60)
        return self

    async def _serve(self, ready):
        self.loop, self.ending = asyncio.get_running_loop(), asyncio.Event()
        self.server = asyncua.Server(user_manager=Users() if self.secured else None)
        await self.server.init()
        self.server.set_endpoint(f"opc.tcp://127.0.0.1:{self.port}/pump")
        if self.secured:
            await self._secure()
        else:
            self.server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
        space = await self.server.register_namespace("urn:edgelstm:pump")
        pump = await self.server.nodes.objects.add_object(ua.NodeId("Pump", space), "Pump")
        self.nodes = {}
        for name, value in (("Flow", 1.0), ("Motor", 10.0), ("Alarm", False), ("Count", self.count)):
            node = await pump.add_variable(ua.NodeId(name, space), name, value)
            await node.set_writable()
            self.nodes[name] = node
        async with self.server:
            ready.set()
            await self.ending.wait()

    async def _secure(self):
        from asyncua.crypto.truststore import TrustStore
        from asyncua.crypto.validator import CertificateValidator, CertificateValidatorOptions

        await self.server.set_application_uri("urn:edgelstm:server")
        await self.server.load_certificate(self.secured[0])
        await self.server.load_private_key(Path(self.secured[1]).read_bytes(), format="pem")
        policies = [
            ua.SecurityPolicyType[f"{policy}_{mode}"]
            for policy in ("Basic256Sha256", "Aes128Sha256RsaOaep", "Aes256Sha256RsaPss")
            for mode in ("SignAndEncrypt", "Sign")
        ]
        self.server.set_security_policy(policies, SimpleRoleRuleset())
        folder = Path(self.secured[0]).parent / "trusted"
        folder.mkdir(exist_ok=True)
        for path in self.trusted:
            (folder / Path(path).name).write_bytes(Path(path).read_bytes())
        store = TrustStore([folder], [])
        await store.load()
        options = CertificateValidatorOptions.TRUSTED_VALIDATION | CertificateValidatorOptions.PEER_CLIENT
        self.server.set_certificate_validator(CertificateValidator(options, store))

    def do(self, work):
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(10)

    def set(self, name, value, status=0, moment=None):
        """Write a value with a status and the time at its source."""
        variant = ua.Variant(value, ua.VariantType.Double if isinstance(value, float) else None)
        written = ua.DataValue(variant, ua.StatusCode(status), SourceTimestamp=moment)
        self.do(self.server.write_attribute_value(self.nodes[name].nodeid, written))

    def reset(self):
        """Give all nodes the values of the start."""
        for name, value in (("Flow", 1.0), ("Motor", 10.0), ("Alarm", False), ("Count", 0)):
            self.set(name, value)

    def hang_up(self):
        """Close all connections and the port, as a restart does; loading the standard's nodes takes seconds."""
        self.do(self.server.bserver.stop())

    def listen_again(self):
        self.reset()
        self.do(self.server.bserver.start())

    def get(self, name):
        return self.do(self.nodes[name].read_value())

    def stop(self):
        if self.thread is not None and self.thread.is_alive():
            self.loop.call_soon_threadsafe(self.ending.set)
            self.thread.join(20)
            assert not self.thread.is_alive()
