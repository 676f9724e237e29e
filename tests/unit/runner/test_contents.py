"""What wheels say about themselves: their licences, and what their requirements lead to."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from email.message import Message
from email.parser import Parser
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from llmflow_runner import check, contents, declaration, materials, sign, supply
from llmflow_runner.contents import Unreadable
from packaging.requirements import Requirement

OSI = "License :: OSI Approved :: "
MakeWheel = Callable[..., bytes]
WHEELS = {
    "app": "Requires-Dist: base>=1\nRequires-Dist: win; sys_platform == 'win32'\n"
    "Requires-Dist: fast; extra == 'speed'\n",
    "base": "Requires-Dist: app\n",  # a circle
    "fast": "Requires-Dist: arm; platform_machine == 'aarch64'\n",
    "arm": "",
    "left": "",
}


def said(text: str) -> Message:
    return Parser().parsestr(f"Name: x\n{text}\n")


@pytest.mark.parametrize(
    ("text", "licence"),
    [
        ("License-Expression: MIT OR Apache-2.0", "MIT OR Apache-2.0"),
        ("License-Expression: MIT\nLicense: other", "MIT"),
        ("License: BSD-3-Clause", "BSD-3-Clause"),
        ("License: MIT License", "MIT"),
        ("License: UNKNOWN\nClassifier: License :: OSI Approved :: Apache Software License", "Apache-2.0"),
        (f"Classifier: {OSI}MIT License\nClassifier: {OSI}ISC License (ISCL)", "MIT AND ISC"),
        ("Classifier: License :: OSI Approved\nClassifier: Topic :: Text", ""),
        ("License: The MIT License\n  Copyright somebody\n  Permission is hereby granted", "MIT"),
        ("License: The MIT License\n  Copyright\nClassifier: License :: OSI Approved :: BSD License", "BSD License"),
        ("License: " + "x" * 90, ""),
        ("Summary: nothing of the kind", ""),
    ],
)  # fmt: skip
def test_licences(text: str, licence: str) -> None:
    assert contents.licence(said(text)) == licence


@pytest.mark.parametrize("content", [b"no ZIP", b""])
def test_what_is_no_wheel(content: bytes) -> None:
    with pytest.raises(Unreadable, match=r"a-1-py3-none-any\.whl"):
        contents.read("a-1-py3-none-any.whl", content)


def test_a_requirement_that_can_t_be_read(make_wheel: MakeWheel) -> None:
    with pytest.raises(Unreadable):
        contents.read("a.whl", make_wheel("a", "1", "Requires-Dist: b ==\n"))


@pytest.mark.parametrize(
    ("asked", "arch", "instead", "names", "problems"),
    [
        ("app", "amd64", "", {"app", "base"}, []),
        ("app[speed]", "amd64", "", {"app", "base", "fast"}, []),
        ("App[speed]", "arm64", "", {"app", "base", "fast", "arm"}, []),
        ("app", "amd64", "base; sys_platform == 'win32'", {"app"}, []),
        (
            "app>=2",
            "amd64",
            "",
            {"app", "base"},
            ["requirements.in requires app>=2, and the wheel is of 1.0"],
        ),
        ("other", "amd64", "", set(), ["requirements.in requires other, of which there is no wheel"]),
    ],
)
def test_what_requirements_lead_to(
    asked: str, arch: str, instead: str, names: set[str], problems: list[str], make_wheel: MakeWheel
) -> None:
    wheels = {name: contents.read(name, make_wheel(name, "1.0", text)) for name, text in WHEELS.items()}
    overrides = {one.name: one for one in (Requirement(instead),)} if instead else {}
    assert contents.reached([Requirement(asked)], wheels, arch, overrides) == (names, problems)


def _with(files: dict[str, bytes], wheels: dict[str, bytes]) -> dict[str, bytes]:
    """A package that carries and locks more wheels, its bill made anew."""
    made = {**files, **{f"wheels/{name}": content for name, content in wheels.items()}}
    for name, content in wheels.items():
        distribution, version = name.split("-")[:2]
        pin = f"{distribution}=={version} --hash=sha256:{hashlib.sha256(content).hexdigest()}\n"
        made["requirements.txt"] += pin.encode()
    made[materials.NAME] = materials.render(made, declaration.manifest(made))
    return made


def findings(files: dict[str, bytes], key: rsa.RSAPrivateKey) -> list[tuple[str, str]]:
    return [(f.id, f.what) for f in check.findings(sign.signed(files, key, 1), key.public_key())]


@pytest.mark.parametrize(
    ("name", "metadata", "id_", "says"),
    [
        ("left", "License-Expression: MIT\n", "PLUGIN-REQUIREMENTS", "carried for nothing"),
        ("plain", "", "PLUGIN-LICENCE", "plain 1.0 states no licence"),
        ("posthog", "License: MIT\n", "PLUGIN-CALLS-HOME", "posthog calls home"),
        ("tldextract", "License: BSD\n", "PLUGIN-CALLS-HOME", "tldextract calls home"),
    ],
)
def test_wheels_that_are_not_wanted(
    name: str,
    metadata: str,
    id_: str,
    says: str,
    files: dict[str, bytes],
    key: rsa.RSAPrivateKey,
    make_wheel: MakeWheel,
) -> None:
    found = findings(_with(files, {f"{name}-1.0-py3-none-any.whl": make_wheel(name, "1.0", metadata)}), key)
    assert [one for one in found if says in one[1]] == [(id_, next(w for i, w in found if says in w))]


def test_a_library_that_was_told_to_be_silent(
    files: dict[str, bytes], key: rsa.RSAPrivateKey, make_wheel: MakeWheel
) -> None:
    files["requirements.in"] = b"thing\ntldextract\n"
    files["main.py"] = b"import tldextract\n\nfind = tldextract.TLDExtract(suffix_list_urls=())\n"
    wheel = make_wheel("tldextract", "1.0", "License: BSD-3-Clause\n")
    assert findings(_with(files, {"tldextract-1.0-py3-none-any.whl": wheel}), key) == []


def test_both_processors_need_their_wheels(
    files: dict[str, bytes], key: rsa.RSAPrivateKey, make_wheel: MakeWheel
) -> None:
    files["manifest.yaml"] = files["manifest.yaml"].replace(b"[amd64]", b"[amd64, arm64]")
    files["requirements.in"] = b"thing\nfast\n"
    wheel, name = make_wheel("fast", "1.0", "License: MIT\n"), "fast-1.0-cp312-cp312-manylinux_2_28_{}.whl"
    lacking = findings(_with(files, {name.format("x86_64"): wheel}), key)
    assert {what.partition(",")[0] for _, what in lacking} == {
        "wheels/ must hold one wheel of fast 1.0 with a locked hash that runs on arm64",
        "On arm64",
    }
    both = {name.format("x86_64"): wheel}
    assert supply.for_arch(supply.read(_with(files, both))[0], "arm64").keys() == {"thing"}


def test_the_bill_of_materials(files: dict[str, bytes]) -> None:
    bill: dict[str, Any] = json.loads(files[materials.NAME])
    (part,) = bill["components"]
    assert (part["name"], part["version"], part["licenses"]) == ("thing", "1.0", [{"license": {"id": "MIT"}}])
    assert bill["metadata"]["component"]["name"] == "small"
    assert "timestamp" not in bill["metadata"]
    assert materials.render(files, declaration.manifest(files)) == files[materials.NAME]
    assert materials.notices(files).endswith("licenses/LICENSE\n\nDo what you like.\n")
