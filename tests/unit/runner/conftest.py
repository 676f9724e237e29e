"""Small packages that the checker has nothing to say about, to be broken one way at a time."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from llmflow_runner import declaration, materials, wheels

MANIFEST = """\
version: 0.1.0
type: plugin
author: llmflow
name: small
label: {en_US: Small}
description: {en_US: "Something small / 작은 것"}
icon: icon.svg
created_at: "2026-11-21T00:00:00Z"
resource: {memory: 1048576}
plugins: {models: [provider/small.yaml]}
meta:
  version: 0.1.0
  arch: [amd64]
  runner: {language: python, version: "3.12", entrypoint: main}
  minimum_dify_version: 1.16.0
"""
PROVIDER = """\
provider: small
label: {en_US: Small}
supported_model_types: [llm]
configurate_methods: [customizable-model]
model_credential_schema:
  model: {label: {en_US: Name / 이름}}
  credential_form_schemas:
    - {variable: url, label: {en_US: Address / 주소}, type: text-input, required: true}
extra: {python: {provider_source: provider/small.py, model_sources: [models/llm/llm.py]}}
"""
MODEL = """\
from dify_plugin import LargeLanguageModel

class Small(LargeLanguageModel):
    _invoke_error_mapping = {}
"""
IDENTITY = """\
identity:
  author: llmflow
  name: small
  label: {en_US: Small}
  description: {en_US: "Something small / 작은 것"}
  icon: icon.svg
"""
AGENTS = IDENTITY + "strategies: [strategies/plan.yaml]\nextra: {python: {source: provider/small.py}}\n"
STRATEGY = """\
identity: {author: llmflow, name: plan, label: {en_US: Plan / 계획}}
description: {en_US: Plans and acts / 계획하고 실행합니다}
features: [history-messages]
parameters:
  - {name: model, type: model-selector, scope: tool-call&llm, required: true, label: {en_US: Model / 모델}}
  - {name: tools, type: "array[tools]", required: true, label: {en_US: Tools / 도구}}
  - name: pattern
    type: select
    default: react
    options:
      - {value: react, label: {en_US: ReAct}}
      - {value: plan, label: {en_US: Plan first / 먼저 계획}}
    label: {en_US: Pattern / 방식}
    help: {en_US: How it works / 동작 방식}
  - {name: steps, type: number, min: 1, max: 9, default: 5, label: {en_US: Steps / 단계}}
output_schema: {type: object, properties: {answer: {type: string}}}
extra: {python: {source: strategies/plan.py}}
"""
PLAN = """\
from dify_plugin.interfaces.agent import AgentStrategy

class Plan(AgentStrategy):
    def _invoke(self, parameters):
        yield from self.session.model.llm.invoke(parameters["model"], [])
        yield from self.session.tool.invoke("builtin", "p", "t", {})
"""
TOOLS = (
    IDENTITY
    + """\
credentials_for_provider:
  url: {type: text-input, required: true, label: {en_US: Address / 주소}, placeholder: {en_US: "https://x.internal"}}
tools: [tools/look.yaml]
extra: {python: {source: provider/small.py}}
"""
)
TOOL = """\
identity: {author: llmflow, name: look, label: {en_US: Look / 찾기}}
description: {human: {en_US: Looks / 찾습니다}, llm: Looks.}
parameters:
  - name: question
    type: string
    form: llm
    label: {en_US: Question / 질문}
    human_description: {en_US: What to look for / 찾을 것}
    llm_description: What to look for
  - name: embedder
    type: model-selector
    scope: text-embedding
    form: form
    label: {en_US: Embedder / 임베딩 모델}
    human_description: {en_US: What embeds / 임베딩할 모델}
extra: {python: {source: tools/look.py}}
"""
LOOK = """\
import dify_plugin

class Look(dify_plugin.Tool):
    def _invoke(self, parameters):
        self.session.storage.set("k", b"v")
        embed = self.session.model.text_embedding.invoke
"""
GROUP = "settings:\n  - {name: key, type: secret-input, label: {en_US: Key / 키}}\nendpoints: [endpoints/ask.yaml]\n"
ENDPOINT = "path: /ask\nmethod: POST\nextra: {python: {source: endpoints/ask.py}}\n"
SOURCES = (
    IDENTITY
    + """\
provider_type: online_document
credentials_schema:
  - {name: token, type: secret-input, required: true, label: {en_US: Token / 토큰}}
oauth_schema:
  client_schema: [{name: client_id, type: text-input, label: {en_US: Client / 클라이언트}}]
datasources: [datasources/pages.yaml]
extra: {python: {source: provider/small.py}}
"""
)
PAGES = """\
identity: {author: llmflow, name: pages, label: {en_US: Pages / 페이지}, icon: icon.svg}
description: {en_US: Pages of a wiki / 위키의 페이지}
parameters:
  - name: space
    type: select
    default: all
    options: [{value: all, label: {en_US: All spaces / 모든 공간}}]
    label: {en_US: Space / 공간}
    description: {en_US: Where to look / 찾을 곳}
output_schema: {type: object, properties: {content: {type: string}}}
extra: {python: {source: datasources/pages.py}}
"""
PAGES_CODE = """\
from dify_plugin.interfaces.datasource.online_document import OnlineDocumentDatasource

class Pages(OnlineDocumentDatasource): ...
"""
TRIGGERS = (
    IDENTITY
    + """\
subscription_schema:
  - {name: secret, type: secret-input, label: {en_US: Secret / 비밀 값}}
subscription_constructor:
  parameters:
    - name: kinds
      type: checkbox
      multiple: true
      default: [made]
      options: [{value: made, label: {en_US: Made / 만들어짐}}, {value: moved, label: {en_US: Moved / 옮겨짐}}]
      label: {en_US: Kinds / 종류}
  credentials_schema:
    token: {type: secret-input, required: true, label: {en_US: Token / 토큰}}
events: [events/made.yaml]
extra: {python: {source: provider/small.py}}
"""
)
TRIGGERS_CODE = """\
from dify_plugin.interfaces.trigger import Trigger, TriggerSubscriptionConstructor

class T(Trigger): ...

class Subscribes(TriggerSubscriptionConstructor): ...
"""
EVENT = """\
identity: {author: llmflow, name: made, label: {en_US: Made / 만들어짐}}
description: {en_US: A document was made / 문서가 만들어짐}
parameters:
  - {name: folder, type: string, label: {en_US: Folder / 폴더}, description: {en_US: Only in this one / 이 폴더에서만}}
output_schema: {type: object, properties: {name: {type: string}}}
extra: {python: {source: events/made.py}}
"""
PERMISSIONS = {
    "agent": "tool: {enabled: true}, model: {enabled: true, llm: true}",
    "tools": "model: {enabled: true, text_embedding: true}, endpoint: {enabled: true}, "
    "storage: {enabled: true, size: 1024}",
    "datasource": "",
    "trigger": "",
}
EXTENSIONS = {  # of the manifest
    "agent": "agent_strategies: [provider/small.yaml]",
    "tools": "tools: [provider/small.yaml], endpoints: [group/small.yaml]",
    "datasource": "datasources: [provider/small.yaml]",
    "trigger": "triggers: [provider/small.yaml]",
}


def wheel(name: str = "thing", version: str = "1.0", metadata: str = "License-Expression: MIT\n") -> bytes:
    """A wheel of nothing but its metadata and its licence."""
    buffer = io.BytesIO()
    said = f"Metadata-Version: 2.4\nName: {name}\nVersion: {version}\n{metadata}"
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, content in {"METADATA": said, "licenses/LICENSE": "Do what you like."}.items():
            archive.writestr(zipfile.ZipInfo(f"{name}-{version}.dist-info/{path}"), content)
    return buffer.getvalue()


WHEEL = wheel()


@pytest.fixture(scope="session")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(
        public_exponent=65537, key_size=2048
    )  # smaller than ours, and so much quicker


@pytest.fixture
def files() -> dict[str, bytes]:
    """The files of a package with a model, unsigned, sorted as packing sorts them."""
    return small("model")


@pytest.fixture
def small_package() -> Callable[[str], dict[str, bytes]]:
    """Makes the files of a package of a kind, unsigned."""
    return small


@pytest.fixture
def make_wheel() -> Callable[..., bytes]:
    """Makes a wheel of a name, a version and metadata."""
    return wheel


def small(kind: str) -> dict[str, bytes]:
    """The files of a package with what `kind` says: a model, an agent strategy, tools and an endpoint, a datasource…"""
    return dict(_made(kind))


@cache
def _made(kind: str) -> dict[str, bytes]:
    texts = {**_common(kind), **_OF[kind]}
    made = {
        **{name: text.encode() for name, text in texts.items()},
        "wheels/thing-1.0-py3-none-any.whl": WHEEL,
    }
    made[materials.NAME] = materials.render(made, declaration.manifest(made))
    return dict(sorted(made.items()))


def _common(kind: str) -> dict[str, str]:
    locked = f"thing==1.0 --hash=sha256:{hashlib.sha256(WHEEL).hexdigest()}"
    manifest = MANIFEST
    if kind != "model":
        manifest = manifest.replace("models: [provider/small.yaml]", EXTENSIONS[kind]).replace(
            "{memory: 1048576}", f"{{memory: 1048576, permission: {{{PERMISSIONS[kind]}}}}}"
        )
    return {
        "README.md": "# Small",
        "_assets/icon.svg": "<svg xmlns='http://www.w3.org/2000/svg'><path d='M0 0h9'/></svg>",
        "llmflow_kit/__init__.py": "",
        "main.py": "from llmflow_kit import http\n",
        "manifest.yaml": manifest,
        "readme/README_ko_KR.md": "# 작은 것",
        "requirements.in": "# made by hand\nthing\n",
        "requirements.txt": f"{wheels.OPTIONS}\n# made by hand\n{locked}\n",
    }


_OF: dict[str, dict[str, str]] = {
    "model": {
        "models/llm/llm.py": MODEL,
        "provider/small.py": "import dify_plugin\n\nclass Small(dify_plugin.ModelProvider): ...\n",
        "provider/small.yaml": PROVIDER,
    },
    "agent": {
        "provider/small.py": "from dify_plugin.interfaces.agent import AgentProvider\n\nclass P(AgentProvider): ...\n",
        "provider/small.yaml": AGENTS,
        "strategies/plan.py": PLAN,
        "strategies/plan.yaml": STRATEGY,
    },
    "tools": {
        "endpoints/ask.py": "from dify_plugin import Endpoint\n\nclass Ask(Endpoint): ...\n",
        "endpoints/ask.yaml": ENDPOINT,
        "group/small.yaml": GROUP,
        "provider/small.py": "from dify_plugin import ToolProvider\n\nclass P(ToolProvider): ...\n",
        "provider/small.yaml": TOOLS,
        "tools/look.py": LOOK,
        "tools/look.yaml": TOOL,
    },
    "datasource": {
        "datasources/pages.py": PAGES_CODE,
        "datasources/pages.yaml": PAGES,
        "provider/small.py": "from dify_plugin.interfaces.datasource import DatasourceProvider\n\n"
        "class P(DatasourceProvider): ...\n",
        "provider/small.yaml": SOURCES,
    },
    "trigger": {
        "events/made.py": "from dify_plugin.interfaces.trigger import Event\n\nclass Made(Event): ...\n",
        "events/made.yaml": EVENT,
        "provider/small.py": TRIGGERS_CODE,
        "provider/small.yaml": TRIGGERS,
    },
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder for a plugin."""
    path = tmp_path / "plugin"
    path.mkdir()
    return path
