"""What a model or a tool wrote is never run: nothing in the package could."""

from __future__ import annotations

from pathlib import Path

from llmflow_runner import sources

FOLDER = Path(__file__).parents[1]
RUNS = {"eval", "exec", "compile", "__import__", "os.system", "os.popen", "builtins.eval", "builtins.exec"}
MODULES = {"subprocess", "pickle", "marshal", "runpy", "code", "importlib", "ctypes", "multiprocessing"}


def test_nothing_runs_what_somebody_wrote() -> None:
    found = sources.read({
        str(path.relative_to(FOLDER)): path.read_bytes()
        for path in FOLDER.rglob("*.py")
        if "tests" not in path.parts
    })  # fmt: skip
    assert len(found.modules) > 20
    for module in found.modules.values():
        assert not {name for name, _ in module.calls()} & RUNS, module.path
        assert not {name.partition(".")[0] for name in module.imports} & MODULES, module.path
