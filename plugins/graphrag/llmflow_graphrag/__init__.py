"""GraphRAG on a vector store and a graph store: documents in, passages with the path that led to them out."""
