"""A small package that the checker has nothing to say about, to be broken one way at a time."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from llmflow_runner import wheels

WHEEL = b"a wheel"
MANIFEST = """\
version: 0.1.0
type: plugin
author: llmflow
name: small
label: {en_US: Small}
description: {en_US: Small}
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
  model: {label: {en_US: Name}}
  credential_form_schemas:
    - {variable: url, label: {en_US: URL}, type: text-input, required: true}
extra: {python: {provider_source: provider/small.py, model_sources: [models/llm/llm.py]}}
"""


@pytest.fixture(scope="session")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(
        public_exponent=65537, key_size=2048
    )  # smaller than ours, and so much quicker


@pytest.fixture
def files() -> dict[str, bytes]:
    """The files of the package, unsigned, sorted as packing sorts them."""
    locked = f"thing==1.0 --hash=sha256:{hashlib.sha256(WHEEL).hexdigest()}"
    texts = {
        "README.md": "# Small",
        "_assets/icon.svg": "<svg/>",
        "llmflow_kit/__init__.py": "",
        "main.py": "from llmflow_kit import http\n",
        "manifest.yaml": MANIFEST,
        "models/llm/llm.py": "class Small(LargeLanguageModel): ...\n",
        "provider/small.py": "import dify_plugin\n\nclass Small(dify_plugin.ModelProvider): ...\n",
        "provider/small.yaml": PROVIDER,
        "requirements.txt": f"{wheels.OPTIONS}\n# made by hand\n{locked}\n",
    }
    return {
        **{name: text.encode() for name, text in texts.items()},
        "wheels/thing-1.0-py3-none-any.whl": WHEEL,
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder for a plugin."""
    path = tmp_path / "plugin"
    path.mkdir()
    return path
