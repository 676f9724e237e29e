"""How agents work: one file a pattern, each a graph of the nodes in `working` and `answering`.

`planning` is what two of them share.
"""
