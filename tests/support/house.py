"""A small repository of two organs, checked-in files and recipes: no network needed."""

from __future__ import annotations

from pathlib import Path

from llmflow_bundle import intent, lock
from llmflow_bundle.cache import Cache
from llmflow_bundle.model import Lock
from llmflow_bundle.report import Recording
from llmflow_bundle.sources.base import Context

BUNDLE = """\
toolchain: {go: go1.26.8}
profiles:
  lab:
    target: {os: debian-12, arch: amd64}
    supply: packages
    organs: [alpha, beta]
"""
ALPHA = """\
name: alpha
version: v1
why: the first letter
licence: Apache-2.0
supply:
  packages:
    sources:
      - {kind: file, name: words, path: words, licence: Apache-2.0}
      - kind: built
        name: joined
        version: v1
        command: [sh, -c, "cat words/a words/b > joined"]
        inputs: {words: words}
        outputs: [joined]
        reproducible: true
        licence: Apache-2.0
    binaries: [joined/joined]
    images:
      - ref: registry.example/alpha:v1
        layers: [[{from: joined/joined, to: /joined, mode: 0755}]]
        entrypoint: [/joined]
"""
BETA = """\
name: beta
version: v2
why: the second letter
licence: Apache-2.0
supply:
  packages:
    sources:
      - kind: built
        name: noise
        command: [sh, -c, "mkdir model; cp joined model/weights"]
        inputs: {joined: joined/joined}
        outputs: [model]
        reproducible: false
        why_not: it says so to test what follows
        licence: Apache-2.0
    models: [{from: noise/model, to: noise}]
"""


class House:
    """A repository at `root` with a cache beside it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.cache = Cache(root / "cache")
        self.report = Recording()
        self.write("offline-bundle/bundle.yaml", BUNDLE)
        self.write("playbooks/organs/alpha/organ.yaml", ALPHA)
        self.write("playbooks/organs/beta/organ.yaml", BETA)
        self.write("playbooks/organs/alpha/words/a", "hello ")
        self.write("playbooks/organs/alpha/words/b", "world\n")

    def write(self, path: str, text: str) -> None:
        """Write a file of the repository."""
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def edit(self, path: str, old: str, new: str) -> None:
        """Change a file of the repository."""
        text = (self.root / path).read_text()
        assert old in text
        self.write(path, text.replace(old, new))

    def load(self) -> intent.Loaded:
        """The intent of profile lab."""
        return intent.load(self.root, "lab")

    def context(self) -> Context:
        """What sources are resolved in."""
        return self._context(self.load())

    def lock(self, previous: Lock | None = None, update: tuple[str, ...] = ()) -> Lock:
        """Lock profile lab."""
        loaded = self.load()
        return lock.make(loaded, self._context(loaded), previous, update)

    def _context(self, loaded: intent.Loaded) -> Context:
        return Context(self.cache, self.root, self.root, self.root / lock.LOCKS, loaded.profile.target,
                       loaded.toolchain, self.report)  # fmt: skip
