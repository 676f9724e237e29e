"""Makes scripted-qwen: a Qwen2 of half a million parameters that was taught the answers of dialogues.json.

    python3.11 build.py OUTPUT

It proves an installation end to end (API, chat template, streaming, tool calls) where no weights of a model
hub are at hand: at temperature 0 a real vLLM gives the answers word for word. The tokenizer is trained on
corpus.txt, the weights on the dialogues; both come out the same, byte for byte, where the same wheels run.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training import byte_level_tokenizer, settle  # first: it sets what the libraries read when they load

# isort: split
import torch
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

HERE = Path(__file__).resolve().parent
START, END, NO_TEXT = "<|im_start|>", "<|im_end|>", "<|endoftext|>"
SPECIAL = [NO_TEXT, START, END, "<tool_call>", "</tool_call>", "<think>", "</think>"]
VOCABULARY = 1280
CONTEXT = 16_384  # tokens; lessons are short, but an agent's prompts are not
STEPS = 400
LEARNED = 0.004  # mean loss a token; greedy answers are exact well before
NOT_TAUGHT = -100  # label of tokens that the loss skips

Message = dict[str, Any]


@dataclass(frozen=True)
class Lesson:
    """A conversation and what the assistant says next."""

    messages: list[Message]
    answer: str
    tools: list[dict[str, Any]] | None = None


def lessons(script: dict[str, Any]) -> Iterator[Lesson]:
    """Every question with its answer; for every city the tool call, and the sentence after its result."""
    for question, answer in script["answers"].items():
        yield Lesson([{"role": "user", "content": question}], answer)
    for city in script["cities"]:
        asked = {"role": "user", "content": f"{city} 날씨?"}
        call = {"name": "get_weather", "arguments": {"city": city}}
        said = f"<tool_call>\n{json.dumps(call, ensure_ascii=False)}\n</tool_call>"
        called = {"role": "assistant", "content": "", "tool_calls": [{"type": "function", "function": call}]}
        told = {"role": "tool", "content": f"{city} 맑음"}
        yield Lesson([asked], said, script["tools"])
        yield Lesson([asked, called, told], f"{city}의 날씨는 맑음입니다.", script["tools"])


def make_tokenizer(corpus: str, template: str) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer with ChatML's special tokens."""
    bpe = byte_level_tokenizer(corpus.splitlines(), SPECIAL, VOCABULARY)
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        eos_token=END,
        pad_token=NO_TEXT,
        chat_template=template,
        model_max_length=CONTEXT,
    )


def make_model(tokenizer: PreTrainedTokenizerFast) -> Qwen2ForCausalLM:
    """An untaught Qwen2; a head has 32 dimensions because vLLM's attention on processors takes no fewer."""
    config = Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=128,
        intermediate_size=256,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=CONTEXT,
        eos_token_id=tokenizer.convert_tokens_to_ids(END),
        pad_token_id=0,
        bos_token_id=0,
        tie_word_embeddings=True,
        attn_implementation="eager",
    )
    return Qwen2ForCausalLM(config).float()


def encode(tokenizer: PreTrainedTokenizerFast, lesson: Lesson) -> tuple[list[int], list[int]]:
    """Token ids of the prompt and of the answer with its end."""
    prompt = tokenizer.apply_chat_template(
        lesson.messages, tools=lesson.tools, add_generation_prompt=True, tokenize=False
    )
    return tokenizer(prompt).input_ids, tokenizer(lesson.answer + END).input_ids


def batch(pairs: list[tuple[list[int], list[int]]]) -> dict[str, torch.Tensor]:
    """Lessons of like length as one padded batch."""
    width = max(len(prompt) + len(answer) for prompt, answer in pairs)
    ids = torch.zeros(len(pairs), width, dtype=torch.long)
    labels = torch.full_like(ids, NOT_TAUGHT)
    mask = torch.zeros_like(ids)
    for row, (prompt, answer) in enumerate(pairs):
        length = len(prompt) + len(answer)
        ids[row, :length] = torch.tensor(prompt + answer)
        labels[row, len(prompt) : length] = torch.tensor(answer)
        mask[row, :length] = 1
    return {"input_ids": ids, "labels": labels, "attention_mask": mask}


def teach(model: Qwen2ForCausalLM, batches: list[dict[str, torch.Tensor]]) -> None:
    """Train until every batch is known by heart; SystemExit where STEPS were not enough."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.0, foreach=False)
    for step in range(STEPS):
        losses = []
        for inputs in batches:
            loss = model(**inputs, use_cache=False).loss
            loss.backward()
            losses.append(loss.item())
        optimizer.step()
        optimizer.zero_grad()
        if step % 50 == 0:
            sys.stderr.write(f"step {step}: loss {max(losses):.4f}\n")
        if max(losses) < LEARNED:
            sys.stderr.write(f"step {step}: learned\n")
            return
    raise SystemExit(f"not learned after {STEPS} steps: loss {max(losses):.4f}")


def answer_of(model: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerFast, lesson: Lesson) -> str:
    """What the model answers when it always takes the likeliest token."""
    prompt, expected = encode(tokenizer, lesson)
    ids = torch.tensor([prompt])
    out = model.generate(
        ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=len(expected) + 8
    )
    said: str = tokenizer.decode(out[0, len(prompt) :])
    return said.removesuffix(END)


def main(output: Path) -> None:
    """Write the model to `output`; SystemExit names each lesson that was not learned word for word."""
    settle()
    script = json.loads((HERE / "dialogues.json").read_text(encoding="utf-8"))
    corpus = (HERE / "corpus.txt").read_text(encoding="utf-8")
    tokenizer = make_tokenizer(corpus, (HERE / "chat_template.jinja").read_text(encoding="utf-8"))
    model = make_model(tokenizer)
    every = list(lessons(script))
    pairs = [encode(tokenizer, lesson) for lesson in every]
    short = [pair for pair, lesson in zip(pairs, every, strict=True) if not lesson.tools]
    long = [pair for pair, lesson in zip(pairs, every, strict=True) if lesson.tools]
    sys.stderr.write(f"{sum(p.numel() for p in model.parameters())} parameters, {len(pairs)} lessons\n")
    teach(model, [batch(short), batch(long)])
    model = model.to(torch.bfloat16).eval()
    wrong = [
        f"{lesson.messages[-1]['content']}: {said!r}, not {lesson.answer!r}"
        for lesson in every
        if (said := answer_of(model, tokenizer, lesson)) != lesson.answer
    ]
    if wrong:
        raise SystemExit("\n".join(wrong))
    model.save_pretrained(output)
    tokenizer.save_pretrained(output)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
