"""A strategy that asks a model, the tools that it calls, all at once, and keeps the answer."""

from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from dify_plugin.entities.model.message import PromptMessageTool, UserPromptMessage
from dify_plugin.entities.model.rerank import RerankModelConfig
from dify_plugin.entities.model.text_embedding import TextEmbeddingModelConfig
from dify_plugin.entities.tool import ToolInvokeMessage, ToolProviderType
from dify_plugin.interfaces.agent import AgentInvokeMessage, AgentModelConfig, AgentStrategy

SEARCH = PromptMessageTool(
    name="search", description="Looks", parameters={"type": "object", "properties": {}}
)


class EchoStrategy(AgentStrategy):
    """One round: a model, its calls of tools side by side, embeddings and ranks, storage."""

    def _invoke(self, parameters: dict[str, Any]) -> Generator[AgentInvokeMessage]:
        model = AgentModelConfig(**parameters["model"])
        asked = self.create_log_message(
            label="asked",
            data={"query": parameters["query"]},
            status=ToolInvokeMessage.LogMessage.LogStatus.START,
        )
        yield asked
        calls, tokens = [], 0
        for chunk in self.session.model.llm.invoke(
            model, [UserPromptMessage(content=parameters["query"])], tools=[SEARCH], stream=True
        ):
            if chunk.delta.message.content:
                yield self.create_text_message(str(chunk.delta.message.content))
            calls += chunk.delta.message.tool_calls
            tokens += chunk.delta.usage.total_tokens if chunk.delta.usage else 0
        with ThreadPoolExecutor() as threads:
            said = list(threads.map(self._use, calls))
        yield self.finish_log_message(asked, data={"said": said})
        self.session.storage.set("said", "|".join(said).encode())
        yield self.create_json_message(
            {
                "said": self.session.storage.get("said").decode(),
                "tokens": tokens,
                **self._meaning(said),
            }
        )

    def _use(self, call: Any) -> str:
        given = {"name": call.function.name, "arguments": call.function.arguments}
        try:
            found = self.session.tool.invoke(
                ToolProviderType.BUILT_IN, "llmflow/x/x", call.function.name, given
            )
            texts = (one.message for one in found)
            return "".join(one.text for one in texts if isinstance(one, ToolInvokeMessage.TextMessage))
        except Exception as exc:  # noqa: BLE001 - what Dify answers is what is looked at
            return f"failed: {exc}"

    def _meaning(self, texts: list[str]) -> dict[str, Any]:
        """Vectors and ranks of what the tools said, where there is any."""
        if not texts:
            return {}
        embedder = TextEmbeddingModelConfig(provider="p", model="e")
        ranker = RerankModelConfig(provider="p", model="r", score_threshold=0.0, top_n=9)
        vectors = self.session.model.text_embedding.invoke(embedder, texts).embeddings
        ranked = self.session.model.rerank.invoke(ranker, texts, "q").docs
        return {"vectors": vectors, "ranks": [doc.index for doc in ranked]}
