from pathlib import Path

import pytest
from llmflow_bundle.errors import BundleError
from llmflow_bundle.oci import Entry
from llmflow_bundle.tree import (
    below,
    choose,
    deb_control,
    deb_entries,
    extract,
    folder_entries,
    inside,
    wheel_entries,
)
from support.bundle_packages import make_deb, make_wheel


def content(entry: Entry) -> bytes:
    assert entry.open is not None
    with entry.open() as file:
        return file.read()


def by_path(entries: list[Entry]) -> dict[str, Entry]:
    return {entry.path: entry for entry in entries}


@pytest.mark.parametrize("compression", ["xz", "zst", ""])
def test_packages_merge_into_usr(tmp_path: Path, compression: str) -> None:
    one = make_deb(
        tmp_path / "one.deb",
        "one",
        [
            ("./", None, 0o755),
            ("./lib/", None, 0o755),
            ("./lib/libone.so.1.0", b"library", 0o644),
            ("./lib/libone.so.1", "-> libone.so.1.0", 0o777),
            ("./usr/bin/again", "= ./lib/libone.so.1.0", 0o644),
            ("./usr/share/doc/one/readme", b"dropped", 0o644),
            ("./usr/share/doc/one/copyright", b"kept", 0o644),
            ("./usr/share/man/man1/one.1", b"dropped", 0o644),
        ],
        compression,
    )
    two = make_deb(tmp_path / "two.deb", "two", [("./bin/two", b"#!", 0o4755)], compression)
    tree = by_path(deb_entries({"one.deb": one, "two.deb": two}, tmp_path / "scratch"))
    assert content(tree["usr/lib/libone.so.1.0"]) == content(tree["usr/bin/again"]) == b"library"
    assert tree["usr/lib/libone.so.1"].target == "libone.so.1.0"
    assert tree["usr/bin/two"].mode == 0o4755
    assert (tree["lib"].target, tree["usr/share/doc/one/copyright"].size) == ("usr/lib", 4)
    assert not {"usr/share/doc/one/readme", "usr/share/man/man1/one.1", "sbin"} & tree.keys()


@pytest.mark.parametrize(
    "members",
    [
        [("./dev/null", "c x", 0o666)],
        [("./usr/x", "= ./not/there", 0o644)],
        [("./usr/x", b"1", 0o644), ("./usr/x", b"2", 0o644)],
    ],
    ids=["device", "dangling hard link", "twice"],
)
def test_malformed_packages_are_named(
    tmp_path: Path, members: list[tuple[str, bytes | str | None, int]]
) -> None:
    deb = make_deb(tmp_path / "bad.deb", "bad", members)
    with pytest.raises(BundleError) as caught:
        deb_entries({"bad.deb": deb}, tmp_path / "scratch")
    assert caught.value.id == "BUNDLE-DEB-UNREADABLE"
    assert "bad.deb" in caught.value.what


@pytest.mark.parametrize("damage", [b"", b"!<arch>\n", b"no archive at all"])
def test_what_is_no_package_is_named(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / "x.deb").write_bytes(damage)
    with pytest.raises(BundleError, match=r"x\.deb is not a Debian package"):
        deb_entries({"x.deb": tmp_path / "x.deb"}, tmp_path / "scratch")


def test_a_truncated_package_is_named(tmp_path: Path) -> None:
    deb = make_deb(tmp_path / "x.deb", "x", [("./a", b"1" * 100_000, 0o644)])
    deb.write_bytes(deb.read_bytes()[:-60])
    with pytest.raises(BundleError, match=r"x\.deb is not a Debian package"):
        deb_entries({"x.deb": deb}, tmp_path / "scratch")


def test_a_hostile_package_writes_nothing_outside(tmp_path: Path) -> None:
    deb = make_deb(
        tmp_path / "x.deb",
        "x",
        [("./a", f"-> {tmp_path}", 0o777), ("./a/b", b"hostile", 0o644), ("../../c", b"hostile", 0o644)],
    )
    with pytest.raises(BundleError):
        extract(deb_entries({"x.deb": deb}, tmp_path / "scratch"), tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["scratch", "x.deb"]


def test_the_control_paragraph(tmp_path: Path) -> None:
    deb = make_deb(tmp_path / "x.deb", "x", [])
    assert deb_control("x.deb", deb).splitlines()[0] == "Package: x"


def test_a_wheel_is_laid_out_as_pip_does(tmp_path: Path) -> None:
    wheel = make_wheel(
        tmp_path / "tool-1-py3-none-any.whl",
        {
            "tool/__init__.py": b"",
            "tool/native": b"ELF",
            "tool-1.data/purelib/pure.py": b"p",
            "tool-1.data/scripts/script": b"#!python\nprint()\n",
            "tool-1.data/data/share/tool/data": b"d",
            "tool-1.data/headers/tool.h": b"h",
            "tool-1.dist-info/entry_points.txt": b"[console_scripts]\nTool = tool.cli:app.run [extra]\n",
        },
        executable=["tool/native"],
    )
    tree = by_path(wheel_entries({wheel.name: wheel}, "/usr/bin/python3.11"))
    assert sorted(tree) == [
        *("bin/Tool", "bin/script", "pure.py", "share/tool/data", "tool-1.dist-info/entry_points.txt"),
        *("tool/__init__.py", "tool/native"),
    ]
    assert content(tree["bin/script"]) == b"#!/usr/bin/python3.11\nprint()\n"
    assert content(tree["bin/Tool"]).endswith(b"from tool.cli import app\n\nsys.exit(app.run())\n")
    modes = [tree[name].mode for name in ("bin/Tool", "bin/script", "tool/native", "pure.py")]
    assert modes == [0o755, 0o755, 0o755, 0o644]


def test_wheels_that_share_a_path_give_the_same_tree_in_any_order(tmp_path: Path) -> None:
    wheels = {
        name: make_wheel(tmp_path / name, {"shared/__init__.py": name.encode()})
        for name in ("b.whl", "a.whl")
    }
    assert content(wheel_entries(wheels)[0]) == b"b.whl"


def test_what_is_no_wheel_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.whl").write_bytes(b"no zip")
    with pytest.raises(BundleError, match=r"x\.whl is not a wheel"):
        wheel_entries({"x.whl": tmp_path / "x.whl"})


def test_choose_and_below() -> None:
    entries = [Entry.data(path, b"") for path in ("a/x.py", "a/tests/t.py", "b/lib.a", "b/keep")]
    chosen = choose(entries, exclude=["*/tests", "*.a"])
    assert [entry.path for entry in below(chosen, "/opt")] == ["opt/a/x.py", "opt/b/keep"]
    assert [entry.path for entry in choose(entries, include=["b"])] == ["b/lib.a", "b/keep"]


def test_links_become_relative_and_those_that_lead_out_are_dropped() -> None:
    entries = [
        Entry.data("usr/lib/real", b"", 0o644),
        Entry.link("lib", "usr/lib"),
        Entry.link("usr/bin/absolute", "/lib/real"),
        Entry.link("usr/bin/out", "/etc/alternatives/x"),
        Entry.link("usr/bin/up", "../../../../usr/lib/real"),
        Entry.link("circle", "circle"),
    ]
    links = {entry.path: entry.target for entry in inside(entries) if entry.open is None}
    assert links == {"lib": "usr/lib", "usr/bin/absolute": "../lib/real", "usr/bin/up": "../lib/real"}


def test_a_tree_survives_a_folder(tmp_path: Path) -> None:
    entries = [
        Entry.data("a/run", b"1", 0o755),
        Entry.data("b", b"2"),
        Entry.link("c", "b"),
        Entry.folder("d"),
    ]
    extract(entries, tmp_path / "out")
    found = {e.path: (e.mode, e.size, e.target, e.is_dir) for e in folder_entries(tmp_path / "out")}
    assert found == {
        "a": (0o755, 0, "", True),
        "a/run": (0o755, 1, "", False),
        "b": (0o644, 1, "", False),
        "c": (0o777, 0, "b", False),
        "d": (0o755, 0, "", True),
    }
