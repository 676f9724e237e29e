"""Makes the small libraries that stand where CUDA's would be, so that torch loads without them.

    python3 absent.py SITE_PACKAGES BINUTILS OUTPUT

Torch's wheel for Linux is linked against CUDA: four gigabytes that a host without a GPU maps and never calls. Each
library made here has the name, the symbols and the symbol versions that the rest of torch asks the loader for; every
function of CUDA returns cudaErrorNoDevice, so torch reports no GPU, and torch's own return
nothing: false, or a page of zeros that may be written to. BINUTILS is an unpacked Debian tree with as, ld and nm.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

KEPT = ("libc10.so", "libc10_cuda.so", "libshm.so", "libtorch.so", "libtorch_cpu.so", "libtorch_python.so")
REPLACED = "libtorch_cuda.so"  # in the wheel, half a gigabyte
WITH_IT = "libtorch_nvshmem.so"  # that it asks for; its symbols move into the library above
PREFIXES = {"nccl": "libnccl.so.2", "cuFile": "libcufile.so.0"}  # libraries whose symbols have no version
NO_DEVICE = "mov $100, %eax"  # cudaErrorNoDevice
OPTIONS = "_ZN4c10d16ProcessGroupNCCL7OptionsC1Eb"  # its object is a default argument, made on import
NOTHING = "lea nothing(%rip), %rax"  # a page of zeros; the last byte of its address, as a bool, is false
SYMBOL = re.compile(r"(?P<kind>[A-Za-z]) (?P<name>[^@\s]+)(@@?(?P<version>\S+))?$")
CUDA = re.compile(r"lib(cud|cup)\w+\.so\.\d+$")


class Binutils:
    """GNU as, ld and nm out of an unpacked tree, run by the tree's own loader."""

    def __init__(self, tree: Path) -> None:
        self.tree = tree.resolve()

    def run(self, tool: str, *arguments: str) -> str:
        """What the tool writes to standard output; CalledProcessError where it fails."""
        libraries = self.tree / "usr/lib/x86_64-linux-gnu"
        loader = self.tree / "usr/lib64/ld-linux-x86-64.so.2"
        if not loader.exists():
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
        name: symbol
        for library in (WITH_IT, REPLACED)
        for name, symbol in tools.symbols(libraries / library, "--defined-only").items()
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
                result[REPLACED][name] = replaced[name][0]
    return result


def assembly(symbols: dict[str, str], result: str) -> str:
    """One function under all names; C++ type descriptions and tables as data, with the name that C++ compares."""
    lines = [".text", "absent:", result, "ret", "options:", "lea table+16(%rip), %rax", "mov %rax, (%rdi)", "ret"]
    functions = sorted(name for name, kind in symbols.items() if kind == "T")
    data = sorted(name for name, kind in symbols.items() if kind != "T")
    for name in functions:
        lines += [f".globl {name}", f".type {name}, @function", f".set {name}, {'options' if name == OPTIONS else 'absent'}"]
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
    script = [f"--version-script={versions}"] if CUDA.match(library) else []
    tools.run(
        "ld", "-shared", "--build-id=none", f"-soname={library}", *script, "-o", str(output / library), str(compiled)
    )
    for scrap in (source, compiled, versions):
        scrap.unlink()


def main(site_packages: Path, binutils: Path, output: Path) -> None:
    """Write every absent library to `output`."""
    tools = Binutils(binutils)
    output.mkdir(parents=True)
    for library, symbols in sorted(wanted(tools, site_packages / "torch/lib").items()):
        make(tools, library, symbols, output)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:4]))
