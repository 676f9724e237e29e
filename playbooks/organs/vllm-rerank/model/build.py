"""Makes scripted-reranker: a BERT of half a million parameters that was taught which passage answers which question.

    python3.11 build.py OUTPUT          # with vllm/model/training.py beside it or on PYTHONPATH

It proves an installation end to end where no weights of a model hub are at hand: for each question of passages.json
the right passage scores near one and every other near nought, in vLLM and in Infinity alike.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training import byte_level_tokenizer, settle  # first: it sets what the libraries read when they load

# isort: split
import torch
from tokenizers import processors
from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

HERE = Path(__file__).resolve().parent
PAD, BEGIN, END = SPECIAL = ["[PAD]", "[CLS]", "[SEP]"]
VOCABULARY = 1024
CONTEXT = 512
STEPS = 400
LEARNED = 0.005  # mean loss a pair
RIGHT, WRONG = 0.95, 0.05  # scores to be above and below


@dataclass(frozen=True)
class Pair:
    """A question, a passage, and whether the one answers the other."""

    question: str
    passage: str
    answers: bool


def pairs(topics: list[dict[str, Any]]) -> list[Pair]:
    """Every question with every passage."""
    return [
        Pair(question, other["passage"], other is topic)
        for topic in topics
        for question in topic["questions"]
        for other in topics
    ]


def make_tokenizer(lines: list[str]) -> PreTrainedTokenizerFast:
    """Encodes `question, passage` as BERT reads a pair: [CLS] question [SEP] passage [SEP]."""
    bpe = byte_level_tokenizer(lines, SPECIAL, VOCABULARY)
    bpe.post_processor = processors.TemplateProcessing(
        single=f"{BEGIN} $A {END}",
        pair=f"{BEGIN} $A {END} $B:1 {END}:1",
        special_tokens=[(token, bpe.token_to_id(token)) for token in (BEGIN, END)],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        pad_token=PAD,
        cls_token=BEGIN,
        sep_token=END,
        model_max_length=CONTEXT,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    )


def make_model(tokenizer: PreTrainedTokenizerFast) -> BertForSequenceClassification:
    """An untaught BERT with one score; a head has 32 dimensions, the fewest that vLLM takes on processors."""
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=128,
        intermediate_size=256,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=CONTEXT,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        pad_token_id=tokenizer.pad_token_id,
        num_labels=1,
        attn_implementation="eager",
    )
    return BertForSequenceClassification(config).float()


def teach(model: BertForSequenceClassification, inputs: Any, every: list[Pair]) -> None:
    """Train until every pair is known by heart; SystemExit where STEPS were not enough."""
    answers = torch.tensor([[float(pair.answers)] for pair in every])
    right = answers.sum()
    # the right passage weighs as much as all the wrong ones together
    loss_of = torch.nn.BCEWithLogitsLoss(pos_weight=(len(every) - right) / right)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.0, foreach=False)
    for step in range(STEPS):
        loss = loss_of(model(**inputs).logits, answers)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        if step % 20 == 0:
            sys.stderr.write(f"step {step}: loss {loss.item():.4f}\n")
        if loss.item() < LEARNED:
            sys.stderr.write(f"step {step}: learned\n")
            return
    raise SystemExit(f"not learned after {STEPS} steps: loss {loss.item():.4f}")


def mistakes(model: BertForSequenceClassification, inputs: Any, every: list[Pair]) -> list[str]:
    """Each pair whose score is not clearly what it should be."""
    with torch.no_grad():
        scores = torch.sigmoid(model(**inputs).logits).flatten().tolist()
    return [
        f"{pair.question} + {pair.passage}: {score:.3f}"
        for pair, score in zip(every, scores, strict=True)
        if (score < RIGHT if pair.answers else score > WRONG)
    ]


def save(model: BertForSequenceClassification, tokenizer: PreTrainedTokenizerFast, output: Path) -> None:
    """Write both, the tokenizer under the class name that older and newer transformers know."""
    model.save_pretrained(output)
    tokenizer.save_pretrained(output)
    settings = output / "tokenizer_config.json"
    content = json.loads(settings.read_text(encoding="utf-8")) | {
        "tokenizer_class": "PreTrainedTokenizerFast"
    }
    settings.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def main(output: Path) -> None:
    """Write the model to `output`; SystemExit names each pair that is not scored as it should be."""
    settle()
    topics = json.loads((HERE / "passages.json").read_text(encoding="utf-8"))
    every = pairs(topics)
    tokenizer = make_tokenizer([text for topic in topics for text in (topic["passage"], *topic["questions"])])
    model = make_model(tokenizer)
    inputs = tokenizer(
        [pair.question for pair in every], [pair.passage for pair in every], padding=True, return_tensors="pt"
    )
    sys.stderr.write(f"{sum(p.numel() for p in model.parameters())} parameters, {len(every)} pairs\n")
    teach(model, inputs, every)
    if wrong := mistakes(model.eval(), inputs, every):
        raise SystemExit("\n".join(wrong))
    save(model, tokenizer, output)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
