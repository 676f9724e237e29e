"""From a chunk to what it says: by rule, or by one call of a language model."""
