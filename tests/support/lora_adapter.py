"""A LoRA adapter that makes a small Qwen2 say something else: run by the interpreter that has vLLM.

python lora_adapter.py MODEL ADAPTER
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

RANK = 8


def main(model: Path, adapter: Path) -> None:
    """Write the adapter: large random weights of a fixed seed in each layer's output projection."""
    import torch
    from safetensors.torch import save_file

    about = json.loads((model / "config.json").read_text(encoding="utf-8"))
    width, layers = about["hidden_size"], about["num_hidden_layers"]
    torch.manual_seed(1)
    weights = {}
    for layer in range(layers):
        name = f"base_model.model.model.layers.{layer}.self_attn.o_proj"
        weights[f"{name}.lora_A.weight"] = torch.randn(RANK, width) / 2
        weights[f"{name}.lora_B.weight"] = torch.randn(width, RANK) / 2
    adapter.mkdir(parents=True)
    save_file(weights, str(adapter / "adapter_model.safetensors"))
    settings = {
        "peft_type": "LORA",
        "r": RANK,
        "lora_alpha": 16,
        "target_modules": ["o_proj"],
        "bias": "none",
    }
    (adapter / "adapter_config.json").write_text(json.dumps(settings), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
