"""What a model was trained to see before a query and before a passage; without it, it finds less.

Known families by their names. A form's own prefix wins over these.
"""

from __future__ import annotations

import re
from typing import NamedTuple

ASK = "Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery: "
SEARCH = "Represent this sentence for searching relevant passages: "


class Prefixes(NamedTuple):
    """What is put before each text, according to what it is."""

    query: str = ""
    passage: str = ""


NONE = Prefixes()

FAMILIES: tuple[tuple[str, Prefixes], ...] = (  # the first whose pattern is in the name, whatever its case
    (r"e5-.*instruct|qwen3-embedding", Prefixes(query=ASK)),
    (r"koe5|(^|[/_-])e5-|multilingual-e5", Prefixes("query: ", "passage: ")),
    (r"bge-m3|kure|ko-s(ro)?bert", NONE),
    (r"bge-.*-en|mxbai-embed", Prefixes(query=SEARCH)),
    (r"bge-.*-zh", Prefixes(query="为这个句子生成表示以用于检索相关文章：")),
    (r"snowflake-arctic-embed.*v2", Prefixes(query="query: ")),
    (r"snowflake-arctic-embed", Prefixes(query=SEARCH)),
    (r"nomic-embed-text", Prefixes("search_query: ", "search_document: ")),
    (r"embeddinggemma", Prefixes("task: search result | query: ", "title: none | text: ")),
)


def of(model: str) -> Prefixes:
    """The prefixes of a model's family, none where its name tells no family."""
    return next((found for name, found in FAMILIES if re.search(name, model, re.IGNORECASE)), NONE)
