"""Ed25519 key pairs in PEM files: the private half encrypted with a passphrase, the public half beside it as FILE.pub."""

from __future__ import annotations

from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from securesystemslib.signer import CryptoSigner, Key, SSlibKey

from ..runtime.errors import ConfigError
from ..runtime.io.atomic_files import write_atomic

LEAST_PASSPHRASE = 8  # characters


def new_key(path: Path, passphrase: str) -> Path:
    """Make a key pair.

    Args:
        path: File of the private key, made with mode 0600; the public key goes to the same name with .pub appended.
        passphrase: At least 8 characters; it encrypts the private key.

    Returns:
        File of the public key.

    Raises:
        ConfigError: If the passphrase is too short, or the file is there already.
        OutputError: If a file cannot be written.
    """
    if len(passphrase) < LEAST_PASSPHRASE:
        raise ConfigError(f"A passphrase has at least {LEAST_PASSPHRASE} characters; received {len(passphrase)}.")
    public = public_path(path)
    if path.exists() or public.exists():
        raise ConfigError(f"{path if path.exists() else public} is there already. A key is never overwritten.")
    key = Ed25519PrivateKey.generate()
    encryption = BestAvailableEncryption(passphrase.encode())
    write_atomic(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption), 0o600)
    write_atomic(public, key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return public


def public_path(path: Path) -> Path:
    """File of the public key that belongs to a private one."""
    return path.with_name(f"{path.name}.pub")


def load_signer(path: Path, passphrase: str) -> CryptoSigner:
    """Read a private key.

    Args:
        path: Its file.
        passphrase: Passphrase that it was made with.

    Raises:
        ConfigError: If there is none, it is no Ed25519 key, or the passphrase is wrong.
    """
    try:
        key = load_pem_private_key(_read(path), passphrase.encode())
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ConfigError(f"{path} cannot be opened: the passphrase is wrong, or it is no private key.") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError(f"{path} holds no Ed25519 key. Make one: edgelstm keys new {path.name}")
    return CryptoSigner(key)


def load_public_key(path: Path) -> Key:
    """Read a public key.

    Raises:
        ConfigError: If there is none, or it is no Ed25519 key.
    """
    try:
        key = load_pem_public_key(_read(path))
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ConfigError(f"{path} is no public key. Name the .pub file beside the private key.") from error
    if not isinstance(key, Ed25519PublicKey):
        raise ConfigError(f"{path} holds no Ed25519 key. Make one: edgelstm keys new FILE")
    return SSlibKey.from_crypto(key)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise ConfigError(f"There is no key {path}. Make one: edgelstm keys new {path.name}") from error
    except OSError as error:
        raise ConfigError(f"Cannot read the key {path}: {error.strerror or error}.") from error
