"""Calls home: what asks the internet for something when it runs, known by name and found before it runs.

In a closed network such a call waits for minutes, then fails, at the worst moment. The package's own code must not
make one; and a library in its wheels that makes one by itself must be told not to.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from llmflow_bundle.errors import Finding

from llmflow_runner.sources import Module, Sources


@dataclass(frozen=True)
class Call:
    """A call that fetches: its dotted name, why, what to do, and the argument that keeps it from fetching."""

    name: str
    why: str
    instead: str
    unless: str = ""  # "argument" or "argument=value"


@dataclass(frozen=True)
class Library:
    """A wheel that fetches or reports by itself; one of the words `told` in the code shows that it was told not to."""

    name: str
    why: str
    told: tuple[str, ...] = ()


ENCODINGS = "its encodings are fetched from a public storage account on first use"
HUB = "it fetches from a model hub what is not in its cache"
SUFFIXES = "it fetches the list of public suffixes"
MODELS = "it fetches its models"
REPORTS = "it reports use to a service"
COUNT = "count with the model's server, or with llmflow_kit.tokens"
FOLDER = "name a folder of the package"
LOCAL = "local_files_only=True"
CALLS = (
    Call("tiktoken.get_encoding", ENCODINGS, COUNT),
    Call("tiktoken.encoding_for_model", ENCODINGS, COUNT),
    Call(".get_num_tokens_by_gpt2", f"the SDK uses tiktoken: {ENCODINGS}", COUNT),
    Call("._get_num_tokens_by_gpt2", f"the SDK uses tiktoken: {ENCODINGS}", COUNT),
    Call("huggingface_hub.hf_hub_download", HUB, FOLDER),
    Call("huggingface_hub.snapshot_download", HUB, FOLDER),
    Call(".from_pretrained", HUB, f"{FOLDER}, with {LOCAL}", LOCAL),
    Call("sentence_transformers.SentenceTransformer", HUB, f"{FOLDER}, with {LOCAL}", LOCAL),
    Call("transformers.pipeline", HUB, "load model and tokenizer from a folder"),
    Call("datasets.load_dataset", HUB, "read a file of the package"),
    Call("torch.hub.load", "it fetches a repository and its weights", "load a file with torch.load"),
    Call("nltk.download", "it fetches corpora", f"{FOLDER} in nltk.data.path"),
    Call("spacy.cli.download", "it runs pip to fetch a model", "put its wheel into requirements.in"),
    Call("spacy.cli.download.download", "it runs pip to fetch a model", "put its wheel into requirements.in"),
    Call("stanza.download", MODELS, FOLDER),
    Call("easyocr.Reader", MODELS, f"{FOLDER}, with download_enabled=False", "download_enabled=False"),
    Call("paddleocr.PaddleOCR", MODELS, f"{FOLDER} in det_model_dir", "det_model_dir"),
    Call(
        "presidio_analyzer.AnalyzerEngine", "it lets spaCy fetch a model", "give it nlp_engine", "nlp_engine"
    ),
    Call("tldextract.extract", SUFFIXES, "use a TLDExtract(suffix_list_urls=())"),
    Call("tldextract.TLDExtract", SUFFIXES, "give it suffix_list_urls=()", "suffix_list_urls"),
    Call("pip.main", "it installs from an index", "put it into requirements.in"),
    Call("sentry_sdk.init", "it reports errors to a service", "log them"),
    Call("posthog.capture", REPORTS, "take it out"),
)
BASES = {
    "OAICompatLargeLanguageModel": f"it counts tokens with tiktoken: {ENCODINGS}",
    "OAICompatEmbeddingModel": f"it cuts texts with tiktoken: {ENCODINGS}",
}
PROGRAMS = {"pip", "pip3", "uv", "conda", "npm", "curl", "wget", "git", "apt", "apt-get"}
RUNNERS = {
    "subprocess.run",
    "subprocess.call",
    "subprocess.check_call",
    "subprocess.check_output",
    "subprocess.Popen",
    "os.system",
}
ASKERS = re.compile(
    r"^(?:httpx|requests|urllib3|aiohttp)\.(?:get|post|put|head|delete|request|stream)$"
    r"|^urllib\.request\.(?:urlopen|urlretrieve)$"
)
PUBLIC = re.compile(
    r"^https?://(?!"
    r"(?:localhost|127\.|\[?::1|10\.|192\.168\.)"  # this machine, or a private network
    r"|[^/]*\.(?:internal|local|svc|test|example)(?:[:/]|$)"
    r"|[^./]+(?:[:/]|$)"  # a name without a dot
    r")"
)
LIBRARIES = (
    Library("huggingface-hub", HUB, ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "local_files_only")),
    Library("nltk", "some of its functions fetch corpora", ("NLTK_DATA", "nltk.data.path")),
    Library("tldextract", SUFFIXES, ("suffix_list_urls", "TLDEXTRACT_PUBLIC_SUFFIX_LIST_URLS")),
    Library("unstructured", f"{REPORTS} when it is imported", ("DO_NOT_TRACK", "SCARF_NO_ANALYTICS")),
    Library("langsmith", "a variable lets it send traces", ("LANGSMITH_TRACING", "LANGCHAIN_TRACING_V2")),
    Library("posthog", REPORTS),
    Library("scarf-sdk", REPORTS),
    Library("sentry-sdk", "it reports errors to a service"),
    Library("mixpanel", REPORTS),
    Library("analytics-python", REPORTS),
)


def home_findings(sources: Sources, wheels: Iterable[str]) -> Iterator[Finding]:
    """Calls home in a package's own code, and libraries in its wheels that nobody told to be silent."""
    words: set[str] = set()
    for module in sources.modules.values():
        yield from _calls(module)
        words |= _words(module)
    for library in LIBRARIES:
        if library.name in wheels and not words.intersection(library.told):
            told = (
                f"tell it before it is imported: {' or '.join(library.told)}"
                if library.told
                else "take it out"
            )
            yield Finding(
                "PLUGIN-CALLS-HOME",
                f"{library.name} calls home: {library.why}",
                where="requirements.txt",
                hint=told,
            )


def _calls(module: Module) -> Iterator[Finding]:
    for name, node in module.calls():
        for call in CALLS:
            if _is(name, call.name) and not _told(node, call.unless):
                yield _home(module.at(node), f"{name.lstrip('.')} calls home: {call.why}", call.instead)
        yield from _fetches(module, name, node)
    for base in (base for node in module.classes for base in node.bases):
        if why := BASES.get(module.dotted(base).rpartition(".")[2]):
            what = f"{module.dotted(base).rpartition('.')[2]} calls home: {why}"
            yield _home(module.at(base), what, "derive from the SDK's plain class and ask the server")


def _fetches(module: Module, name: str, node: ast.Call) -> Iterator[Finding]:
    """A literal address on the internet that is asked, or a program that asks it."""
    first = node.args[0] if node.args else None
    if name in RUNNERS and (program := _program(first)) in PROGRAMS:
        yield _home(
            module.at(node), f"It runs {program}, which asks the internet", "take it into the package"
        )
    if ASKERS.match(name):
        for argument in node.args:
            address = argument.value if isinstance(argument, ast.Constant) else None
            if isinstance(address, str) and PUBLIC.match(address):
                what = f"It asks {address}, which a closed network does not reach"
                yield _home(module.at(node), what, "let the form name the address")


def _program(node: ast.expr | None) -> str:
    match node:
        case ast.List(elts=[first, *_]) | ast.Tuple(elts=[first, *_]):
            return _program(first)
        case ast.Constant(value=str(text)) if text:
            return text.split()[0].rpartition("/")[2]
    return ""


def _is(name: str, wanted: str) -> bool:
    return name.endswith(wanted) if wanted.startswith(".") else name == wanted


def _told(node: ast.Call, unless: str) -> bool:
    argument, _, value = unless.partition("=")
    given = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
    return bool(argument) and argument in given and (not value or given[argument] == value)


def _words(module: Module) -> set[str]:
    """What may show that a library was told: names of variables, arguments and attributes."""
    found: set[str] = set()
    for node in ast.walk(module.tree):
        match node:
            case ast.Constant(value=str(text)):
                found.add(text)
            case ast.keyword(arg=str(name)):
                found.add(name)
            case ast.Attribute():
                found.add(module.dotted(node))
    return found


def _home(where: str, what: str, hint: str) -> Finding:
    return Finding("PLUGIN-CALLS-HOME", what, where=where, hint=hint)
