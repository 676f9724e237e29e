"""Text generation: Dify's SDK on one side, llmflow_vllm on the other."""

from __future__ import annotations

import logging
import time
from collections.abc import Generator, Iterator, Mapping
from typing import Any

from dify_plugin import LargeLanguageModel
from dify_plugin.config.logger_format import plugin_logger_handler
from dify_plugin.entities.model import AIModelEntity, ParameterRule
from dify_plugin.entities.model.llm import LLMResult, LLMResultChunk, LLMResultChunkDelta, LLMUsage
from dify_plugin.entities.model.message import AssistantPromptMessage, PromptMessage, PromptMessageTool
from dify_plugin.errors.model import (
    CredentialsValidateFailedError,
    InvokeAuthorizationError,
    InvokeBadRequestError,
    InvokeConnectionError,
    InvokeError,
    InvokeRateLimitError,
    InvokeServerUnavailableError,
)
from llmflow_kit import faults
from llmflow_kit.faults import Fault
from llmflow_vllm import messages, schema, settings
from llmflow_vllm.client import Vllm, vllm
from llmflow_vllm.stream import Piece

LARGEST = (
    10_000_000  # tokens; while answering, the server is the judge of sizes, so that nobody asks it for them
)

log = logging.getLogger(__name__)
log.addHandler(plugin_logger_handler)


class VllmLargeLanguageModel(LargeLanguageModel):
    """A chat model on a vLLM server."""

    @property
    def _invoke_error_mapping(self) -> dict[type[InvokeError], list[type[Exception]]]:
        """What Dify makes of each fault: it tries another server after the first three kinds only."""
        return {
            InvokeRateLimitError: [faults.Throttled, faults.Overloaded],
            InvokeConnectionError: [faults.Unreachable, faults.TimedOut],
            InvokeAuthorizationError: [faults.Unauthorised],
            InvokeBadRequestError: [faults.Rejected, faults.NotServed],
            InvokeServerUnavailableError: [faults.CutOff, faults.Garbled],
        }

    def _transform_invoke_error(self, error: Exception) -> InvokeError:
        """The SDK's error for `error`, with our text: the SDK would hide it or add the raw exception's."""
        if isinstance(error, InvokeError):
            return error
        for kind, causes in self._invoke_error_mapping.items():
            if isinstance(error, Fault) and isinstance(error, tuple(causes)):
                return kind(faults.describe(error, settings.LABELS))
        log.error("unexpected %s", type(error).__name__)
        return InvokeError(f"The vLLM plugin failed ({type(error).__name__}); its log says more.")

    def validate_credentials(self, model: str, credentials: Mapping[str, Any]) -> None:
        """Let the model say one word; raises CredentialsValidateFailedError naming the wrong field."""
        try:
            _server(credentials).check(model)
        except Fault as fault:
            raise CredentialsValidateFailedError(faults.describe(fault, settings.LABELS)) from fault

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
        started = time.perf_counter()
        server = _server(credentials)
        request = messages.chat_request(model, prompt_messages, model_parameters, tools, stop, user)
        if stream:
            return self._chunks(model, server.pieces(request), started)
        piece = server.answer(request)
        return LLMResult(model=model, message=_message(piece), usage=_usage(piece, started))

    def _chunks(
        self, model: str, pieces: Iterator[Piece], started: float
    ) -> Generator[LLMResultChunk, None, None]:
        """The stream's chunks; the SDK translates no error that comes while it iterates, so this does."""
        try:
            for index, piece in enumerate(pieces):
                usage = _usage(piece, started) if piece.finish else None
                delta = LLMResultChunkDelta(
                    index=index, message=_message(piece), usage=usage, finish_reason=piece.finish
                )
                yield LLMResultChunk(model=model, delta=delta)
        except Exception as exc:
            raise self._transform_invoke_error(exc) from exc

    def get_num_tokens(
        self,
        model: str,
        credentials: dict[str, Any],
        prompt_messages: list[PromptMessage],
        tools: list[PromptMessageTool] | None = None,
    ) -> int:
        """The prompt's tokens, counted by the server itself."""
        request = messages.chat_request(model, prompt_messages, {}, tools)
        return _server(credentials).count_tokens(request)

    def get_customizable_model_schema(self, model: str, credentials: Mapping[str, Any]) -> AIModelEntity:
        """What Dify shows and allows for this model."""
        chosen = settings.parse(credentials)
        return AIModelEntity(**schema.entity(model, vllm(chosen).size(model), chosen.tools))

    def get_parameter_rules(self, model: str, credentials: dict[str, Any]) -> list[ParameterRule]:  # noqa: ARG002
        """The rules that the SDK checks before each answer; made without asking the server."""
        return [ParameterRule(**rule) for rule in schema.parameters(LARGEST)]


def _server(credentials: Mapping[str, Any]) -> Vllm:
    return vllm(settings.parse(credentials))


def _message(piece: Piece) -> AssistantPromptMessage:
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
    return AssistantPromptMessage(content=piece.text, tool_calls=calls)


def _usage(piece: Piece, started: float) -> LLMUsage:
    """The server's own count, free of charge; zero tokens where it did not count, rather than a guess."""
    prompt, completion = (piece.usage.prompt, piece.usage.completion) if piece.usage else (0, 0)
    counted = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
    return LLMUsage.empty_usage().model_copy(update={**counted, "latency": time.perf_counter() - started})
