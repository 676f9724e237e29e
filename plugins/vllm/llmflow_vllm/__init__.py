"""What the vLLM plugin knows about vLLM; plain code, no Dify SDK in it."""
