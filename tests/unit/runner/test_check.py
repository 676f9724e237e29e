"""Each rule of the checker, broken once; a package with several faults gets all of them said."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from llmflow_runner import archive, check, sign
from ruamel.yaml import YAML

CASES = Path(__file__).parents[2] / "cases" / "plugins" / "findings.yaml"
KEYS = {"name", "file", "replace", "by", "remove", "add", "id", "says"}


def cases() -> list[dict[str, str]]:
    rows: list[dict[str, str]] = YAML(typ="safe", pure=True).load(CASES.read_text(encoding="utf-8"))
    return rows


def findings(files: dict[str, bytes], key: rsa.RSAPrivateKey) -> list[tuple[str, str]]:
    package = sign.signed(files, key, 1)
    return [(finding.id, finding.what) for finding in check.findings(package, key.public_key())]


def test_a_good_package_has_none(files: dict[str, bytes], key: rsa.RSAPrivateKey) -> None:
    assert findings(files, key) == []


@pytest.mark.parametrize("case", cases(), ids=lambda case: case["name"])
def test_finding(case: dict[str, str], files: dict[str, bytes], key: rsa.RSAPrivateKey) -> None:
    assert set(case) <= KEYS
    found = findings(_broken(case, files), key)
    assert [id_ for id_, what in found if case["says"] in what] == [case["id"]], found


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
    said = " ".join(what for _, what in findings(files, key))
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
        files[case["add"]] = b"x = 1\n"
    if "replace" in case:
        assert case["replace"].encode() in files[case["file"]]
        files[case["file"]] = files[case["file"]].replace(case["replace"].encode(), case["by"].encode(), 1)
    return files
