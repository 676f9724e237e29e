"""Parameters as Dify shows them, and as vLLM wants them."""

from __future__ import annotations

from typing import Any

import pytest
from llmflow_kit.faults import Rejected
from llmflow_vllm import parameters
from llmflow_vllm.parameters import TABLE

SCHEMA = '{"type": "object"}'


@pytest.mark.parametrize(
    ("values", "sent"),
    [
        ({"temperature": 0.0, "seed": None, "unknown": 1, "grammar": ""}, {"temperature": 0.0}),
        ({"top_logprobs": 3}, {"top_logprobs": 3, "logprobs": True}),
        ({"stop_token_ids": "1, 2 3"}, {"stop_token_ids": [1, 2, 3]}),
        ({"allowed_token_ids": "[4,5]"}, {"allowed_token_ids": [4, 5]}),
        ({"bad_words": "욕\n\nbad\n"}, {"bad_words": ["욕", "bad"]}),
        ({"bad_words": '["a"]'}, {"bad_words": ["a"]}),
        ({"logit_bias": '{"5": -100}'}, {"logit_bias": {"5": -100}}),
        ({"enable_thinking": False}, {"chat_template_kwargs": {"enable_thinking": False}}),
        ({"chat_template_kwargs": '{"a": 1}'}, {"chat_template_kwargs": {"a": 1}}),
        ({"extra_body": '{"session_id": "s"}', "top_k": 5}, {"session_id": "s", "top_k": 5}),
        ({"response_format": "text"}, {}),
        ({"response_format": "json_object"}, {"response_format": {"type": "json_object"}}),
        (
            {"response_format": "json_schema", "json_schema": SCHEMA},
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "answer", "schema": {"type": "object"}},
                }
            },
        ),
        (
            {"json_schema": '{"name": "n", "schema": {}, "strict": true}'},
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "n", "schema": {}, "strict": True},
                }
            },
        ),
        ({"choice": "네\n아니오"}, {"structured_outputs": {"choice": ["네", "아니오"]}}),
        ({"response_format": "text", "regex": "[0-9]+"}, {"structured_outputs": {"regex": "[0-9]+"}}),
        (
            {"response_format": "grammar", "grammar": "root ::= x", "regex": "y"},
            {"structured_outputs": {"grammar": "root ::= x"}},
        ),
        ({"structural_tag": "{}"}, {"structured_outputs": {"structural_tag": "{}"}}),
    ],
)
def test_what_is_sent(values: dict[str, Any], sent: dict[str, Any]) -> None:
    assert parameters.fields(values, {}) == sent


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"stop_token_ids": "a"}, "stop_token_ids must hold token numbers"),
        ({"bad_words": "[1]"}, "bad_words must hold one text a line"),
        ({"bad_words": "[x"}, "bad_words is not JSON"),
        ({"logit_bias": "[]"}, "logit_bias must be a JSON object"),
        ({"extra_body": "{"}, "extra_body is not JSON"),
        ({"extra_body": '{"stream": false}'}, "must not set stream"),
        ({"extra_body": '{"guided_choice": ["a"]}'}, "no longer reads guided_choice .* the parameter choice"),
        ({"extra_body": '{"guided_json": {}}'}, "the parameter json_schema"),
        ({"response_format": "json_schema"}, "json_schema, but the parameter json_schema is empty"),
        ({"response_format": "json_schema", "json_schema": "{"}, "json_schema is not JSON"),
        ({"response_format": "json_schema", "json_schema": "[]"}, "json_schema must be a JSON object"),
        ({"response_format": "regex", "choice": "a"}, "the parameter regex is empty"),
        ({"choice": "a", "regex": "b"}, "one constraint, not choice and regex"),
    ],
)
def test_what_cannot_be_sent(values: dict[str, Any], says: str) -> None:
    with pytest.raises(Rejected, match=says):
        parameters.fields(values, {})


def test_a_request_adds_to_what_the_form_gives_the_template() -> None:
    values = {"chat_template_kwargs": '{"b": 3}', "enable_thinking": True}
    sent = parameters.fields(values, {"a": 1, "b": 2, "enable_thinking": False})
    assert sent == {"chat_template_kwargs": {"a": 1, "b": 3, "enable_thinking": True}}


@pytest.mark.parametrize("size", [1, 100, 1_000_000])
def test_every_default_is_within_its_bounds(size: int) -> None:
    for rule in parameters.rules(size):
        if rule.get("default") is not None:
            assert rule["min"] <= rule["default"] <= rule["max"]


def test_every_parameter_has_a_help_in_both_languages() -> None:
    for parameter in TABLE:
        english, _, korean = parameter.help.partition(" / ")
        assert english.isascii() or parameter.name == "logit_bias"
        assert any("가" <= letter <= "힣" for letter in korean), parameter.name


def test_adapters_are_offered() -> None:
    (lora,) = (rule for rule in parameters.rules(10, ("legal-ko",)) if rule["name"] == "lora")
    assert lora["options"] == ["legal-ko"]
