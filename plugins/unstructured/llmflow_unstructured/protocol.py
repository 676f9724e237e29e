"""The names in the Unstructured API that both sides of it use."""

from __future__ import annotations

GENERAL, HEALTH, DOCS = "/general/v0/general", "/healthcheck", "/general/docs"
KEY_HEADER = "unstructured-api-key"
FAILURES = "llmflow-failures"  # a header of ours: what was not read of a document that was read in part
