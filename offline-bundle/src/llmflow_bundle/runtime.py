"""The bundle's own Python, so that the installer runs on any x86-64 Linux with nothing installed.

    llmflow                          launcher
    installer/bin/ansible-playbook … commands that ansible-runner looks up on PATH
    installer/runtime/               Debian's python3.11 with its libraries and loader, unpacked
    installer/runtime/usr/bin/python3  wrapper: starts python3.11 under the bundle's loader
    installer/site-packages/         locked wheels and our packages

Nothing is compiled or written when it runs, no environment variable leads it, and the tree may lie anywhere:
Python finds its library from the wrapper's own path (`--argv0`), and so do the processes that it starts by
`sys.executable`. PYTHONHOME would do the same but also reach the host's Python in Ansible's local tasks.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path

from llmflow_bundle.layout import INSTALLER, LAUNCHER, RUNTIME, SITE_PACKAGES
from llmflow_bundle.oci import Entry
from llmflow_bundle.tree import below, choose, deb_entries, folder_entries, inside, wheel_entries

OUR_PACKAGES = ("llmflow_bundle", "llmflow_installer", "llmflow_kit", "llmflow_runner")

COMMANDS = {
    "ansible": "ansible.cli.adhoc",
    "ansible-inventory": "ansible.cli.inventory",
    "ansible-playbook": "ansible.cli.playbook",
    "ansible-vault": "ansible.cli.vault",
}
"""Commands of the bundle's ansible-core → module with their `main`."""

FORMAT = 1
"""Part of the unpacked runtime's cache key: raise it when `runtime_tree` gives something else."""

_PYTHON = "usr/bin/python3"
_SITE_LINK = "usr/lib/python3/dist-packages/llmflow.pth"
_UNUSED = (
    "usr/share/python3",
    "usr/share/binfmts",
    "usr/share/applications",
    "usr/share/pixmaps",
    "usr/share/bug",
    "etc",
    "var",
)

_LAUNCHER = """\
#!/bin/sh
# Runs the bundle's installer with the bundle's own Python; needs nothing of this machine but a POSIX shell.
here=$(dirname -- "$(readlink -f -- "$0")")
if [ "$(uname -sm)" != "Linux x86_64" ]; then
    echo "error {architecture}: this bundle runs on Linux x86_64, this machine is $(uname -sm)" >&2
    exit 3
fi
if ! [ -x "$here/{runtime}/{loader}" ]; then
    echo "error {noexec}: nothing can be run from $here" >&2
    echo "  hint:  mount it without noexec, or copy the bundle with its file modes to a local disk" >&2
    exit 3
fi
export LLMFLOW_BUNDLE="$here" LLMFLOW_PYTHON="$here/{runtime}/{python}" LC_ALL=C.UTF-8
export PATH="$here/{installer}/bin:${{PATH:-/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin}}"
exec "$LLMFLOW_PYTHON" -m llmflow_installer "$@"
"""

_WRAPPER = """\
#!/bin/sh
# Python under the bundle's own loader and libraries; isolated (-I) and leaving no bytecode behind (-B).
self=$(readlink -f -- "$0")
root=${{self%/{python}}}
exec "$root/{loader}" --argv0 "$self" --library-path "$root/{libraries}" "$root/usr/bin/python3.11" -I -B "$@"
"""

_COMMAND = """\
#!/bin/sh
here=$(dirname -- "$(readlink -f -- "$0")")
run='import sys; from {module} import main; sys.argv[0] = "{name}"; sys.exit(main())'
exec "$here/../runtime/{python}" -c "$run" "$@"
"""

_NAMES = {
    "noexec": "BUNDLE-NOEXEC",
    "architecture": "BUNDLE-ARCHITECTURE",
    "installer": INSTALLER,
    "runtime": RUNTIME,
    "python": _PYTHON,
    "loader": "usr/lib64/ld-linux-x86-64.so.2",
    "libraries": "usr/lib/x86_64-linux-gnu",
}


def runtime_tree(debs: Mapping[str, Path], scratch: Path) -> list[Entry]:
    """Entries of `installer/runtime`: unpacked packages, the wrapper, the way to site-packages.

    `debs` are file name → where it lies; contents are staged in `scratch`, which must outlive the entries.
    """
    tree = {entry.path: entry for entry in inside(choose(deb_entries(debs, scratch), exclude=_UNUSED))}
    up = "../" * (_SITE_LINK.count("/") + 1)
    for entry in (
        Entry.data(_PYTHON, _WRAPPER.format(**_NAMES).encode(), 0o755),
        Entry.data(_SITE_LINK, f"{up}{SITE_PACKAGES.rpartition('/')[2]}\n".encode()),
    ):
        tree[entry.path] = entry
    return list(tree.values())


def site_packages(wheels: Mapping[str, Path]) -> list[Entry]:
    """Entries of `installer/site-packages` from wheels (file name → where it lies)."""
    # bin/ holds scripts whose first line names an absolute interpreter: of no use in a tree that moves.
    return choose(wheel_entries(wheels), exclude=("bin", "share"))


def own_files(version: str) -> list[Entry]:
    """What is ours, by path in the bundle: the launcher, the commands, our packages."""
    metadata = f"Metadata-Version: 2.1\nName: llmflow\nVersion: {version}\n"
    ours = [entry for package in OUR_PACKAGES for entry in _our_package(package)]
    ours.append(Entry.data(f"llmflow-{version}.dist-info/METADATA", metadata.encode()))
    return [
        Entry.data(LAUNCHER, _LAUNCHER.format(**_NAMES).encode(), 0o755),
        *(_command(name, module) for name, module in COMMANDS.items()),
        *below(ours, SITE_PACKAGES),
    ]


def _command(name: str, module: str) -> Entry:
    text = _COMMAND.format(python=_PYTHON, module=module, name=name)
    return Entry.data(f"{INSTALLER}/bin/{name}", text.encode(), 0o755)


def _our_package(package: str) -> list[Entry]:
    where = importlib.import_module(package).__file__
    assert where is not None  # noqa: S101 - a package on disk, not a namespace
    return below(
        choose(folder_entries(Path(where).parent), exclude=("__pycache__", "*/__pycache__")), package
    )
