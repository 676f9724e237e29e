"""Dify's third-party signature: RSA-4096 over the hashes of the files, kept in the archive's comment.

The plugin daemon takes packages signed so when THIRD_PARTY_SIGNATURE_VERIFICATION_ENABLED is true and
THIRD_PARTY_SIGNATURE_VERIFICATION_PUBLIC_KEYS names our public key. Signed are the SHA-256 of each file in
the order of the archive, then the time in decimal: file names are not covered, the daemon gives us no choice.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from llmflow_bundle.errors import BundleError

from llmflow_runner.archive import VERIFICATION, Package

PRIVATE, PUBLIC = "plugin-signing.key.pem", "plugin-signing.pub.pem"
CATEGORY = b'{"authorized_category":"community"}'


def signing_key(config: Path) -> rsa.RSAPrivateKey:
    """The key that signs packages, made in `config` the first time; only its owner may read it."""
    private = config / PRIVATE
    if not private.exists():
        _make_keys(config)
    key = serialization.load_pem_private_key(private.read_bytes(), password=None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise _no_key(private)
    return key


def public_key(path: Path) -> rsa.RSAPublicKey:
    """The public key in a PEM file; raises BundleError (PLUGIN-KEY)."""
    try:
        key = serialization.load_pem_public_key(path.read_bytes())
    except (OSError, ValueError, UnsupportedAlgorithm) as exc:
        raise _no_key(path) from exc
    if not isinstance(key, rsa.RSAPublicKey):
        raise _no_key(path)
    return key


def signed(files: Mapping[str, bytes], key: rsa.RSAPrivateKey, time: int) -> Package:
    """`files` with Dify's verification file and signature; `time` is in Unix seconds."""
    files = {**files, VERIFICATION: CATEGORY}
    signature = key.sign(_covered(files, time), padding.PKCS1v15(), hashes.SHA256())
    comment = {"signature": base64.b64encode(signature).decode(), "time": time}
    return Package(files, json.dumps(comment, separators=(",", ":")).encode())


def verified(package: Package, key: rsa.RSAPublicKey) -> bool:
    """Whether `key` signed exactly these files' contents."""
    try:
        comment = json.loads(package.comment)
        signature = base64.b64decode(comment["signature"], validate=True)
        key.verify(
            signature, _covered(package.files, int(comment["time"])), padding.PKCS1v15(), hashes.SHA256()
        )
    except (InvalidSignature, ValueError, KeyError, TypeError, binascii.Error):
        return False
    return True


def _covered(files: Mapping[str, bytes], time: int) -> bytes:
    return b"".join(hashlib.sha256(content).digest() for content in files.values()) + str(time).encode()


def _make_keys(config: Path) -> None:
    """Make the pair; the private half never exists with wider permissions than 0600."""
    config.mkdir(parents=True, exist_ok=True, mode=0o700)
    key = rsa.generate_private_key(public_exponent=65537, key_size=4096)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.PKCS1)
    (config / PUBLIC).write_bytes(public)
    partial = config / f"{PRIVATE}.{os.getpid()}"
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(pem)
    partial.rename(config / PRIVATE)


def _no_key(path: Path) -> BundleError:
    return BundleError(
        "PLUGIN-KEY",
        "There is no usable RSA key for plugin packages",
        where=str(path),
        hint=f"name the packer's {PUBLIC} with --key; the first llmflow plugin pack makes one here",
    )
