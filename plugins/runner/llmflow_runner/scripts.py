"""Dify's side of a conversation out of a file: what a plugin's questions to Dify are answered, and in which order.

The file is a list. The first entry that is `to` this kind of question, whose text `if` occurs in it, and that was not
used before, answers; with `always: true` it is never used up.
"""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from llmflow_bundle.errors import Finding, SiteError
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from llmflow_runner import usages


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Called(_Strict):
    """A tool that a scripted language model calls."""

    name: str
    arguments: Mapping[str, Any] = Field(default_factory=dict)


class Answer(_Strict):
    """One answer: words and calls of a model, messages of a tool, vectors, scores; or whatever `raw` holds."""

    to: str
    contains: Annotated[str, Field(alias="if")] = ""
    always: bool = False
    text: str = ""
    tool_calls: tuple[Called, ...] = ()
    tokens: tuple[int, int] = (0, 0)  # read and written
    json_object: Annotated[Any, Field(alias="json")] = None
    vectors: tuple[tuple[float, ...], ...] = ()
    scores: tuple[float, ...] = ()
    flagged: bool = False
    raw: tuple[Mapping[str, Any], ...] = ()
    error: str = ""


class Script:
    """Answers in order; safe to ask from several threads."""

    def __init__(self, answers: tuple[Answer, ...]) -> None:
        self._left, self._choosing = list(answers), threading.Lock()

    @property
    def kinds(self) -> set[str]:
        """What is answered at all."""
        return {answer.to for answer in self._left}

    @property
    def unused(self) -> int:
        """How many answers nobody asked for."""
        return sum(not answer.always for answer in self._left)

    def __call__(self, asked: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """The next answer for a question; raises LookupError where none is left, or where it is an error."""
        answer = self._next(str(asked["type"]), json.dumps(asked["request"], ensure_ascii=False))
        if answer.error:
            raise LookupError(answer.error)
        yield from (dict(one) for one in answer.raw) if answer.raw else _said(answer, asked["request"])

    def _next(self, kind: str, text: str) -> Answer:
        with self._choosing:
            for answer in self._left:
                if answer.to == kind and answer.contains in text:
                    if not answer.always:
                        self._left.remove(answer)
                    return answer
        raise LookupError(f"no scripted answer is left for {kind}: {text[:200]}")


def read(path: Path) -> Script:
    """The script in a file; raises SiteError (PLUGIN-SCRIPT) with all that is wrong with it."""
    try:
        rows = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
        return Script(tuple(TypeAdapter(list[Answer]).validate_python(rows)))
    except (OSError, UnicodeDecodeError, YAMLError) as exc:
        raise SiteError(
            "PLUGIN-SCRIPT", "The script of answers can't be read", where=f"{path}: {exc}"
        ) from exc
    except ValidationError as exc:
        wrong = [
            Finding("PLUGIN-SCRIPT", f"{'.'.join(map(str, error['loc']))}: {error['msg']}", where=str(path))
            for error in exc.errors()
        ]
        raise SiteError("PLUGIN-SCRIPT", "The script of answers breaks its form", findings=wrong) from exc


def _said(answer: Answer, request: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """An answer in Dify's words for its kind of question."""
    model = {"model": request.get("model", "")}
    match answer.to:
        case "llm":
            yield from _words(answer, str(model["model"]))
        case "tool":
            if answer.text:
                yield {"type": "text", "message": {"text": answer.text}, "meta": None}
            if answer.json_object is not None:
                yield {"type": "json", "message": {"json_object": answer.json_object}, "meta": None}
        case "text_embedding":
            yield {**model, "embeddings": [list(one) for one in answer.vectors], "usage": usages.embedding()}
        case "rerank":
            ranked = sorted(
                enumerate(zip(answer.scores, request["docs"], strict=False)), key=lambda one: -one[1][0]
            )
            docs = [{"index": index, "text": text, "score": score} for index, (score, text) in ranked]
            yield {**model, "docs": docs}
        case "moderation":
            yield {"result": answer.flagged}
        case kind:
            raise LookupError(f"an answer to {kind} is written under raw")


def _words(answer: Answer, model: str) -> Iterator[dict[str, Any]]:
    """A language model's answer in two pieces: what it says, then its calls and the usage."""
    if answer.text:
        yield usages.chunk(model, 0, answer.text)
    calls = [
        usages.call(f"call_{uuid.uuid4().hex[:8]}", one.name, json.dumps(one.arguments, ensure_ascii=False))
        for one in answer.tool_calls
    ]
    reason = "tool_calls" if calls else "stop"
    yield usages.chunk(model, 1, "", calls, reason, usages.language(*answer.tokens))
