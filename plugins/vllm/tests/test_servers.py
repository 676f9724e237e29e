"""Good and bad servers against the plugin's client, on loopback; the package runs the same cases."""

from __future__ import annotations

import pytest
from llmflow_kit.faults import Fault, describe
from llmflow_vllm import settings
from llmflow_vllm.client import Vllm
from llmflow_vllm.stream import Piece
from support.fake_vllm import KEY
from support.servers import Case, cases, form, serving


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_server(case: Case) -> None:
    seen: list[Piece] = []
    fault: Fault | None = None
    request = {"model": case.ask.model, "messages": [{"role": "user", "content": case.ask.prompt}]}
    with serving(case) as server:
        client = Vllm(settings.parse(form(case, server.url)))
        try:
            for piece in client.pieces(request):
                seen.append(piece)
        except Fault as raised:
            fault = raised
        finally:
            client.close()

    text, expected = "".join(piece.text for piece in seen), case.expect
    assert (type(fault).__name__ if fault else None) == expected.fault
    if fault:
        said = describe(fault, settings.LABELS)
        assert expected.says in said
        assert fault.field == expected.field
        assert KEY not in said
        assert case.ask.prompt not in said
        assert expected.silent_about is None or expected.silent_about not in said
    if expected.length is None:
        assert text == expected.text
    else:
        assert len(text) == expected.length
    if expected.finish:
        last = seen[-1]
        assert last.finish == expected.finish
        assert [piece.finish for piece in seen[:-1]] == [None] * (len(seen) - 1)
        assert tuple((call.id, call.name, call.arguments) for call in last.tool_calls) == expected.calls
        if expected.prompt is not None:
            counted = (last.usage.prompt, last.usage.completion) if last.usage else (0, 0)
            assert counted == (expected.prompt, expected.completion)
    if expected.requests is not None:
        assert server.paths.count("/v1/chat/completions") == expected.requests
