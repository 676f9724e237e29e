"""What the embeddings plugin knows about TEI and Infinity; plain code, no Dify SDK in it."""
