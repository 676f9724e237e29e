"""Text generation: Dify's SDK on one side, llmflow_vllm on the other."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from functools import cache
from typing import Any

from dify_plugin import LargeLanguageModel, get_current_session
from dify_plugin.entities.model import AIModelEntity, ParameterRule
from dify_plugin.entities.model.llm import LLMResult, LLMResultChunk, LLMResultChunkDelta, LLMUsage
from dify_plugin.entities.model.message import AssistantPromptMessage, PromptMessage, PromptMessageTool
from llmflow_kit import dify
from llmflow_kit.traces import Trace
from llmflow_vllm import client, messages, parameters, schema, settings, stream, timing
from llmflow_vllm.settings import Settings
from llmflow_vllm.stream import Piece
from llmflow_vllm.timing import Timing

FREE = LLMUsage.empty_usage()


class VllmLargeLanguageModel(dify.Translated, LargeLanguageModel):
    """A language model on vLLM servers."""

    labels = settings.LABELS

    def check(self, model: str, credentials: Mapping[str, Any]) -> None:
        """Let the model say one word; raises a Fault."""
        client.vllm(settings.parse(credentials)).check(model)

    def _invoke(
        self,
        model: str,
        credentials: dict[str, Any],
        prompt_messages: list[PromptMessage],
        model_parameters: dict[str, Any],
        tools: list[PromptMessageTool] | None = None,
        stop: list[str] | None = None,
        stream: bool = True,
        user: str | None = None,
    ) -> LLMResult | Generator[LLMResultChunk, None, None]:
        watch, trace = Timing(), dify.current_trace()
        chosen = settings.parse(credentials)
        request = _request(chosen, model, prompt_messages, model_parameters, tools, stop)
        session = get_current_session()
        if salt := chosen.cache_salt(session.app_id if session else None, user):
            request["cache_salt"] = salt
        pieces = client.vllm(chosen).pieces(request, trace.headers())
        if stream:
            return self._chunks(model, pieces, watch, trace)
        return self._whole(model, pieces, watch, trace)

    def _chunks(
        self, model: str, pieces: Iterator[Piece], watch: Timing, trace: Trace
    ) -> Generator[LLMResultChunk, None, None]:
        """The stream's chunks; the SDK translates no error that comes while it iterates, so this does."""
        try:
            for index, piece in enumerate(watch.over(pieces)):
                last = piece.finish is not None
                delta = LLMResultChunkDelta(
                    index=index,
                    message=_message(piece, watch, trace),
                    usage=_usage(piece, watch) if last else None,
                    finish_reason=piece.finish,
                )
                yield LLMResultChunk(model=model, delta=delta, system_fingerprint=piece.fingerprint)
        except Exception as exc:
            raise self._transform_invoke_error(exc) from exc

    def _whole(self, model: str, pieces: Iterator[Piece], watch: Timing, trace: Trace) -> LLMResult:
        """An answer for an app that does not stream; the server streams all the same, so that silence is noticed."""
        piece = stream.whole(watch.over(pieces))
        return LLMResult(
            model=model,
            message=_message(piece, watch, trace),
            usage=_usage(piece, watch),
            system_fingerprint=piece.fingerprint,
        )

    def get_num_tokens(
        self,
        model: str,
        credentials: dict[str, Any],
        prompt_messages: list[PromptMessage],
        tools: list[PromptMessageTool] | None = None,
    ) -> int:
        """The prompt's tokens, counted by the server itself."""
        chosen = settings.parse(credentials)
        return client.vllm(chosen).count_tokens(_request(chosen, model, prompt_messages, {}, tools))

    def get_customizable_model_schema(self, model: str, credentials: Mapping[str, Any]) -> AIModelEntity:
        """What Dify shows and allows for this model."""
        chosen = settings.parse(credentials)
        known = client.vllm(chosen).discovery.model(model)
        return AIModelEntity(**schema.entity(known, chat=chosen.chat))

    def get_parameter_rules(self, model: str, credentials: dict[str, Any]) -> list[ParameterRule]:  # noqa: ARG002
        """The rules that the SDK checks before each answer; made without asking the server."""
        return _rules()


@cache
def _rules() -> list[ParameterRule]:
    return [ParameterRule(**rule) for rule in parameters.rules(parameters.LARGEST)]


def _request(
    chosen: Settings,
    model: str,
    said: list[PromptMessage],
    values: dict[str, Any],
    tools: list[PromptMessageTool] | None = None,
    stop: list[str] | None = None,
) -> dict[str, Any]:
    if chosen.chat:
        return messages.chat_request(model, said, values, tools, stop, chosen.template_arguments)
    return messages.completion_request(model, said, values, stop)


def _message(piece: Piece, watch: Timing, trace: Trace) -> AssistantPromptMessage:
    if piece.finish is None:
        return AssistantPromptMessage(content=piece.text)
    calls = [
        AssistantPromptMessage.ToolCall(
            id=call.id,
            type="function",
            function=AssistantPromptMessage.ToolCall.ToolCallFunction(
                name=call.name, arguments=call.arguments
            ),
        )
        for call in piece.tool_calls
    ]
    told = timing.metadata(piece, watch, trace)
    dify.log.info("request %s: %s", trace.request_id, timing.line(told))
    return AssistantPromptMessage(content=piece.text, tool_calls=calls, opaque_body=told)


def _usage(piece: Piece, watch: Timing) -> LLMUsage:
    """The server's own count, free of charge; zero tokens where it did not count, rather than a guess."""
    prompt, completion = (piece.usage.prompt, piece.usage.completion) if piece.usage else (0, 0)
    counted = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
    return FREE.model_copy(update={**counted, "latency": watch.total})
