"""Documents name what exists: files, headings, make targets, commands, options; nothing names a machine."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree

import pytest
import typer
from llmflow_installer.cli import app

ROOT = Path(__file__).resolve().parents[2]
FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>\w*)\n(?P<body>.*?)^(?P=indent)```", re.MULTILINE | re.DOTALL
)
CODE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"!?\[[^\]]*\]\((?P<target>[^)\s]+)\)")
HEADING = re.compile(r"^#+ (?P<text>.+)$", re.MULTILINE)
SVG = "{http://www.w3.org/2000/svg}"
TARGET = re.compile(r"^([a-z][a-z0-9-]*):", re.MULTILINE)

# In pieces, so that this file names none of them either.
REGISTRIES = (
    ("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"), ("npmjs", "com"), ("yarnpkg", "com"),
    ("repo1", "maven", "org"), ("repo", "maven", "apache", "org"), ("proxy", "golang", "org"),
    ("sum", "golang", "org"), ("deb", "debian", "org"), ("security", "debian", "org"),
    ("snapshot", "debian", "org"), ("ftp", "debian", "org"), ("archive", "ubuntu", "com"),
    ("download", "pytorch", "org"), ("crates", "io"), ("rubygems", "org"),
)  # fmt: skip
REGISTRY = re.compile("|".join(rf"\b{re.escape('.'.join(host))}\b" for host in REGISTRIES))
# Folders of the developers' own machines; a path below another or below a variable is not one.
MACHINE = re.compile(r"(?<![\w.}$/~-])/(?:work|root)\b")
SCRATCH = re.compile(r"(?<![\w.}$/~-])/tmp/\w")
IMAGES = ("playbooks/organs/", "playbooks/charts/")  # where a path may be one inside an image


@cache
def files() -> tuple[Path, ...]:
    """Everything that is, or would be, committed."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    return tuple(path for name in sorted(listing.split("\0")) if name and (path := ROOT / name).is_file())


def documents() -> list[Path]:
    return [path for path in files() if path.suffix == ".md"]


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def fenced(text: str) -> Iterator[str]:
    """Lines of fenced blocks, prompts and continuations resolved."""
    for block in FENCE.finditer(text):
        body = block["body"].replace("\\\n", " ")
        yield from (re.sub(r"^\s*[$#] ", "", line).strip() for line in body.splitlines())


def code(text: str) -> Iterator[str]:
    """Code of every kind: lines of fenced blocks and what stands between backticks."""
    yield from fenced(text)
    yield from CODE.findall(FENCE.sub("", text))


def anchors(path: Path) -> set[str]:
    """Fragments by which the headings of a document are reached, as GitHub makes them."""
    text = FENCE.sub("", path.read_text(encoding="utf-8"))
    headings = (re.sub(r"[^\w\- ]", "", heading["text"].lower()) for heading in HEADING.finditer(text))
    return {heading.strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", documents(), ids=named)
def test_links_lead_somewhere(document: Path) -> None:
    text = CODE.sub("", FENCE.sub("", document.read_text(encoding="utf-8")))
    broken = []
    for link in LINK.finditer(text):
        target = unquote(link["target"])
        if re.match(r"[a-z]+:", target):
            continue
        name, _, fragment = target.partition("#")
        there = (document.parent / name).resolve() if name else document
        if not there.exists() or (fragment and fragment not in anchors(there)):
            broken.append(target)
    assert not broken


@pytest.mark.parametrize("document", documents(), ids=named)
def test_make_targets_exist(document: Path) -> None:
    targets = set(TARGET.findall((ROOT / "Makefile").read_text(encoding="utf-8")))
    text = document.read_text(encoding="utf-8")
    asked = {
        word for line in code(text) for word in re.findall(r"(?:^|[;&|] *|-- )make ([a-z][a-z0-9-]*)", line)
    }
    assert asked <= targets


def commands(text: str) -> Iterator[list[str]]:
    """The arguments of every `llmflow` command in a document's code."""
    for line in code(text):
        for part in re.split(r"\s(?:&&|\|\||\||;)\s|\s#\s", line):
            words = part.removeprefix("sudo ").split(maxsplit=1)
            if words and words[0].rpartition("/")[2] == "llmflow" and len(words) == 2:
                yield shlex.split(words[1].replace("…", ""))


def unknown(arguments: list[str]) -> str:
    """What of a command line the program does not know; "" where it knows all."""
    command: Any = typer.main.get_command(app)
    options = {option for parameter in command.params for option in parameter.opts}
    for word in arguments:
        below = getattr(command, "commands", {})
        if word.startswith("--"):
            if word.partition("=")[0] not in {*options, "--help"}:
                return word
        elif word in below or (
            below and command.name == "rehearse"
        ):  # `rehearse SITE` is short for `up SITE`
            command = below[word if word in below else "up"]
            options |= {option for parameter in command.params for option in parameter.opts}
        elif below:
            return word
    return ""


@pytest.mark.parametrize("document", documents(), ids=named)
def test_commands_and_their_options_exist(document: Path) -> None:
    for arguments in commands(document.read_text(encoding="utf-8")):
        assert not unknown(arguments), f"llmflow {shlex.join(arguments)}"


def test_documents_are_looked_at() -> None:
    """Commands are found in every form that a document may give them."""
    text = "```console\n$ sudo llmflow rehearse S --key \\\n    K\n```\n`x/llmflow bundle lock lab && make a`"
    assert list(commands(text)) == [["rehearse", "S", "--key", "K"], ["bundle", "lock", "lab"]]
    wrong = {"bundle loc": "loc", "install S --bundel D": "--bundel", "rehearse S --bundle D": ""}
    assert {line: unknown(line.split()) for line in wrong} == wrong


def test_nothing_names_a_registry_or_a_machine() -> None:
    """Addresses come from the build machine's own clients; paths from whoever runs a command."""
    found = []
    for path in files():
        content = path.read_bytes()
        if b"\0" in content:
            continue
        for number, line in enumerate(content.decode(errors="replace").lower().splitlines(), 1):
            found += [f"{named(path)}:{number}: {hit[0]}" for hit in REGISTRY.finditer(line)]
            found += [f"{named(path)}:{number}: {hit[0]}" for hit in MACHINE.finditer(line)]
            if not named(path).startswith(IMAGES):
                found += [f"{named(path)}:{number}: {hit[0]}" for hit in SCRATCH.finditer(line)]
    assert not found


def test_korean_guides_have_english_twins() -> None:
    """Both tell the same path: the same commands in the same order."""
    twins = {"설치.md": "install.md", "번들-만들기.md": "build-a-bundle.md"}
    guides = ROOT / "docs/guides"
    for korean, english in twins.items():
        told = [
            list(commands((guides / name).read_text(encoding="utf-8"))) for name in (f"ko/{korean}", english)
        ]
        assert told[0] == told[1]


def test_a_recording_shows_what_was_said_and_no_path_of_this_machine(tmp_path: Path) -> None:
    picture = tmp_path / "said.svg"
    steps = 'for n in 1 2 3; do printf "\\r\\033[2K\\033[32mstep %s\\033[0m" $n; sleep 0.3; done'
    said = f'{steps}; echo; echo 답 "$PWD/x" "$HOME"'
    command = [sys.executable, "docs/record.py", str(picture), "--", "sh", "-c", said]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)

    drawing = ElementTree.fromstring(picture.read_text(encoding="utf-8"))  # noqa: S314 - our own
    shown = {text.text: group.get("class") for group in drawing.iter(f"{SVG}g") for text in group}
    assert shown["step 1"] == "f o"  # seen for a while, hidden in the still
    assert shown["step 3"] == shown["답 x ~"] == "f"
    assert str(ROOT) not in picture.read_text(encoding="utf-8")


def test_a_command_that_fails_leaves_no_picture(tmp_path: Path) -> None:
    command = [sys.executable, "docs/record.py", str(tmp_path / "none.svg"), "--", "sh", "-c", "exit 3"]
    assert subprocess.run(command, cwd=ROOT, check=False, capture_output=True).returncode == 3
    assert not (tmp_path / "none.svg").exists()
