"""How agents work: one file a pattern, each a graph put together of the shared nodes."""
