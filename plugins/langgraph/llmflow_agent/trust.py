"""What a tool returned is data: bounded, fenced off, searched for instructions, and never obeyed.

A fence carries the run's own key, which no tool knows, so that no text can close it. Sentences that look like
instructions are detected; a call whose arguments come from such a sentence, and not from the question, is not run.
Detection is a help, the rest holds without it: tools and rules come from the form alone, each time anew.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from llmflow_agent.model import Call
from llmflow_agent.texts import Texts

TOKENS = re.compile(  # what chat templates and our own form are made of
    r"<\|[^|<>\n]{1,40}\|>|</?(?:tool_call|tool_result|tool_response|think|system|s)\b[^<>\n]{0,60}>|```action\b"
    r"|\[/?INST\]",
    re.IGNORECASE,
)
ORDERS = re.compile(
    r"\b(?:ignore|disregard|forget|override)\b.{0,40}"
    r"\b(?:instructions?|rules?|prompts?|guidelines|above|you were told)\b"
    r"|\byou are now (?:an?|the|in)\b|\bnew instructions?\s*[:.]|\bsystem prompt\b|\bdeveloper mode\b"
    r"|\b(?:you must|please|now|instead),? (?:call|use|run|invoke|execute)\b.{0,30}(?:\b(?:tool|function)\b|\w_\w)"
    r"|\b(?:call|invoke|execute|run) the (?:tool|function)\b|\bnew (?:tool|function)\b.{0,20}\bavailable\b"
    r"|\bdo not (?:tell|inform) the user\b|\bdo not mention (?:this|it)\b"
    r"|\b(?:assistant|ai|agent)\b\s*[:,].{0,20}\b(?:must|should|call|send)\b"
    r"|(?:이전|앞|위|기존|모든)(?:의)?\s*(?:모든\s*)?(?:지시|명령|규칙|지침).{0,20}(?:무시|잊|따르지)"
    r"|(?:지시|명령|규칙|지침)(?:을|를|은|는)?\s*(?:모두\s*)?(?:무시하|잊어)"
    r"|시스템\s*프롬프트|당신은\s*이제|너는\s*이제|새로운\s*(?:지시|명령)\s*[:：]"
    r"|(?:도구|함수)(?:를|을)?\s*(?:호출|실행)(?:하라|해라|하시오|하십시오|하세요|해야)"
    r"|(?:사용자|이용자)에게\s*(?:알리지|말하지)",
    re.IGNORECASE,
)
BREAK = re.compile(r"(?<=[.!?])\s+|(?<=。)|\n+")  # between sentences; a dot within an address is none
SHORT = 4  # characters of an argument that may come from anywhere
REACH = 2  # sentences around an order that belong to it


def orders(text: str) -> tuple[str, ...]:
    """The sentences that look like instructions, each with those after it that may carry them on."""
    sentences = BREAK.split(text)
    wrong = [n for n, sentence in enumerate(sentences) if ORDERS.search(sentence) or TOKENS.search(sentence)]
    near = sorted({n + more for n in wrong for more in range(REACH + 1) if n + more < len(sentences)})
    return tuple(sentences[n] for n in near if sentences[n].strip())


def neutral(text: str) -> str:
    """The text with every token of a chat template broken, so that it stays text for whatever reads it."""
    return TOKENS.sub(lambda found: f"{found.group()[0]}\u200b{found.group()[1:]}", text)


def cut(text: str, most: int, texts: Texts) -> str:
    """The text, its middle left out where it is longer than `most` characters."""
    if len(text) <= most:
        return text
    head, tail = most * 3 // 4, most // 4
    return f"{text[:head]}\n{texts.cut.format(count=len(text) - head - tail)}\n{text[-tail:]}"


def fenced(ref: str, tool: str, text: str, key: str, suspicious: bool, texts: Texts) -> str:
    """A result as the model reads it."""
    warning = f"{texts.suspicious}\n" if suspicious else ""
    return (
        f'{warning}<tool_result id="{ref}" tool="{tool}" key="{key}">\n{neutral(text)}\n</tool_result {key}>'
    )


def obeyed(
    call: Call,
    arguments: Sequence[str],
    found: Sequence[tuple[str, str]],
    trusted: str,
    used: Collection[str],
) -> tuple[str, ...]:
    """The results whose instructions a call would obey: `found` are pairs of a result and a sentence in it.

    A call obeys a sentence that names its tool, unless that was in use already, or that holds one of its arguments;
    what the user or the builder wrote themselves is nobody's order.
    """
    refs: list[str] = []
    for ref, sentence in found:
        named = call.name in sentence and call.name not in trusted and call.name not in used
        told = any(len(value) >= SHORT and value in sentence and value not in trusted for value in arguments)
        if (named or told) and ref not in refs:
            refs.append(ref)
    return tuple(refs)
