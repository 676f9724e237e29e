"""Makes the small libraries that stand where CUDA's would be, so that torch loads without them.

    python3 absent.py TORCH BINUTILS OUTPUT

Torch's wheel for Linux is linked against CUDA: four gigabytes that a host without a GPU maps and never
calls. Each library made here has the name, the symbols and the symbol versions that the rest of torch asks
the loader for. Every function of CUDA returns cudaErrorNoDevice, so torch reports no GPU, and an empty text where
that is wanted; torch's own return nothing: false, or a page of zeros that may be written to.

TORCH is torch's wheel, or the site-packages folder that it is installed in; BINUTILS an unpacked Debian tree
with as, ld and nm (/ where they are installed); OUTPUT the folder for the libraries, in use torch/lib.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import zipfile
from collections import defaultdict
from pathlib import Path

KEPT = ("libc10.so", "libc10_cuda.so", "libshm.so", "libtorch.so", "libtorch_cpu.so", "libtorch_python.so")
REPLACED = "libtorch_cuda.so"  # in the wheel, half a gigabyte
WITH_IT = "libtorch_nvshmem.so"  # that it asks for; its symbols move into the library above
PREFIXES = {"nccl": "libnccl.so.2", "cuFile": "libcufile.so.0"}  # libraries whose symbols have no version
OPTIONS = "_ZN4c10d16ProcessGroupNCCL7OptionsC1Eb"  # its object is a default argument, made on import
NO_DEVICE = "mov $100, %eax"  # cudaErrorNoDevice
NOTHING = "lea nothing(%rip), %rax"  # a page of zeros; the last byte of its address, as a bool, is false
TEXT = re.compile(r"Error(Name|String)$")  # torch reads what such a function returns as text
SYMBOL = re.compile(r"(?P<kind>[A-Za-z]) (?P<name>[^@\s]+)(@@?(?P<version>\S+))?$")
CUDA = re.compile(r"lib(cud|cup)\w+\.so\.\d+$")


class Binutils:
    """GNU as, ld and nm out of an unpacked tree, run by the tree's own loader."""

    def __init__(self, tree: Path) -> None:
        self.tree = tree.resolve()

    def run(self, tool: str, *arguments: str) -> str:
        """What the tool writes to standard output; CalledProcessError where it fails."""
        libraries = self.tree / "usr/lib/x86_64-linux-gnu"
        loader = libraries / "ld-linux-x86-64.so.2"
        command = [loader, "--library-path", libraries, self.tree / f"usr/bin/x86_64-linux-gnu-{tool}"]
        return subprocess.run(
            [*map(str, command), *arguments], check=True, stdout=subprocess.PIPE, text=True
        ).stdout

    def symbols(self, library: Path, which: str) -> dict[str, tuple[str, str]]:
        """name → (nm's letter, version or "") of a library's dynamic symbols."""
        listing = self.run("nm", "-D", which, str(library))
        found = (SYMBOL.search(line) for line in listing.splitlines())
        return {m["name"]: (m["kind"], m["version"] or "") for m in found if m}


def wanted(tools: Binutils, libraries: Path) -> dict[str, dict[str, str]]:
    """library → symbol → nm's letter: all that the kept libraries ask of those that are not there."""
    replaced = {
        name: kind
        for library in (WITH_IT, REPLACED)
        for name, (kind, _) in tools.symbols(libraries / library, "--defined-only").items()
    }
    result: dict[str, dict[str, str]] = defaultdict(dict)
    for kept in KEPT:
        for name, (_, version) in tools.symbols(libraries / kept, "--undefined-only").items():
            prefix = next((p for p in PREFIXES if name.startswith(p)), "")
            if CUDA.match(version):
                result[version][name] = "T"
            elif prefix:
                result[PREFIXES[prefix]][name] = "T"
            elif name in replaced:
                result[REPLACED][name] = replaced[name]
    return result


def assembly(symbols: dict[str, str], result: str) -> str:
    """All functions as one that only returns `result`; C++'s tables and type descriptions as data.

    A description holds the type's name, by which C++ tells types apart. The constructor OPTIONS gives its
    object a table of its own: torch asks the object for its type when it is imported.
    """
    lines = [".text", "absent:", result, "ret", "text:", NOTHING, "ret"]
    lines += ["options:", "lea table+16(%rip), %rax", "mov %rax, (%rdi)", "ret"]
    for name in sorted(name for name, kind in symbols.items() if kind == "T"):
        body = "options" if name == OPTIONS else "text" if TEXT.search(name) else "absent"
        lines += [f".globl {name}", f".type {name}, @function", f".set {name}, {body}"]
    data = sorted(name for name, kind in symbols.items() if kind != "T")
    lines += [".bss", ".balign 4096", "nothing:", ".zero 4096", ".data", ".balign 16"]
    for number, name in enumerate(data):
        lines += [f".globl {name}", f".type {name}, @object", f".size {name}, 512", f"{name}:"]
        lines += [".quad 0", f".quad name{number}", ".zero 496"]
    lines += [".balign 16", "table:", ".quad 0", ".quad type", *[".quad absent"] * 16]
    lines += ["type:", ".quad 0", ".quad typename"]
    lines += [".section .rodata", 'typename: .asciz "6Absent"']
    lines += [f'name{number}: .asciz "{name.removeprefix("_ZTI")}"' for number, name in enumerate(data)]
    return "\n".join([*lines, '.section .note.GNU-stack,"",@progbits', ""])


def make(tools: Binutils, library: str, symbols: dict[str, str], output: Path) -> None:
    """Assemble and link one library into `output`."""
    source, compiled, versions = (output / f"{library}{end}" for end in (".s", ".o", ".map"))
    source.write_text(assembly(symbols, NOTHING if library == REPLACED else NO_DEVICE))
    tools.run("as", "-o", str(compiled), str(source))
    versions.write_text(f"{library} {{ global: *; }};\n")
    options = ["-shared", "--build-id=none", f"-soname={library}"]
    if CUDA.match(library):
        options.append(f"--version-script={versions}")
    tools.run("ld", *options, "-o", str(output / library), str(compiled))
    for scrap in (source, compiled, versions):
        scrap.unlink()


def main(torch: Path, binutils: Path, output: Path) -> None:
    """Write every absent library to `output`."""
    tools = Binutils(binutils)
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        if torch.is_file():
            members = [f"torch/lib/{name}" for name in (*KEPT, REPLACED, WITH_IT)]
            zipfile.ZipFile(torch).extractall(scratch, members)
            torch = Path(scratch)
        for library, symbols in sorted(wanted(tools, torch / "torch/lib").items()):
            make(tools, library, symbols, output)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:4]))
