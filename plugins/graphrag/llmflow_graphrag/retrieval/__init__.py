"""From a question to passages: seeds from two indexes, a walk over the graph, a gate, and the way back to the words."""
