"""What a run may use, and what it has used: steps, tokens, seconds, money."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

from llmflow_agent.model import Usage


@dataclass(frozen=True)
class Limits:
    """What a run may use; 0 tokens or money means no limit."""

    steps: int = 12  # calls of the model
    tokens: int = 0
    seconds: float = 180.0
    money: Decimal = Decimal(0)
    tool_seconds: float = 30.0  # for each call of a tool
    at_once: int = 4  # calls of tools side by side
    result_chars: int = 8000  # of a tool's result


@dataclass(frozen=True)
class Spent:
    """What a run has used, over all its attempts."""

    steps: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    price: Decimal = Decimal(0)
    currency: str = "USD"
    seconds: float = 0.0

    @property
    def tokens(self) -> int:
        """Prompt and completion together."""
        return self.prompt_tokens + self.completion_tokens

    def plus(self, usage: Usage) -> Spent:
        """One more call of the model."""
        return replace(
            self,
            steps=self.steps + 1,
            prompt_tokens=self.prompt_tokens + usage.prompt_tokens,
            completion_tokens=self.completion_tokens + usage.completion_tokens,
            price=self.price + usage.price,
            currency=usage.currency,
        )


def over(limits: Limits, spent: Spent, coming: int) -> str:
    """Which budget one more call of `coming` tokens would break: a reason to end, or nothing."""
    if spent.steps >= limits.steps:
        return "budget-steps"
    if spent.seconds >= limits.seconds:
        return "budget-seconds"
    if limits.money and spent.price >= limits.money:
        return "budget-money"
    if limits.tokens and spent.tokens + coming > limits.tokens:
        return "budget-tokens"
    return ""
