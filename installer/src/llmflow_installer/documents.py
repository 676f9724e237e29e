"""The demo's documents: a scan and an HWPX file among them are parsed, taken into the stores, asked about, moderated.

Six packed plugins work together as they do in Dify, which `llmflow_runner.dify` stands in for. The language model of a
lab has no words of its own for this: each time it is made to say one line, which is built here from what the plugins
found. Everything else happens as it would with a large one.
"""

from __future__ import annotations

import json
import mimetypes
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from llmflow_bundle.errors import VerifyFailed
from llmflow_bundle.report import Noted
from llmflow_runner import actions, dify
from llmflow_runner.daemon import Plugin

from llmflow_installer.desk import Desk
from llmflow_installer.engines import ENGINES

HANDBOOK = Path(__file__).parent / "handbook"
TEXTS = {".md", ".txt"}
PARSED = {".pdf", ".hwpx"}
CALLER = "제 주민등록번호는 900101-1234568이고 전화번호는 010-2345-6789입니다."
INSTRUCTION = "사내 문서에서 찾은 내용만으로 답하세요."
MODERATION_KEY = "the demo's own"
WORKSPACE = "handbook"
LONGEST_LINE = 4000  # tokens
SENTENCE = re.compile(r"[^.!?\n]+[.!?]")  # a heading is none

Say = Callable[[str], None]


def show(desk: Desk, say: Say) -> None:
    """Parse, take in, ask, moderate. Raises VerifyFailed where what two documents know together is not found."""
    (asked, *_) = json.loads((HANDBOOK / "questions.json").read_text(encoding="utf-8"))
    with ExitStack() as running:
        plugins = {
            name: running.enter_context(desk.running(name))
            for name in ("unstructured", "embeddings", "graphrag", "vllm", "langgraph", "presidio")
        }
        library = _Library(desk, plugins)
        _take_in(desk, library, say)
        guard = _Guard(plugins["presidio"])
        typed = f"{CALLER} {asked['question']}"
        desk.report(Noted(f"\n  {typed}"))
        question = guard.input(typed)
        say(f"input     {question}")
        answer, sources = _answered(desk, library, question, asked["question"])
        say(f"answer    {answer}")
        for number, source in enumerate(sources, 1):
            say(f"    [{number}] {source}")
        say(f"output    {guard.output(answer)}")
    missing = [name for name in asked["documents"] if not any(name in source for source in sources)]
    if missing:
        raise VerifyFailed("VERIFY-GRAPH", f"the answer lacks a passage of {', '.join(missing)}")


@dataclass(frozen=True)
class _Library:
    """The workspace of the handbook, through GraphRAG's plugin."""

    desk: Desk
    plugins: Mapping[str, Plugin]

    @property
    def form(self) -> dict[str, Any]:
        """What a builder fixes of every tool of GraphRAG's."""
        engine = ENGINES["infinity"]
        return {
            "workspace": WORKSPACE,
            "embedder": {
                "provider": f"llmflow/{engine.plugin}/{engine.plugin}",
                "model": engine.model("embed"),
                "model_type": "text-embedding",
            },
        }

    @property
    def models(self) -> dify.Models:
        """The embedding model."""
        engine = ENGINES["infinity"]
        return dify.Models(self.plugins[engine.plugin], engine.plugin, self.desk.form(engine.organ))

    def take(self, **parameters: Any) -> dict[str, Any]:
        """One document into the stores. Raises VerifyFailed where it is not taken."""
        asked = {**self.form, **parameters}
        graphrag, stores = self.plugins["graphrag"], self.desk.stores()
        (done,) = dify.tool(graphrag, ("graphrag", "ingest"), stores, asked, self.models)["documents"]
        if done["state"] == "failed":
            raise VerifyFailed("VERIFY-GRAPH", f"{done['document']} was not taken in: {done['why']}")
        return dict(done)


def _take_in(desk: Desk, library: _Library, say: Say) -> None:
    begun = time.monotonic()
    files = sorted(path for path in HANDBOOK.iterdir() if path.suffix in TEXTS | PARSED)
    with _served(HANDBOOK) as address:
        for path in files:
            if path.suffix in TEXTS:
                library.take(text=path.read_text(encoding="utf-8"), document_id=path.name)
                continue
            elements = _parsed(desk, library.plugins["unstructured"], path, f"{address}/{path.name}")
            library.take(elements=elements, document_id=path.name)
            kinds = ", ".join(dict.fromkeys(element["type"] for element in elements))
            say(f"{path.name}: {len(elements)} elements ({kinds})")
    took = time.monotonic() - begun
    desk.report(Noted(f"\n  {len(files)} documents in Neo4j and Milvus ({took:.1f} s)\n"))


def _parsed(desk: Desk, plugin: Plugin, path: Path, url: str) -> list[dict[str, Any]]:
    """The elements of a file, by the organ that reads documents."""
    file = {
        "dify_model_identity": "__dify__file__",
        "url": url,
        "filename": path.name,
        "extension": path.suffix,
        "mime_type": mimetypes.guess_type(path.name)[0] or "application/octet-stream",
        "size": path.stat().st_size,
        "type": "document",
    }
    form = desk.form("unstructured")
    found = dify.tool(plugin, ("unstructured", "parse"), form, {"files": [file]}, dify.Routed({}))
    return list(found["elements"])


def _answered(desk: Desk, library: _Library, question: str, searched: str) -> tuple[str, list[str]]:
    """What the agent answers, and the places that it cites; `searched` is what the model looks up."""
    mouth = _Mouth(dify.Models(library.plugins["vllm"], "vllm", desk.form("vllm")), searched)
    stores = desk.stores()
    tools = _Listened(
        dify.Tools(library.plugins["graphrag"], "graphrag", stores, library.models), mouth.passages
    )
    routed = dify.Routed({"llm": mouth, "tool": tools, "storage": dify.Storage()})
    parameters = {
        "model": {
            "provider": "llmflow/vllm/vllm",
            "model": ENGINES["vllm"].model("answer"),
            "model_type": "llm",
            "mode": "chat",
            "completion_params": {},
            "entity": {"features": ["tool-call"], "model_properties": {"context_size": LONGEST_LINE * 4}},
            "history_prompt_messages": [],
        },
        "tools": [_tool(library.form)],
        "instruction": INSTRUCTION,
        "query": question,
    }
    text = ""
    for message in dify.strategy(library.plugins["langgraph"], ("langgraph", "react"), parameters, routed):
        text += actions.text_of(message)
        if message["type"] == "log" and message["message"]["status"] != "start":
            desk.report(Noted(f"    · {message['message']['label']}"))
    return text.strip(), [_place(passage) for passage in mouth.cited]


@dataclass
class _Mouth:
    """The lab's model, made to say what follows from the passages: first to look them up, then the best of them."""

    models: dify.Models
    question: str
    passages: list[dict[str, Any]] = field(default_factory=list)
    cited: list[dict[str, Any]] = field(default_factory=list)

    def __call__(self, asked: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """What Dify streams to the agent."""
        line = self._spoken() if self.passages else self._looked_up()
        forced = {
            "max_tokens": LONGEST_LINE,
            "extra_body": json.dumps({"structured_outputs": {"choice": [line]}}),
        }
        yield from self.models({**asked, "request": {**asked["request"], "completion_params": forced}})

    def _looked_up(self) -> str:
        call = {"name": "query", "arguments": {"query": self.question}}
        return f"<tool_call>\n{json.dumps(call, ensure_ascii=False)}\n</tool_call>"

    def _spoken(self) -> str:
        """One sentence of each of the first two documents: the nearest to the question, and to what was said."""
        near, said = _pairs(self.question), []
        for document in list(dict.fromkeys(passage["document"] for passage in self.passages))[:2]:
            sentences = [
                (len(_pairs(sentence) & near), sentence, passage)
                for passage in self.passages
                if passage["document"] == document
                for sentence in _sentences(passage["text"])
            ]
            _, best, passage = max(sentences, key=lambda one: one[0], default=(0, "", {}))
            near |= _pairs(best)
            said.append(best)
            self.cited.append(passage)
        return f"{' '.join(said)} [r1]"


@dataclass
class _Listened:
    """A tool whose passages are heard."""

    tools: dify.Tools
    heard: list[dict[str, Any]]

    def __call__(self, asked: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """The tool's messages."""
        for message in self.tools(asked):
            if message["type"] == "json":
                self.heard += message["message"]["json_object"]["passages"]
            yield message


@dataclass(frozen=True)
class _Guard:
    """Presidio's plugin, asked as Dify asks its API extension for moderation."""

    plugin: Plugin

    def input(self, query: str) -> str:
        """What of a question goes on to the app."""
        return str(self._asked("app.moderation.input", {"inputs": {}, "query": query})["query"])

    def output(self, text: str) -> str:
        """What of an answer is shown."""
        return str(self._asked("app.moderation.output", {"text": text})["text"])

    def _asked(self, point: str, params: Mapping[str, Any]) -> dict[str, Any]:
        said = {
            "method": "POST",
            "path": "/moderation",
            "headers": {"Authorization": f"Bearer {MODERATION_KEY}"},
            "body": {"point": point, "params": {"app_id": "demo", **params}},
        }
        form = {"api_key": MODERATION_KEY, "policy_name": "standard"}
        request = actions.request("invoke_endpoint", said, form, {})
        routed = dify.Routed({"storage": dify.Storage()})
        answer = actions.together("invoke_endpoint", self.plugin.ask(request, dify=routed))
        if answer["status"] != 200:
            raise VerifyFailed("VERIFY-MODERATION", f"the moderation answers with HTTP {answer['status']}")
        return dict(answer["body"])


def _tool(fixed: Mapping[str, Any]) -> dict[str, Any]:
    """GraphRAG's tool as Dify's agent node hands it over, with what its builder fixed."""
    wanted = {
        "name": "query",
        "type": "string",
        "form": "llm",
        "required": True,
        "label": {"en_US": "Question"},
        "human_description": {"en_US": "Question"},
        "llm_description": "The question, in Korean or English",
    }
    return {
        "identity": {
            "author": "llmflow",
            "name": "query",
            "label": {"en_US": "Ask"},
            "provider": "llmflow/graphrag/graphrag",
        },
        "description": {
            "human": {"en_US": "Ask"},
            "llm": "Find passages in the knowledge graph that answer a question, with citations.",
        },
        "parameters": [wanted],
        "provider_type": "builtin",
        "runtime_parameters": {**fixed, "limit": 6},
    }


def _place(passage: Mapping[str, Any]) -> str:
    page = f", p. {passage['page']}" if passage["page"] is not None else ""
    steps = [
        f"{s['subject']} — {s['relation']} → {s['object']}" for path in passage["paths"][:1] for s in path
    ]
    why = f"  ← {'; '.join(steps)}" if steps else ""
    return f"{passage['document']}{page} ({passage['start']}–{passage['end']}){why}"


def _sentences(text: str) -> Sequence[str]:
    return [one.strip() for one in SENTENCE.findall(text) if len(one.strip()) > 5]


def _pairs(text: str) -> set[str]:
    """Neighbouring letters: Korean words that share most of them belong together, whatever particles they have."""
    letters = "".join(text.split())
    return {letters[at : at + 2] for at in range(len(letters) - 1)}


@contextmanager
def _served(folder: Path) -> Iterator[str]:
    """The folder's files over HTTP on loopback, as Dify gives a plugin its user's files."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name for it
        """Say nothing."""
