"""A small bundle, complete in every kind of thing it holds, made from files in memory."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmflow_bundle import minisign
from llmflow_bundle.assemble import assemble
from llmflow_bundle.cache import Cache
from llmflow_bundle.model import Lock
from llmflow_bundle.oci import compact_json
from llmflow_bundle.report import Recording, Reporter

from support.bundle_packages import Member, make_deb, make_wheel


@dataclass(frozen=True)
class Workshop:
    """All that a small bundle is made from; `build` makes it."""

    lock: Lock
    cache: Cache
    key: minisign.SecretKey
    repository: Path
    plugin: Path

    @property
    def lock_text(self) -> bytes:
        return compact_json(self.lock.model_dump(mode="json", by_alias=True, exclude_none=True))

    def build(self, out: Path, report: Reporter | None = None) -> Path:
        assemble(
            self.lock,
            self.lock_text,
            self.cache,
            out,
            self.key,
            report or Recording(),
            repository=self.repository,
            plugins=[self.plugin],
        )
        return out


def make_workshop(folder: Path) -> Workshop:
    cache = Cache(folder / "cache")
    repository = folder / "repository"
    (repository / "playbooks" / "roles").mkdir(parents=True)
    (repository / "playbooks" / "roles" / "main.yml").write_text("- hosts: all\n")
    (repository / "playbooks" / "__pycache__").mkdir()
    (repository / "playbooks" / "__pycache__" / "x.pyc").write_bytes(b"not for the bundle")
    (repository / "inventories").mkdir()
    (repository / "inventories" / "hosts.yml").write_text("all: {}\n")
    plugin = folder / "llmflow-x-0.1.0.difypkg"
    plugin.write_bytes(b"package")
    lock = Lock.model_validate(_lock(folder, cache))
    return Workshop(lock, cache, minisign.generate(folder / "config"), repository, plugin)


def _lock(folder: Path, cache: Cache) -> dict[str, Any]:
    sources: dict[str, tuple[dict[str, Any], list[tuple[str, Path]]]] = {
        "tools": (
            {"kind": "go", "module": "example.org/tools", "version": "v1", "commands": ["."]},
            _binaries(folder),
        ),
        "host-packages": ({"kind": "deb", "packages": ["hello"]}, [_deb(folder)]),
        "python311": ({"kind": "deb", "packages": ["hello"]}, [_deb(folder)]),
        "runtime": ({"kind": "pypi", "lock_file": "x.txt"}, [_wheel(folder)]),
        "model": ({"kind": "file", "path": "weights"}, [_plain(folder, "weights/a.bin", b"w" * 5000)]),
    }
    image = {
        "ref": "registry.example.org/tool:1",
        "organ": "tools",
        "layers": [
            {"steps": [{"from": "tools/tool", "to": "/usr/bin/tool", "mode": "0755"}]},
            {
                "steps": [
                    {"from": "host-packages", "to": "/"},
                    {"from": "runtime", "to": "/opt/site", "exclude": ["*/tests"]},
                    {"directory": "/data", "owner": "5:6"},
                    {"text": "hello\n", "to": "/etc/motd"},
                    {"link": "/tool", "target": "usr/bin/tool"},
                ]
            },
        ],
        "config": {"entrypoint": ["/usr/bin/tool"], "env": {"A": "1"}, "user": "5:6"},
    }
    return {
        "profile": "test",
        "target": {"os": "debian-12", "arch": "amd64"},
        "intent": "0" * 64,
        "toolchain": {"go": "go1.26.8"},
        "organs": [
            {"name": "tools", "version": "1", "licence": "MIT", "why": "a test", "wheels": ["runtime"]}
        ],
        "sources": [_source(name, spec, files, cache) for name, (spec, files) in sources.items()],
        "binaries": [{"from": "tools/tool", "to": "tool", "organ": "tools"}],
        "images": [image],
        "models": [{"from": "model/weights", "to": "weights", "organ": "tools"}],
        "installer": {"runtime": "python311", "site_packages": "runtime"},
    }


def _source(name: str, spec: dict[str, Any], files: list[tuple[str, Path]], cache: Cache) -> dict[str, Any]:
    artifacts = []
    for file, path in files:
        stored = cache.copy_in(path)
        facts = {"file": file, "sha256": stored.sha256, "size": stored.size}
        artifacts.append({"name": name, "version": "1", "licence": "MIT", "needed_by": ["tools"], **facts})
    licence = {} if spec["kind"] in ("deb", "pypi") else {"licence": "MIT"}
    return {
        "organ": "tools",
        "spec": {"name": name, **spec, **licence},
        "key": "0" * 64,
        "artifacts": artifacts,
    }


def _plain(folder: Path, name: str, content: bytes, mode: int = 0o644) -> tuple[str, Path]:
    path = folder / name.replace("/", "_")
    path.write_bytes(content)
    path.chmod(mode)
    return name, path


def _binaries(folder: Path) -> list[tuple[str, Path]]:
    return [_plain(folder, "tool", b"ELF" * 3000, 0o755), _plain(folder, "other", b"ELF" * 2000, 0o755)]


def _deb(folder: Path) -> tuple[str, Path]:
    members: list[Member] = [
        ("./usr/lib64/ld-linux-x86-64.so.2", "-> /usr/lib/x86_64-linux-gnu/ld.so", 0o777),
        ("./usr/lib/x86_64-linux-gnu/ld.so", b"loader", 0o755),
        ("./usr/bin/python3.11", b"python", 0o755),
    ]
    return "hello_2.0-1_amd64.deb", make_deb(folder / "hello.deb", "hello", members)


def _wheel(folder: Path) -> tuple[str, Path]:
    files = {"pkg/__init__.py": b"x = 1\n", "pkg/tests/t.py": b"", "pkg-1.dist-info/RECORD": b""}
    return "pkg-1-py3-none-any.whl", make_wheel(folder / "pkg.whl", files)
