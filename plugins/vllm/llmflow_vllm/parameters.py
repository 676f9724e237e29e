"""The parameters that an app builder may set: one table for the form that Dify shows and for what vLLM is sent.

Only fields that today's vLLM reads are sent: it answers 200 to fields that it does not know, and ignores them. The
names are vLLM's own wherever Dify has none (docs.vllm.ai, "OpenAI-Compatible Server", as of 0.32).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llmflow_kit.faults import Rejected

LARGEST = 10_000_000  # tokens; the server is the judge of sizes


@dataclass(frozen=True)
class Parameter:
    """One parameter: how Dify shows it, and `read`, which turns its value into the request's."""

    name: str
    type: str  # Dify's: float, int, string, boolean, text
    label: str
    help: str
    low: float | None = None
    high: float | None = None
    options: tuple[str, ...] = ()
    read: Callable[[str, Any], Any] | None = None  # None: `request` handles it by its name

    def rule(self) -> dict[str, Any]:
        """Dify's parameter rule; bounds are written out, since the SDK's templates hold narrower ones."""
        return {
            "name": self.name,
            "type": self.type,
            "label": {"en_US": self.label},
            "help": {"en_US": self.help},
            "required": False,
            "min": self.low,
            "max": self.high,
            "precision": {"float": 2, "int": 0}.get(self.type),
            "options": list(self.options),
        }


def _same(_name: str, value: Any) -> Any:
    return value


def _json(name: str, value: Any) -> Any:
    """The value of a text field that holds JSON."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError as exc:
        raise Rejected(f"The parameter {name} is not JSON.") from exc


def _object(name: str, value: Any) -> dict[str, Any]:
    found = _json(name, value)
    if not isinstance(found, dict):
        raise Rejected(f'The parameter {name} must be a JSON object such as {{"name": "value"}}.')
    return found


def _lines(_name: str, value: Any) -> list[str]:
    """One text a line; a JSON list does as well."""
    if isinstance(value, str) and not value.lstrip().startswith("["):
        return [line for line in value.splitlines() if line.strip()]
    found = _json(_name, value)
    if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
        raise Rejected(f"The parameter {_name} must hold one text a line.")
    return found


def _numbers(name: str, value: Any) -> list[int]:
    """Whole numbers, apart by commas or blanks; a JSON list does as well."""
    words = str(value).strip("[] \n").replace(",", " ").split()
    try:
        return [int(word) for word in words]
    except ValueError as exc:
        raise Rejected(f"The parameter {name} must hold token numbers apart by commas.") from exc


_P = Parameter
TABLE: Sequence[Parameter] = (
    _P("temperature", "float", "Temperature / 온도", "Randomness; 0 repeats itself / 무작위성, 0이면 항상 같은 답",
       0, 2, read=_same),
    _P("top_p", "float", "Top P / 누적 확률", "Share of likely tokens to choose from / 후보 토큰의 누적 확률",
       0.01, 1, read=_same),
    _P("top_k", "int", "Top K / 후보 수",
       "Number of tokens to choose from; 0 or -1: all / 후보 토큰 수, 0과 -1은 전체",
       -1, 1000, read=_same),
    _P("min_p", "float", "Min P / 최소 확률",
       "Tokens less likely than this share of the likeliest are left out / 최고 확률 대비 이 비율 미만은 제외",
       0, 1, read=_same),
    _P("max_tokens", "int", "Max tokens / 최대 토큰",
       "Longest answer, thoughts included / 생각을 포함한 답변의 최대 길이",
       1, LARGEST, read=_same),
    _P("min_tokens", "int", "Min tokens / 최소 토큰", "Shortest answer / 답변의 최소 길이", 0, LARGEST, read=_same),
    _P("presence_penalty", "float", "Presence penalty / 존재 페널티",
       "Against words that occurred / 이미 나온 단어 억제", -2, 2, read=_same),
    _P("frequency_penalty", "float", "Frequency penalty / 빈도 페널티",
       "Against words that occurred often / 자주 나온 단어 억제", -2, 2, read=_same),
    _P("repetition_penalty", "float", "Repetition penalty / 반복 페널티",
       "Against words of prompt and answer; 1: none / 질문과 답변의 단어 반복 억제, 1이면 없음", 0.01, 2, read=_same),
    _P("seed", "int", "Seed / 시드", "Same seed, same answer / 같은 시드면 같은 답변", 0, 2**31 - 1, read=_same),
    _P("response_format", "string", "Response format / 응답 형식",
       "How the answer is constrained / 답변의 형식을 강제",
       options=("text", "json_object", "json_schema", "choice", "regex", "grammar", "structural_tag")),
    _P("json_schema", "text", "JSON schema / JSON 스키마", "The answer follows this schema / 답변이 따를 JSON 스키마"),
    _P("choice", "text", "Choices / 선택지", "The answer is one of these lines / 답변은 이 줄들 중 하나"),
    _P("regex", "text", "Regular expression / 정규식", "The answer matches it / 답변이 정규식에 맞음"),
    _P("grammar", "text", "Grammar / 문법",
       "The answer follows this EBNF or Lark grammar / 답변이 EBNF·Lark 문법을 따름"),
    _P("structural_tag", "text", "Structural tag / 구조 태그",
       "xgrammar's JSON: free text with constrained parts / 자유 텍스트 안의 일부만 강제 (xgrammar JSON)"),
    _P("tool_choice", "string", "Tool choice / 도구 선택",
       "auto, none, required, or a tool's name / auto, none, required 또는 도구 이름"),
    _P("parallel_tool_calls", "boolean", "Parallel tool calls / 도구 병렬 호출",
       "Several calls in one answer / 한 답변에서 여러 도구 호출", read=_same),
    _P("strict_tools", "boolean", "Strict tools / 도구 스키마 강제",
       "Arguments follow the tool's schema for certain / 도구 인자가 스키마를 반드시 따름"),
    _P("enable_thinking", "boolean", "Thinking / 생각하기",
       "For models that can switch it (chat template argument enable_thinking) / 생각 기능을 켜고 끌 수 있는 모델용"),
    _P("reasoning_effort", "string", "Reasoning effort / 추론 강도", "For reasoning models / 추론 모델용",
       options=("none", "minimal", "low", "medium", "high", "xhigh", "max"), read=_same),
    _P("thinking_token_budget", "int", "Thinking budget / 생각 토큰 한도",
       "Most tokens of thoughts / 생각에 쓸 최대 토큰", 0, LARGEST, read=_same),
    _P("include_reasoning", "boolean", "Show thoughts / 생각 표시",
       "Off: thoughts stay at the server / 끄면 생각은 보내지 않음", read=_same),
    _P("lora", "string", "LoRA adapter / LoRA 어댑터",
       "Name of an adapter that the server has loaded / 서버에 로드된 어댑터 이름"),
    _P("logprobs", "boolean", "Log probabilities / 로그 확률",
       "Given in the metadata of the answer's end / 답변 끝의 메타데이터로 제공", read=_same),
    _P("top_logprobs", "int", "Top log probabilities / 상위 로그 확률",
       "So many alternatives for each token / 토큰마다 대안의 수", 0, 20, read=_same),
    _P("stop_token_ids", "text", "Stop tokens / 중지 토큰", "Token numbers that end the answer / 답변을 끝낼 토큰 번호",
       read=_numbers),
    _P("include_stop_str_in_output", "boolean", "Keep stop word / 중지어 포함",
       "The stop word stays in the answer / 중지어를 답변에 남김", read=_same),
    _P("ignore_eos", "boolean", "Ignore end token / 종료 토큰 무시",
       "Go on until max tokens / 최대 토큰까지 계속 생성", read=_same),
    _P("bad_words", "text", "Bad words / 금지어", "One a line; never generated / 한 줄에 하나, 생성하지 않음",
       read=_lines),
    _P("allowed_token_ids", "text", "Allowed tokens / 허용 토큰", "Only these are generated / 이 토큰만 생성",
       read=_numbers),
    _P("logit_bias", "text", "Logit bias / 로짓 바이어스",
       'JSON: {"token number": -100 to 100} / JSON: {"토큰 번호": -100~100}', read=_object),
    _P("skip_special_tokens", "boolean", "Hide special tokens / 특수 토큰 숨김",
       "On unless a parser needs them / 파서가 필요로 하지 않으면 켬", read=_same),
    _P("spaces_between_special_tokens", "boolean", "Space special tokens / 특수 토큰 사이 공백",
       "Blanks between special tokens / 특수 토큰 사이에 공백", read=_same),
    _P("truncate_prompt_tokens", "int", "Truncate prompt / 질문 자르기",
       "Keep so many tokens of the prompt; -1: as many as fit / 질문에서 남길 토큰 수, -1은 가능한 만큼",
       -1, LARGEST, read=_same),
    _P("truncation_side", "string", "Truncation side / 자를 쪽",
       "left keeps the end, right keeps the beginning / left는 끝을, right는 앞을 남김",
       options=("left", "right"), read=_same),
    _P("use_beam_search", "boolean", "Beam search / 빔 서치", "Instead of sampling / 샘플링 대신 사용", read=_same),
    _P("n", "int", "Candidates / 후보 수",
       "Beam width with beam search; Dify shows the best / 빔 서치의 폭, Dify는 가장 좋은 답을 표시",
       1, 16, read=_same),
    _P("length_penalty", "float", "Length penalty / 길이 페널티", "Of beam search / 빔 서치용", -5, 5, read=_same),
    _P("priority", "int", "Priority / 우선순위",
       "Lower is served earlier (--scheduling-policy priority) / 작을수록 먼저 처리", -1000, 1000, read=_same),
    _P("chat_template_kwargs", "text", "Chat template arguments / 채팅 템플릿 인자",
       "JSON, added to those of the form / JSON, 모델 설정의 인자에 추가"),
    _P("extra_body", "text", "Extra request fields / 추가 요청 필드",
       "JSON, any other field of vLLM's API / JSON, vLLM API의 다른 필드"),
)  # fmt: skip

CONSTRAINTS = ("json_schema", "choice", "regex", "grammar", "structural_tag")
OURS = {"messages", "prompt", "model", "stream", "stream_options"}  # what extra_body may not set
REPLACED = {  # what vLLM no longer reads, and silently ignores
    "guided_json": "the parameter json_schema",
    "guided_choice": "the parameter choice",
    "guided_regex": "the parameter regex",
    "guided_grammar": "the parameter grammar",
    "guided_decoding_backend": "the server's --structured-outputs-config",
    "guided_whitespace_pattern": "structured_outputs.whitespace_pattern",
    "best_of": "the parameter n",
    "max_new_tokens": "the parameter max_tokens",
    "stop_words": "the stop sequences of the app",
}


def fields(values: Mapping[str, Any], template: Mapping[str, Any]) -> dict[str, Any]:
    """The request's fields for the parameters' `values`, `template` being what the form gives each request.

    Raises Rejected naming the parameter that cannot be used.
    """
    given = {name: value for name, value in values.items() if value is not None and value != ""}
    found = {p.name: p.read(p.name, given[p.name]) for p in TABLE if p.read and p.name in given}
    if found.get("top_logprobs"):
        found["logprobs"] = True
    found |= _constraint(given)
    arguments = {**template, **_object("chat_template_kwargs", given.get("chat_template_kwargs", {}))}
    if "enable_thinking" in given:
        arguments["enable_thinking"] = given["enable_thinking"]
    if arguments:
        found["chat_template_kwargs"] = arguments
    return found | dict(_extra(given))


def _extra(given: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in _object("extra_body", given.get("extra_body", {})).items():
        if name in OURS:
            raise Rejected(f"The parameter extra_body must not set {name}: the plugin does.")
        if name in REPLACED:
            raise Rejected(f"vLLM no longer reads {name} (in extra_body): use {REPLACED[name]} instead.")
        yield name, value


def _constraint(given: Mapping[str, Any]) -> dict[str, Any]:
    """What constrains the answer: as `response_format` says, or else the one constraint that is given."""
    kind = given.get("response_format")
    held = [name for name in CONSTRAINTS if name in given]
    if kind in (None, "text") and held:
        if len(held) > 1:
            raise Rejected(
                f"An answer can have one constraint, not {' and '.join(held)}: choose a response_format."
            )
        (kind,) = held
    match kind:
        case None | "text":
            return {}
        case "json_object":
            return {"response_format": {"type": "json_object"}}
        case _ if kind not in held:
            raise Rejected(f"The response format is {kind}, but the parameter {kind} is empty.")
        case "json_schema":
            return {"response_format": {"type": "json_schema", "json_schema": _schema(given["json_schema"])}}
        case "choice":
            return {"structured_outputs": {"choice": _lines("choice", given["choice"])}}
        case "structural_tag":
            tag = given["structural_tag"]
            return {
                "structured_outputs": {"structural_tag": tag if isinstance(tag, str) else json.dumps(tag)}
            }
        case _:
            return {"structured_outputs": {kind: given[kind]}}


def _schema(value: Any) -> dict[str, Any]:
    """OpenAI's `json_schema` for a schema, with or without the name around it."""
    schema = _object("json_schema", value)
    named = schema if "schema" in schema else {"name": "answer", "schema": schema}
    return {"name": "answer", **named}


def rules(context_size: int, adapters: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Dify's rules for all parameters, of a model with this context and these LoRA adapters."""
    made = {parameter.name: parameter.rule() for parameter in TABLE}
    half = max(1, min(4096, context_size // 2))
    made["max_tokens"] |= {"max": context_size, "default": half}
    made["lora"] |= {"options": list(adapters)}
    return [*made.values()]
