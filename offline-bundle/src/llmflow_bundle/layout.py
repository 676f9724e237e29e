"""Names of the files in a bundle directory; nobody else spells them out.

BUNDLE/
  llmflow                launcher
  llmflow.json           signed root: every other file with its size and digest
  llmflow.json.minisig   its signature
  lock.yaml              what the bundle was built from
  oci-layout index.json blobs/sha256/<hex>
  bin/<name>             static host binaries; bin/cni/<plugin>
  apt/                   signed apt repository
  wheels/ models/<name>/ plugins/*.difypkg
  installer/             runtime/ (Python) and site-packages/
  playbooks/ inventories/
  sbom.cdx.json
"""

from __future__ import annotations

LAUNCHER = "llmflow"
ROOT = "llmflow.json"
SIGNATURE = "llmflow.json.minisig"
LOCK = "lock.yaml"
OCI_LAYOUT = "oci-layout"
INDEX = "index.json"
BLOBS = "blobs/sha256"
BIN = "bin"
APT = "apt"
APT_KEY = "apt/llmflow.gpg"
WHEELS = "wheels"
MODELS = "models"
PLUGINS = "plugins"
INSTALLER = "installer"
RUNTIME = "installer/runtime"
SITE_PACKAGES = "installer/site-packages"
PLAYBOOKS = "playbooks"
INVENTORIES = "inventories"
SBOM = "sbom.cdx.json"

REF_NAME = "org.opencontainers.image.ref.name"  # annotation that holds an image's full reference


def blob(digest: str) -> str:
    """Path of a blob inside a bundle; `digest` is `sha256:<hex>` or `<hex>`."""
    return f"{BLOBS}/{digest.removeprefix('sha256:')}"
