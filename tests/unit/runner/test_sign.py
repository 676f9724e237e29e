"""The signature covers every byte of every file, and is made as the plugin daemon checks it."""

from __future__ import annotations

import base64
import hashlib
import json
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from hypothesis import given
from hypothesis import strategies as st
from llmflow_bundle.errors import BundleError
from llmflow_runner import archive, sign
from llmflow_runner.archive import Package

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)  # smaller than ours, and so much quicker
FILES = {"main.py": b"x = 1\n", "manifest.yaml": b"name: x\n", "wheels/a.whl": bytes(range(256))}


def test_a_signed_package_is_verified() -> None:
    assert sign.verified(sign.signed(FILES, KEY, 7), KEY.public_key())


def test_the_daemons_recipe() -> None:
    """The hashes in the archive's order, the verification file last, then the time; PKCS#1 v1.5, SHA-256."""
    package = sign.signed(FILES, KEY, 7)
    assert list(package.files) == [*FILES, ".verification.dify.json"]
    assert json.loads(package.files[".verification.dify.json"]) == {"authorized_category": "community"}
    covered = b"".join(hashlib.sha256(content).digest() for content in package.files.values()) + b"7"
    comment = json.loads(package.comment)
    assert comment["time"] == 7
    signature = base64.b64decode(comment["signature"])
    KEY.public_key().verify(signature, covered, padding.PKCS1v15(), hashes.SHA256())


@given(st.sampled_from([*FILES, archive.VERIFICATION]), st.integers(0, 10_000), st.integers(1, 255))
def test_every_flipped_byte_is_found(name: str, at: int, flip: int) -> None:
    package = sign.signed(FILES, KEY, 7)
    content = bytearray(package.files[name])
    content[at % len(content)] ^= flip
    altered = Package({**package.files, name: bytes(content)}, package.comment)
    assert not sign.verified(altered, KEY.public_key())


@pytest.mark.parametrize("change", ["drop", "add", "swap", "time", "comment"])
def test_other_changes_are_found(change: str) -> None:
    package = sign.signed(FILES, KEY, 7)
    files, comment = dict(package.files), package.comment
    match change:
        case "drop":
            del files["main.py"]
        case "add":
            files["evil.py"] = b""
        case "swap":
            files["main.py"], files["manifest.yaml"] = files["manifest.yaml"], files["main.py"]
        case "time":
            comment = comment.replace(b'"time":7', b'"time":8')
        case "comment":
            comment = b'{"signature":"AAAA","time":7}'
    assert not sign.verified(Package(files, comment), KEY.public_key())


@pytest.mark.parametrize(
    "comment", [b"", b"[]", b"{}", b'{"signature":1,"time":7}', b'{"signature":"?","time":"x"}']
)
def test_comments_that_are_no_signature(comment: bytes) -> None:
    assert not sign.verified(Package(FILES, comment), KEY.public_key())


def test_keys_are_made_once_and_kept_private(tmp_path: Path) -> None:
    first = sign.signing_key(tmp_path / "config")
    second = sign.signing_key(tmp_path / "config")
    private, public = tmp_path / "config" / sign.PRIVATE, tmp_path / "config" / sign.PUBLIC
    assert first.private_numbers() == second.private_numbers()
    assert first.key_size == 4096
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    assert private.read_text().startswith("-----BEGIN RSA PRIVATE KEY-----")
    assert public.read_text().startswith("-----BEGIN RSA PUBLIC KEY-----")
    assert sign.public_key(public).public_numbers() == first.public_key().public_numbers()


@pytest.mark.parametrize(
    "content", [None, b"", b"-----BEGIN RSA PUBLIC KEY-----\nx\n-----END RSA PUBLIC KEY-----\n"]
)
def test_a_key_that_is_none(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BundleError) as error:
        sign.public_key(path)
    assert error.value.id == "PLUGIN-KEY"
