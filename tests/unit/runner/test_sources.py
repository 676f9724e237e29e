"""What the checker reads in Python and in pictures: what is found, and as much what is not."""

from __future__ import annotations

import struct

import pytest
from llmflow_runner import homes, permissions, pictures, sources

ALLOWED = [
    "import httpx\nhttpx.get(address)",
    "import httpx\nhttpx.get('http://vllm.models.svc:8000/v1/models')",
    "import httpx\nhttpx.get('https://localhost:8080')",
    "import httpx\nhttpx.get('http://127.0.0.1:1')",
    "import httpx\nhttpx.get('http://10.0.0.1/x')",
    "import httpx\nhttpx.get('http://neo4j:7474')",
    "import transformers as t\nt.AutoModel.from_pretrained(folder, local_files_only=True)",
    "import tldextract\ntldextract.TLDExtract(suffix_list_urls=())",
    "from presidio_analyzer import AnalyzerEngine\nAnalyzerEngine(nlp_engine=engine)",
    "import easyocr\neasyocr.Reader(['ko'], download_enabled=False)",
    "import subprocess\nsubprocess.run(['tesseract', '-'])",
    "download('x')",  # not nltk's
    "def extract(text): ...\nextract('x')",
    "import spacy\nspacy.load('ko')",
]
REFUSED = [
    "import httpx\nhttpx.stream('GET', 'https://models.dev/x')",
    "import urllib.request\nurllib.request.urlopen('https://www.korea.kr')",
    "import requests as r\nr.post('https://api.telemetry.com/v1', json={})",
    "import transformers as t\nt.AutoModel.from_pretrained('x', local_files_only=False)",
    "import easyocr\neasyocr.Reader(['ko'])",
    "import os\nos.system('curl https://x.com')",
    "import subprocess\nsubprocess.check_call(('uv', 'pip', 'install', 'x'))",
    "import nltk\n\ndef later():\n    nltk.download('punkt')",
    "model._get_num_tokens_by_gpt2('x')",
    "from huggingface_hub import snapshot_download as get\nget('x/y')",
]
SESSIONS = {
    "self.session.model.llm.invoke(m)": {"model.llm"},
    "self._session.model.text_embedding.invoke(m)": {"model.text_embedding"},
    "embed = session.model.rerank": {"model.rerank"},
    "session.model.llm_structured_output.invoke(m)": {"model.llm"},
    "use(self.session.model)": {"model."},
    "self.session.storage.get('k'), session.tool.invoke(t)": {"storage", "tool"},
    "session.app.workflow.invoke(a), session.workflow_node.question_classifier": {"app", "node"},
    "session.file.upload('x')": set(),
    "self.model.llm.invoke(m), self.storage.get('k')": set(),  # not a session's
}


def read(code: str) -> sources.Sources:
    return sources.read({"x.py": code.encode()})


@pytest.mark.parametrize("code", ALLOWED)
def test_calls_that_stay_at_home(code: str) -> None:
    assert list(homes.home_findings(read(code), set())) == []


@pytest.mark.parametrize("code", REFUSED)
def test_calls_home(code: str) -> None:
    (finding,) = homes.home_findings(read(code), set())
    assert finding.id == "PLUGIN-CALLS-HOME"
    assert finding.where == f"x.py:{len(code.splitlines())}"
    assert finding.hint


@pytest.mark.parametrize("library", homes.LIBRARIES, ids=lambda library: library.name)
def test_libraries_that_call_home(library: homes.Library) -> None:
    (finding,) = homes.home_findings(read(""), {library.name})
    assert library.name in finding.what
    for word in library.told:
        told = f"import os\nos.environ['{word}'] = '1'" if word.isupper() else f"use({word}=())"
        told = f"import nltk\n{word}.insert(0, 'x')" if "." in word else told
        assert list(homes.home_findings(read(told), {library.name})) == []


@pytest.mark.parametrize("code", SESSIONS)
def test_what_code_takes_from_a_session(code: str) -> None:
    assert set(permissions.uses(read(code))) == SESSIONS[code]


def png(width: int, height: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", width, height) + bytes(9)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("icon.png", png(64, 64), ""),
        ("icon.png", png(64, 2048), "wider or higher"),
        ("icon.png", png(64, 64) + bytes(70_000), "more than 64"),
        ("icon.svg", b"<svg/>" + b" " * 70_000, "more than 64"),
        ("icon.gif", b"GIF89a", "no picture that Dify shows"),
    ],
)
def test_icons(name: str, content: bytes, says: str) -> None:
    found = [one.what for one in pictures.icon_findings({f"_assets/{name}": content}, "manifest.yaml", name)]
    assert (says in found[0]) if says else (found == [])


@pytest.mark.parametrize(
    "inside",
    [
        "<path d='M0 0h9' fill='url(#a)'/>",
        "<a href='#part'/>",
        "<style>path { fill: #abc }</style>",
        "<text>온도 / Temperature</text>",
    ],
)
def test_pictures_that_are_safe(inside: str) -> None:
    svg = f"<svg xmlns='http://www.w3.org/2000/svg' xmlns:xlink='http://www.w3.org/1999/xlink'>{inside}</svg>"
    assert list(pictures.picture_findings({"_assets/x.svg": svg.encode()})) == []


@pytest.mark.parametrize(
    "inside",
    [
        "<a xlink:href='https://x'/>",
        "<use href='other.svg#a'/>",
        "<image href='data:image/svg+xml,x'/>",
        "<path style='fill: url(https://x)'/>",
        "<set attributeName='href' to='JavaScript:x()'/>",
        "<foreignObject/>",
        "<?xml-stylesheet href='x.css'?>",
        "<style>@import url(x.css)</style>",
        "<path OnClick='x()'/>",
    ],
)
def test_pictures_that_are_not(inside: str) -> None:
    svg = f"<svg xmlns='http://www.w3.org/2000/svg' xmlns:xlink='http://www.w3.org/1999/xlink'>{inside}</svg>"
    found = list(pictures.picture_findings({"_assets/x.svg": svg.encode()}))
    assert {one.id for one in found} == {"PLUGIN-PICTURE"}
