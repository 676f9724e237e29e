"""Each rule of the checker, broken once; a package with several faults gets all of them said."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from llmflow_bundle.errors import Finding
from llmflow_runner import archive, check, sign
from ruamel.yaml import YAML

CASES = Path(__file__).parents[2] / "cases" / "plugins" / "findings.yaml"
KEYS = {"name", "of", "file", "replace", "by", "remove", "add", "content", "id", "says", "at"}
Small = Callable[[str], dict[str, bytes]]


@cache
def cases() -> list[dict[str, str]]:
    rows: list[dict[str, str]] = YAML(typ="safe", pure=True).load(CASES.read_text(encoding="utf-8"))
    return rows


def findings(files: dict[str, bytes], key: rsa.RSAPrivateKey) -> list[Finding]:
    return [*check.findings(sign.signed(files, key, 1), key.public_key())]


@pytest.mark.parametrize("kind", ["model", "agent", "tools", "datasource", "trigger"])
def test_a_good_package_has_none(kind: str, small_package: Small, key: rsa.RSAPrivateKey) -> None:
    assert findings(small_package(kind), key) == []


@pytest.mark.parametrize("case", cases(), ids=lambda case: case["name"])
def test_finding(case: dict[str, str], small_package: Small, key: rsa.RSAPrivateKey) -> None:
    assert set(case) <= KEYS
    found = findings(_broken(case, small_package(case.get("of", "model"))), key)
    hits = [finding for finding in found if case["says"] in finding.what]
    assert [finding.id for finding in hits] == [case["id"]], found
    assert case.get("at", "") in hits[0].where, hits


def test_all_findings_come_together(files: dict[str, bytes], key: rsa.RSAPrivateKey) -> None:
    names = {
        "a name with a dot",
        "an author in capitals",
        "a lock of uv",
        "code that does not parse",
        "a wheel too many",
    }
    several = [case for case in cases() if case["name"] in names]
    for case in several:
        files = _broken(case, files)
    said = " ".join(finding.what for finding in findings(files, key))
    assert len(several) == len(names)
    assert all(case["says"] in said for case in several)


def test_another_signer_is_found(files: dict[str, bytes], key: rsa.RSAPrivateKey) -> None:
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    package = sign.signed(files, other, 1)
    assert [f.id for f in check.findings(package, key.public_key())] == ["PLUGIN-SIGNATURE"]


def test_an_unsigned_package_is_found(files: dict[str, bytes], key: rsa.RSAPrivateKey) -> None:
    assert [f.id for f in check.findings(archive.Package(files), key.public_key())] == ["PLUGIN-SIGNATURE"]


def _broken(case: dict[str, str], files: dict[str, bytes]) -> dict[str, bytes]:
    files = dict(files)
    if "remove" in case:
        del files[case["remove"]]
    if "add" in case:
        files[case["add"]] = case.get("content", "x = 1\n").encode()
    if "replace" in case:
        assert case["replace"].encode() in files[case["file"]]
        files[case["file"]] = files[case["file"]].replace(case["replace"].encode(), case["by"].encode(), 1)
    return files
