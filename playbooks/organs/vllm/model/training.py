"""What the recipes of small models share: the same additions in the same order on every machine, and a tokenizer."""

from __future__ import annotations

import os
from collections.abc import Iterable

# Read by the libraries when they load: whoever imports this module does so before them.
os.environ.update(
    ATEN_CPU_CAPABILITY="default",
    CUDA_VISIBLE_DEVICES="",
    HF_HUB_OFFLINE="1",
    MKL_CBWR="COMPATIBLE",
    MKL_NUM_THREADS="1",
    OMP_NUM_THREADS="1",
    TOKENIZERS_PARALLELISM="false",
)

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers


def settle() -> None:
    """Let torch compute the same bits wherever the same wheels run."""
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    torch.backends.mkldnn.enabled = False
    torch.manual_seed(0)


def byte_level_tokenizer(lines: Iterable[str], special: list[str], vocabulary: int) -> Tokenizer:
    """A byte-level BPE tokenizer, which has no unknown characters."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=special,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    bpe.train_from_iterator(lines, trainer)
    return bpe
