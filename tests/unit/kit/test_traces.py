"""Ids that tie an engine's request to a message in Dify."""

from __future__ import annotations

import re

import pytest
from llmflow_kit.traces import trace

UUID = "0d9e2f00-4b63-4722-880f-cdf667035ced"
TRACEPARENT = re.compile(
    r"00-[0-9a-f]{32}-[0-9a-f]{16}-01"
)  # https://www.w3.org/TR/trace-context/#traceparent-header


def test_the_message_is_the_trace() -> None:
    made = trace(UUID, "session-1")
    assert made.trace_id == UUID.replace("-", "")
    headers = made.headers()
    assert headers["x-request-id"] == "session-1"
    assert TRACEPARENT.fullmatch(headers["traceparent"])
    assert made.trace_id in headers["traceparent"]


def test_each_request_is_a_span_of_its_own() -> None:
    made = trace(UUID, "s")
    assert made.headers()["traceparent"] != made.headers()["traceparent"]


@pytest.mark.parametrize(
    ("message", "session"),
    [(None, None), (None, "s"), ("", ""), ("no uuid", "s"), ("0" * 32, "s"), ("가" * 32, "\r\nx: 1")],
)
def test_strange_ids_make_sound_headers(message: str | None, session: str | None) -> None:
    headers = trace(message, session).headers()
    assert TRACEPARENT.fullmatch(headers["traceparent"])
    assert headers["traceparent"][3:35] != "0" * 32
    assert re.fullmatch(r"[A-Za-z0-9._-]+", headers["x-request-id"])
