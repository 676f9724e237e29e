"""An agent on LangGraph: patterns, budgets, guards, checkpoints; no class of Dify's SDK."""
