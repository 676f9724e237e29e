"""Ed25519 signatures in minisign's own file formats, so that the stock `minisign` can check (and make) them.

A public key is `"Ed" | key id (8) | key (32)`, a signature `"ED" | key id (8) | signature (64)` over the
BLAKE2b-512 of the file, each base64 under a comment line. The trusted comment is signed with the signature.
The secret key is kept unencrypted, as `minisign -W` does: a build runs unattended, the file's mode guards it.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from llmflow_bundle.errors import BundleError

KEY_FILE = "bundle.key"
PUBLIC_FILE = "bundle.pub"
TRUSTED_FILE = "trusted.pub"

_CHUNK = 1 << 20
_TEXT_LIMIT = 16 << 10  # bytes; minisign files are below 1 KiB, anything larger is not one
_UNTRUSTED = "untrusted comment: "
_TRUSTED = "trusted comment: "


@dataclass(frozen=True)
class PublicKey:
    """A minisign public key: its 8-byte id and the 32 bytes of the Ed25519 point."""

    key_id: bytes
    raw: bytes

    @property
    def name(self) -> str:
        """The id as minisign prints it: 16 hexadecimal digits."""
        return self.key_id[::-1].hex().upper()

    @classmethod
    def parse(cls, text: str, where: str = "") -> PublicKey:
        """Read a public key file's text, or its base64 line alone; BundleError BUNDLE-KEY-UNREADABLE."""
        lines = [line for line in text.splitlines() if line and not line.startswith(_UNTRUSTED)]
        blob = _decode(lines[0], 42) if len(lines) == 1 else None
        if blob is None or blob[:2] != b"Ed":
            raise _unreadable("this is not a minisign public key", where)
        return cls(blob[2:10], blob[10:])

    @classmethod
    def load(cls, path: Path) -> PublicKey:
        """Read a public key file; BundleError BUNDLE-KEY-UNREADABLE."""
        return cls.parse(_read(path), str(path))

    def text(self) -> str:
        """The key as a file's text."""
        line = _encode(b"Ed" + self.key_id + self.raw)
        return f"{_UNTRUSTED}minisign public key {self.name}\n{line}\n"


@dataclass(frozen=True)
class SecretKey:
    """A minisign secret key: its 8-byte id, the 32-byte seed and the public key that belongs to it."""

    key_id: bytes
    seed: bytes
    public: PublicKey

    def __repr__(self) -> str:
        return f"SecretKey({self.public.name})"

    @classmethod
    def new(cls) -> SecretKey:
        """Make a key from the system's random source."""
        return cls.from_seed(secrets.token_bytes(8), secrets.token_bytes(32))

    @classmethod
    def from_seed(cls, key_id: bytes, seed: bytes) -> SecretKey:
        """The key of a given id and seed."""
        raw = Ed25519PrivateKey.from_private_bytes(seed).public_key()
        return cls(key_id, seed, PublicKey(key_id, raw.public_bytes(_RAW, _RAW_PUBLIC)))

    @classmethod
    def parse(cls, text: str, where: str = "") -> SecretKey:
        """Read an unencrypted secret key file's text; BundleError BUNDLE-KEY-UNREADABLE."""
        lines = text.splitlines()
        blob = _decode(lines[1], 158) if len(lines) == 2 else None
        if blob is None or blob[:2] != b"Ed" or blob[4:6] != b"B2":
            raise _unreadable("this is not a minisign secret key", where)
        if blob[2:4] != b"\0\0":
            raise _unreadable(
                "this secret key has a password; a build needs one made by `minisign -G -W`", where
            )
        key_id, pair, check = blob[54:62], blob[62:126], blob[126:]
        key = cls.from_seed(key_id, pair[:32])
        # `minisign -W` leaves the checksum empty; the public half tells as well whether the seed is whole.
        if key.public.raw != pair[32:] or check not in (bytes(32), _checksum(key_id, pair)):
            raise _unreadable("this secret key is damaged: its parts do not fit together", where)
        return key

    @classmethod
    def load(cls, path: Path) -> SecretKey:
        """Read an unencrypted secret key file; BundleError BUNDLE-KEY-UNREADABLE."""
        return cls.parse(_read(path), str(path))

    def text(self) -> str:
        """The key as a file's text, unencrypted."""
        pair = self.seed + self.public.raw
        blob = b"Ed" + b"\0\0" + b"B2" + bytes(48) + self.key_id + pair + _checksum(self.key_id, pair)
        return f"{_UNTRUSTED}minisign unencrypted secret key\n{_encode(blob)}\n"


def generate(config: Path) -> SecretKey:
    """The builder's key in `config`, made on first use; put into `trusted.pub` too where that is absent."""
    secret_file = config / KEY_FILE
    if not secret_file.exists():
        config.mkdir(parents=True, exist_ok=True, mode=0o700)
        _write_new(secret_file, SecretKey.new().text(), 0o600)
    key = SecretKey.load(secret_file)
    for name in (PUBLIC_FILE, TRUSTED_FILE):
        _write_new(config / name, key.public.text(), 0o644)
    return key


def sign(path: Path, key: SecretKey, trusted_comment: str) -> str:
    """The signature file's text for `path`, read in 1 MiB pieces; same input and key, same text."""
    private = Ed25519PrivateKey.from_private_bytes(key.seed)
    signature = private.sign(_prehash(path))
    whole = private.sign(signature + trusted_comment.encode())
    lines = (
        f"{_UNTRUSTED}signature from minisign secret key {key.public.name}",
        _encode(b"ED" + key.key_id + signature),
        f"{_TRUSTED}{trusted_comment}",
        _encode(whole),
    )
    return "\n".join(lines) + "\n"


def verify(path: Path, signature_text: str, key: PublicKey) -> str:
    """Check a file, read in 1 MiB pieces, against a signature file's text and return the trusted comment.

    Raises BundleError: BUNDLE-SIGNATURE-UNREADABLE, BUNDLE-KEY-UNKNOWN or BUNDLE-SIGNATURE-WRONG.
    """
    return _verify(_prehash(path), signature_text, key, str(path))


def verify_content(content: bytes, signature_text: str, key: PublicKey, where: str) -> str:
    """Check content that is already in memory; else as `verify`, `where` naming it in errors."""
    return _verify(hashlib.blake2b(content).digest(), signature_text, key, where)


def _verify(prehash: bytes, signature_text: str, key: PublicKey, where: str) -> str:
    signature, comment, whole, key_id = _parse_signature(signature_text, where)
    if key_id != key.key_id:
        signer = PublicKey(key_id, b"").name
        raise BundleError(
            "BUNDLE-KEY-UNKNOWN",
            f"signed with key {signer}, but only key {key.name} is trusted here",
            where=where,
            hint="compare the key's number with the builder's printed one, then put it into trusted.pub",
        )
    public = Ed25519PublicKey.from_public_bytes(key.raw)
    try:
        public.verify(signature, prehash)
        public.verify(whole, signature + comment.encode())
    except InvalidSignature:
        raise BundleError(
            "BUNDLE-SIGNATURE-WRONG",
            f"the signature does not belong to this file (key {key.name})",
            where=where,
            hint="the file was changed after signing: copy the bundle again from its builder",
        ) from None
    return comment


_RAW = serialization.Encoding.Raw
_RAW_PUBLIC = serialization.PublicFormat.Raw


def _parse_signature(text: str, where: str) -> tuple[bytes, str, bytes, bytes]:
    lines = text.removesuffix("\n").split("\n")
    shaped = len(lines) == 4 and lines[0].startswith(_UNTRUSTED) and lines[2].startswith(_TRUSTED)
    blob = _decode(lines[1], 74) if shaped else None
    whole = _decode(lines[3], 64) if shaped else None
    if blob is None or whole is None or blob[:2] != b"ED":
        raise BundleError(
            "BUNDLE-SIGNATURE-UNREADABLE",
            "the signature file is not a prehashed minisign signature",
            where=where,
            hint="copy the bundle again from its builder",
        )
    return blob[10:], lines[2].removeprefix(_TRUSTED), whole, blob[2:10]


def _prehash(path: Path) -> bytes:
    digest = hashlib.blake2b()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.digest()


def _checksum(key_id: bytes, pair: bytes) -> bytes:
    return hashlib.blake2b(b"Ed" + key_id + pair, digest_size=32).digest()


def _encode(blob: bytes) -> str:
    return base64.b64encode(blob).decode()


def _decode(line: str, size: int) -> bytes | None:
    try:
        blob = base64.b64decode(line, validate=True)
    except (binascii.Error, ValueError):
        return None
    # Only the canonical form: else a changed last character could still decode to the same bytes.
    return blob if len(blob) == size and _encode(blob) == line else None


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_TEXT_LIMIT).decode()
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(f"cannot read the key: {error}", str(path)) from error


def _write_new(path: Path, text: str, mode: int) -> None:
    # A link appears whole or not at all: two builds that start together neither replace nor half-read a key.
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(draft)
    finally:
        draft.unlink()


def _unreadable(what: str, where: str) -> BundleError:
    return BundleError(
        "BUNDLE-KEY-UNREADABLE", what, where=where, hint="name a minisign key file, or restore it from a copy"
    )
