"""What the kinds of source read and say, without their clients."""

from __future__ import annotations

from pathlib import Path

import pytest
from llmflow_bundle.errors import BundleError
from llmflow_bundle.sources import deb, maven, pypi
from llmflow_bundle.sources.base import last_word, scrub

REQUIREMENTS = """\
# a remark
alpha==1.0 \\
    --hash=sha256:aa \\
    --hash=sha256:bb
    # via
    #   -r requirements.in
    #   beta
beta[extra]==2.0 ; sys_platform == 'linux' \\
    --hash=sha256:cc
    # via -r requirements.in
gamma==3.0 ; sys_platform == 'win32' \\
    --hash=sha256:dd
delta==4.0 ; python_full_version < '3.12' \\
    --hash=sha256:ee
    # via alpha
"""


def test_hashed_requirements_for_the_target(tmp_path: Path) -> None:
    path = tmp_path / "lock.txt"
    path.write_text(REQUIREMENTS)
    pins = pypi.parse(path, "3.11")
    assert [(p.name, p.version, p.hashes, p.via) for p in pins] == [
        ("alpha", "1.0", ("sha256:aa", "sha256:bb"), "beta"),
        ("beta", "2.0", ("sha256:cc",), ""),
        ("delta", "4.0", ("sha256:ee",), "alpha"),
    ]
    assert [p.name for p in pypi.parse(path, "3.12")] == ["alpha", "beta"]


@pytest.mark.parametrize("line", ["alpha>=1.0 --hash=sha256:aa", "alpha==1.0", "alpha --hash=sha256:aa"])
def test_requirements_without_pin_or_hash_are_refused(tmp_path: Path, line: str) -> None:
    path = tmp_path / "lock.txt"
    path.write_text(line + "\n")
    with pytest.raises(BundleError, match="alpha") as caught:
        pypi.parse(path, "3.11")
    assert caught.value.id == "BUNDLE-REQUIREMENTS"


TREE = """\
llmflow:llmflow:pom:1
+- org.example:top:jar:1.0:runtime
|  +- org.example:inner:jar:linux-x86_64:2.0:runtime
|  \\- org.example:other:jar:3.0:runtime
\\- org.example:dist:zip:4.0:runtime (optional)
"""


def test_a_maven_tree() -> None:
    found = maven.parse_tree(TREE)
    assert [(c.file, c.name, via) for c, via in found] == [
        ("org.example.dist-4.0.zip", "org.example:dist:zip", ""),
        ("org.example.inner-2.0-linux-x86_64.jar", "org.example:inner:jar:linux-x86_64", "org.example:top"),
        ("org.example.other-3.0.jar", "org.example:other", "org.example:top"),
        ("org.example.top-1.0.jar", "org.example:top", ""),
    ]


@pytest.mark.parametrize("text", ["a", "a:b", "a:b:c:d:e:f", "a::c"])
def test_no_coordinate(text: str) -> None:
    with pytest.raises(BundleError, match=text):
        maven.Coordinate.parse(text)


def test_who_asked_for_a_debian_package() -> None:
    stanzas = {
        "tool": {"Depends": "libtool (>= 1) | other, virtual:any"},
        "libtool": {"Pre-Depends": "libc"},
        "libc": {},
        "real": {"Provides": "virtual (= 1)"},
    }
    graph = deb._graph(stanzas)
    assert graph == {"tool": ["libtool", "real"], "libtool": ["libc"], "libc": [], "real": []}
    roots, via = deb._reach(graph, ["tool", "libtool"])
    assert roots["libc"] == {"tool", "libtool"}
    assert via == {"real": "tool", "libc": "libtool"}


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (
            ["Looking in indexes: https://u:p@host/simple", "ERROR: No matching distribution found for nope"],
            "ERROR: No matching distribution found for nope",
        ),
        (
            [
                "[ERROR] Could not find artifact a:b in central (https://repo.example/maven2)",
                "[ERROR] ",
                "[ERROR] [Help 1] http://x",
            ],
            "[ERROR] Could not find artifact a:b in central (address)",
        ),
        (
            ['go: k8s.io/api@v9: Get "https://proxy.example": dial tcp 10.0.0.1:443: connection refused'],
            'go: k8s.io/api@v9: Get "(address)": dial tcp (address): connection refused',
        ),
        ([], "it said nothing"),
    ],
)
def test_a_clients_last_word(lines: list[str], said: str) -> None:
    assert last_word(lines) == said


def test_no_secret_and_no_folder_of_this_machine_is_quoted() -> None:
    text = scrub("open /home/someone/.netrc: token=abc123 password: hunter2, lookup repo.example on [::1]:53")
    for secret in ("abc123", "hunter2", "someone", "repo.example"):
        assert secret not in text
