"""What a tool returned is data: bounded, fenced off, searched for instructions, and never obeyed.

A fence carries the run's own key, which no tool knows, so that no text can close it. Sentences that look like
instructions are detected; a call whose arguments come from such a sentence, and not from the question, is not run.
Detection is a help, the rest holds without it: tools and rules come from the form alone, each time anew.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from llmflow_agent.characters import folded
from llmflow_agent.texts import Texts

TOKENS = re.compile(  # what chat templates and our own form are made of
    r"<\|[^|<>\n]{1,40}\|>|</?(?:tool_call|tool_result|tool_response|think|system|s)\b[^<>\n]{0,60}>|```action\b"
    r"|\[/?INST\]",
    re.IGNORECASE,
)
ORDERS = re.compile(  # of texts that are folded, and bounded throughout: whoever wrote the text wants it to be read
    r"\b(?:ignore|disregard|forget|override)\b.{0,40}"
    r"\b(?:instructions?|rules?|prompts?|guidelines|(?:the|all|everything|anything) above"
    r"|you were (?:told|asked))\b"
    r"|\byou are now (?:an?|the|in)\b|\bnew instructions?\s*[:.]|\bsystem prompt\b|\bdeveloper mode\b"
    r"|\byour (?:new|real|only) (?:task|job|goal|role)\b|\bfrom now on,? you\b|\bbefore (?:you answer|answering)\b"
    r"|\b(?:you must|you have to|please|now|instead),? (?:call|use|run|invoke|execute)\b.{0,30}"
    r"(?:\b(?:tool|function)\b|\w_\w)"
    r"|\b(?:call|use|invoke|execute|run) the (?:\w{1,30}_\w{1,30} )?(?:tool|function)\b"
    r"|\bnew (?:tool|function)\b.{0,20}\bavailable\b|\bstop what you are doing\b|\bsystem override\s*:"
    r"|\bdo not (?:tell|inform) the user\b|\bdo not (?:mention|reveal|show) (?:this|it)\b"
    r"|##\s{0,4}(?:system|assistant|instructions?)\s*:"
    r"|\b(?:assistant|ai|agent)\b\s*[:,].{0,20}\b(?:must|should|call|send)\b"
    r"|\b(?:assistant|ai|agent) (?:must|shall) (?:now )?(?:call|send|execute|run|delete|transfer)\b"
    r"|(?:이전|앞|위|기존|모든)(?:의)?\s*(?:모든\s*)?(?:지시|명령|규칙|지침).{0,20}(?:무시|잊|따르지)"
    r"|(?:위|앞)의?\s*내용은?\s*(?:모두\s*)?무시하(?:고|라|세요|십시오)"
    r"|(?:지시|명령|규칙|지침)(?:사항)?(?:을|를|은|는)?\s*(?:모두\s*)?(?:무시하|잊어)"
    r"|시스템\s*프롬프트|관리자\s*모드로|(?:당신|너)(?:은|는)\s*이제|새로운\s*(?:지시|명령)\s*[::]"
    r"|(?:당신|너)의\s*새(?:로운)?\s*(?:임무|역할|과제)"
    r"|(?:다음|아래)\s*(?:지시|명령|지침)(?:을|를)?\s*(?:반드시\s*)?따(?:르|라)"
    r"|(?:도구|함수)(?:를|을)?\s*(?:호출|실행)(?:하라|해라|하시오|하십시오|하세요|해야)"
    r"|\w_\w{1,60}\s{0,4}(?:도구|함수)?(?:를|을|로)?\s{0,4}(?:호출|실행|사용)"
    r"|(?:답|답변|대답)하지\s*말고|내\s*말만|(?:전송|송금)(?:하라|해라)"
    r"|(?:사용자|이용자)에게(?:는)?\s*(?:알리지|말하지|비밀로)",
)
ADDRESS = re.compile(  # where something may be sent: mail, sites, and numbers of accounts and phones; bounded
    r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,6}|\b\w{2,10}://[^\s\"'<>]{0,200}[\w/]"
    r"|\b(?:[\w-]{1,63}\.){1,6}[a-z]{2,12}\b|\b\d[\d-]{7,30}\d\b"
)
BREAK = re.compile(r"(?<=[.!?])\s+|(?<=。)|\n+")  # between sentences; a dot within an address is none
SHORT = 4  # characters of an argument that may come from anywhere
REACH = 2  # sentences around an order that belong to it


def orders(text: str) -> tuple[str, ...]:
    """The sentences that look like instructions, each with those after it that may carry them on."""
    sentences = BREAK.split(text)
    wrong = [n for n, sentence in enumerate(sentences) if _gives_orders(sentence)]
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
    tool: str,
    arguments: Any,
    found: Sequence[tuple[str, str]],
    trusted: str,
    used: Collection[str],
) -> tuple[str, ...]:
    """The results whose instructions a call would obey: `found` are pairs of a result and a sentence in it.

    A call obeys a sentence that names its tool, unless that was in use already, or that holds one of its arguments, or
    an address that is in one; what the user or the builder wrote themselves is nobody's order.
    """
    values = [folded(value) for value in _leaves(arguments)]
    name, known = folded(tool), folded(trusted)
    refs: list[str] = []
    for ref, sentence in found:
        said = folded(sentence)
        named = name in said and name not in known and tool not in used
        told = any(len(value) >= SHORT and value in said and value not in known for value in values)
        sent = any(
            address not in known and any(address in value for value in values)
            for address in ADDRESS.findall(said)
        )
        if (named or told or sent) and ref not in refs:
            refs.append(ref)
    return tuple(refs)


def _gives_orders(sentence: str) -> bool:
    alike = folded(sentence)
    return bool(ORDERS.search(alike) or TOKENS.search(sentence) or TOKENS.search(alike))


def _leaves(value: Any) -> Iterator[str]:
    """Every value in a call's arguments, however deep, as text."""
    match value:
        case dict():
            for one in value.values():
                yield from _leaves(one)
        case list():
            for one in value:
                yield from _leaves(one)
        case str() | int() | float() if not isinstance(value, bool):
            yield str(value)
