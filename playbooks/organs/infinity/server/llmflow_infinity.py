"""Infinity's application for `uvicorn --factory llmflow_infinity:application`, as `infinity_emb v2` makes it.

Infinity's own command has no options for TLS; uvicorn, on which it runs, has. The settings are the INFINITY_…
variables that Infinity documents: a value for each model, parted by semicolons, or one for all.
"""

from __future__ import annotations

from fastapi import FastAPI
from infinity_emb.args import EngineArgs
from infinity_emb.cli import AutoPadding
from infinity_emb.env import MANAGER
from infinity_emb.infinity_server import create_server

SETTINGS = (
    "served_model_name",
    "batch_size",
    "trust_remote_code",
    "engine",
    "dtype",
    "device",
    "bettertransformer",
    "lengths_via_tokenize",
)


def application() -> FastAPI:
    """The server of every model in INFINITY_MODEL_ID; refuses to be one without a key."""
    if not MANAGER.api_key:
        raise SystemExit("INFINITY_API_KEY is not set: without it everybody could ask")
    settings = {name: getattr(MANAGER, name) for name in SETTINGS}
    models = AutoPadding(len(MANAGER.model_id), model_name_or_path=MANAGER.model_id, **settings)
    return create_server(
        engine_args_list=[EngineArgs(**model) for model in models],
        url_prefix=MANAGER.url_prefix,
        redirect_slash=MANAGER.redirect_slash,
        api_key=MANAGER.api_key,
    )
