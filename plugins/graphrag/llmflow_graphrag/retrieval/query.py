"""A question answered from the stores: no language model, one embedding, and a fixed number of store calls.

audiences   who may see what                                           1 graph call
dense       embed the question; the nearest chunks                     1 embedding, 1 vector call
lexical     the chunks with its words                                  1 graph call
linked      the entities that it names                                 1 graph call
graph       what the best chunks mention, where else that is said,     2 graph calls a hop, 2 hops at most,
            and which names are one                                    1 for the names
fit         how near the chunks are that the dense search missed       1 vector call
passages    their words                                                1 graph call
rerank      where there is a reranker                                  1 model call

Where it is asked for, a language model splits the question first: 1 model call, and all of this for each part.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import numpy as np

from llmflow_graphrag.errors import BadRequest
from llmflow_graphrag.extraction import rules
from llmflow_graphrag.filters import Filter
from llmflow_graphrag.ingest import check_settings
from llmflow_graphrag.model import SAME_AS, TITLE, Entity, PassageRow, Vector
from llmflow_graphrag.models import Embedder, LanguageModel, Reranker
from llmflow_graphrag.names import norm, sound
from llmflow_graphrag.retrieval import decompose, paths, rank
from llmflow_graphrag.retrieval.answer import (
    LONGEST_QUESTION,
    Answer,
    Passage,
    Question,
    Step,
    Topic,
    best_first,
)
from llmflow_graphrag.retrieval.budget import Budget
from llmflow_graphrag.retrieval.trust import trust
from llmflow_graphrag.retrieval.walk import Graph, walk
from llmflow_graphrag.scope import Scope
from llmflow_graphrag.stores import Community, GraphStore, VectorStore
from llmflow_graphrag.words import HANGUL, Analyser, Word, runs, terms

CANDIDATES = 24  # of each search, or as many as are wanted
SEEDS = 10  # chunks that the walk starts at
MOST_ENTITIES = 40  # that are followed in a hop
FAN_OUT = 8  # chunks of an entity that are followed
HUB = 400  # an entity in more chunks leads nowhere in particular
SHARPNESS = 6.0  # how much more walkers start at a better chunk
SURE_NAME = 8  # characters of a norm from which on it is surely a name
NAMED_WEIGHT = 0.3  # of the walkers start at names in the question, where it has some
MOST_NORMS = 160  # sequences of words of a question that are looked up as names
LONGEST_NAME = 5  # words
SECOND_HOP = 8  # chunks found by the first hop that the second starts at
REACHED = 24  # chunks that the walk may lift: the others have next to no walkers
RERANKED = 30
MOST_DOCUMENTS = 2000  # that a filter is pushed down with, as a list
MOST_MATCHED = 200_000  # documents that a filter looks at
TOPICS = 5
LEAST_SECONDS = 0.05  # for the question itself, when splitting it took all the time


@dataclass(frozen=True)
class Query:
    """Answers questions from both stores. It keeps nothing between two questions but threads."""

    graph: GraphStore
    vectors: VectorStore
    embedder: Embedder
    analyser: Analyser
    reranker: Reranker | None = None
    language_model: LanguageModel | None = None
    _pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(16, "graphrag-query"))

    def ask(self, scope: Scope, question: Question) -> Answer:
        """The passages that answer, best first. Raises BadRequest, Incompatible, and StoreDown or ModelFailed where
        nothing at all could be found out."""
        text = question.text[:LONGEST_QUESTION].strip()
        if not text:
            return Answer(question.mode, ())
        check_settings(self.graph.settings(scope), self.embedder, self.analyser)
        if question.decompose:
            return self._in_parts(scope, question, text)
        search = _Search(self, scope, question, text, Budget(question.seconds, self._pool))
        if question.mode == "global":
            return search.globally()
        if question.mode == "path":
            return search.path()
        return search.passages()

    def _in_parts(self, scope: Scope, question: Question, text: str) -> Answer:
        """The question and what a language model makes of it, each answered, and the answers put together."""
        model, budget = self.language_model, Budget(question.seconds, self._pool)
        if model is None:
            raise BadRequest("Splitting a question needs a language model, and none is set.")
        whole = replace(question, decompose=False)
        parts = budget.run("decompose", lambda: decompose.parts(model, text)) or ()
        answers = [self.ask(scope, replace(whole, seconds=max(budget.left, LEAST_SECONDS)))]
        for part in parts:
            if budget.over:
                budget.missing.append("decompose")
                break
            answers.append(self.ask(scope, replace(whole, text=part, seconds=budget.left)))
        missing = [*budget.missing, *(step for answer in answers for step in answer.missing)]
        return replace(
            answers[0],
            passages=decompose.fused(answers, question.limit),
            entities=tuple(dict.fromkeys(name for answer in answers for name in answer.entities)),
            parts=tuple(parts[: len(answers) - 1]),
            missing=tuple(dict.fromkeys(missing)),
            milliseconds={**answers[0].milliseconds, **budget.milliseconds, "total": budget.spent},
            llm_calls=1,
        )

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown(wait=False, cancel_futures=True)


@dataclass
class _Search:
    """One question on its way."""

    query: Query
    scope: Scope
    question: Question
    text: str
    budget: Budget
    nearness: dict[str, float] = field(default_factory=dict)
    words: dict[str, float] = field(default_factory=dict)
    named: list[Entity] = field(default_factory=list)
    read: Graph = field(default_factory=Graph)
    vector: Vector = ()
    trusted: float = 1.0

    def passages(self) -> Answer:
        """auto, local and naive."""
        self._seeds(lexical=self.question.mode != "naive")
        walkers = {} if self.question.mode == "naive" else self._walk(rank.base(self._evidence({})))
        self._measure([*self.words, *walkers])
        evidence = self._evidence(walkers)
        base = rank.base(evidence)
        return self._answer(rank.gated(evidence, base), base, evidence)

    def globally(self) -> Answer:
        """The communities that fit, with the chunks that say most of them."""
        self._seeds(lexical=True)
        self._measure(self.words)
        base = rank.base(self._evidence({}))
        known = self.budget.run("communities", lambda: self.query.graph.communities(self.scope)) or []
        topics = self._topics(known, base)
        scores = dict(base)
        for place, topic in enumerate(topics):
            for key in topic.chunks[:2]:
                scores[key] = max(scores.get(key, 0.0), 1.0 - place / (2 * len(topics)))
        return self._answer(scores, base, self._evidence({}), topics)

    def path(self) -> Answer:
        """How two things that the question names hang together."""
        self._seeds(lexical=True)
        ends = _two(self.named)
        if ends is None:
            raise BadRequest("A path needs two names that the workspace knows; the question has fewer.")
        found: tuple[Step, ...] | None = self.budget.run(
            "path",
            lambda: paths.between(self.query.graph, self.scope, *ends, over=lambda: self.budget.over),
        )
        if not found:
            self.budget.give_up()
        steps = found or ()
        chunks = {step.chunk: 1.0 - place / (len(steps) + 1) for place, step in enumerate(steps)}
        answer = self._answer(chunks, chunks, self._evidence({}))
        return replace(answer, path=steps)

    # steps

    def _seeds(self, *, lexical: bool) -> None:
        """The searches, beside each other."""
        query, budget = self.query, self.budget
        wanted = self._documents()
        norms, question_terms = self._norms(), list(dict.fromkeys(terms(query.analyser, self.text)))
        audiences = query.graph.audiences(self.scope)
        dense = budget.start("dense", lambda: self._dense(audiences, wanted))
        words = budget.start(
            "lexical",
            lambda: (
                query.graph.lexical(self.scope, question_terms, self._candidates, wanted) if lexical else []
            ),
        )
        named = budget.start("linked", lambda: self._linked(norms))
        self.words = dict(budget.result("lexical", words) or ())
        self.named = budget.result("linked", named) or []
        self.nearness = dict(budget.result("dense", dense) or ())

    @property
    def _candidates(self) -> int:
        return max(CANDIDATES, self.question.limit)

    def _linked(self, norms: Sequence[str]) -> list[Entity]:
        """The entities of these names, and those that sound like them in the other script."""
        sounds = [sound(one) for one in norms if HANGUL.search(one)]
        found = self.query.graph.entities(self.scope, norms, sounds)
        known = set(norms)
        return [entity for entity in found if entity.norm in known or not HANGUL.search(entity.norm)]

    def _evidence(self, walkers: Mapping[str, float]) -> rank.Evidence:
        return rank.Evidence(self.nearness, self.words, walkers, self.trusted)

    def _dense(self, audiences: Sequence[str], documents: Sequence[str] | None) -> list[tuple[str, float]]:
        self.vector = self.query.embedder.query(self.text)
        self.trusted = trust(self.query.embedder, self.text)
        return self.query.vectors.search(self.scope, self.vector, self._candidates, audiences, documents)

    def _documents(self) -> list[str] | None:
        """The documents that the filter wants; None where it wants all."""
        wanted: Filter | None = self.question.filter
        if wanted is None:
            return None
        matching = [
            key
            for key, metadata in self.query.graph.matching(self.scope, MOST_MATCHED)
            if wanted.holds(metadata)
        ]
        if len(matching) > MOST_DOCUMENTS:
            raise BadRequest(
                f"The filter leaves {len(matching):,} documents; at most {MOST_DOCUMENTS:,} can be searched by it: "
                "narrow it."
            )
        return matching

    def _measure(self, chunks: Iterable[str]) -> None:
        """How near chunks are that the dense search did not bring."""
        unknown = [key for key in dict.fromkeys(chunks) if key not in self.nearness]
        if not unknown or not self.vector:
            return
        found = self.budget.run("fit", lambda: self.query.vectors.fetch(self.scope, unknown)) or {}
        if found:
            cosines = np.asarray(list(found.values())) @ np.asarray(self.vector)
            self.nearness |= dict(zip(found, cosines.tolist(), strict=True))

    def _walk(self, base: Mapping[str, float]) -> dict[str, float]:
        """What the graph adds, two hops at most."""
        seeds = {key: base[key] ** SHARPNESS for key in best_first(base)[:SEEDS] if base[key] > 0}
        named = self._named_weights(sum(seeds.values()))
        self._hop(seeds, named)
        walkers = walk(self.read, seeds, named)
        further = [
            key for key in best_first(walkers) if key not in seeds and key not in self.read.of_chunk_read
        ]
        if further and not self.budget.over:
            self._hop(dict.fromkeys(further[:SECOND_HOP], 0.5), {})
            walkers = walk(self.read, seeds, named)
        return {key: walkers[key] for key in best_first(walkers)[:REACHED]}

    def _hop(self, chunks: Mapping[str, float], named: Mapping[str, float]) -> None:
        """Read what chunks mention, and where else the most telling of it is."""
        graph = self.query.graph
        edges = self.budget.run("graph", lambda: graph.edges_of_chunks(self.scope, list(chunks))) or []
        self.read.add((edge for edge, _ in edges), (entity for _, entity in edges))
        self.read.of_chunk_read |= set(chunks)
        weights: dict[str, float] = dict(named)
        for edge, entity in edges:
            if entity.chunks <= HUB and entity.key not in self.read.of_entity_read:
                told = (
                    chunks[edge.chunk] * self.read.rarity(entity.key) * (0.5 if edge.kind == TITLE else 1.0)
                )
                weights[entity.key] = weights.get(entity.key, 0.0) + told
        chosen = best_first(weights)[:MOST_ENTITIES]
        self._join(chosen)
        chosen = list(
            dict.fromkeys([*chosen, *(twin for key in chosen for twin in self.read.same.get(key, ()))])
        )
        found = self.budget.run("graph", lambda: graph.edges_of_entities(self.scope, chosen, FAN_OUT)) or []
        self.read.add(found)
        self.read.of_entity_read |= set(chosen)

    def _join(self, entities: Sequence[str]) -> None:
        """Which of these names stand for one thing, by what a document or somebody says."""
        said = self.budget.run(
            "names", lambda: self.query.graph.relations(self.scope, entities, len(entities) * 4)
        )
        for relation in said or []:
            if relation.predicate == SAME_AS:
                self.read.join(relation.subject, relation.object)

    def _named_weights(self, at_chunks: float) -> dict[str, float]:
        """Where walkers start among the names of the question; a rare long name outweighs common short ones."""
        self.read.add((), self.named)
        telling = {
            entity.key: self.read.rarity(entity.key) ** 2 * min(1.0, len(entity.norm) / SURE_NAME) ** 2
            for entity in self.named
            if entity.chunks <= HUB
        }
        total = sum(telling.values())
        return (
            {key: NAMED_WEIGHT * at_chunks * weight / total for key, weight in telling.items()}
            if total
            else {}
        )

    def _norms(self) -> list[str]:
        """All sequences of words that may be a name, as names are compared."""
        analyser = self.query.analyser
        found = dict.fromkeys(rules.names(self.text, analyser))
        spans: list[tuple[int, int, Word]] = []
        for match in runs(self.text):
            word = analyser.word(match[0])
            spans.append((match.start(), match.start() + (word.head or len(match[0])), word))
        for length in range(LONGEST_NAME, 0, -1):
            for first in range(len(spans) - length + 1):
                part = spans[first : first + length]
                if part[0][2].terms and part[-1][2].terms:
                    found.setdefault(norm(self.text[part[0][0] : part[-1][1]]))
        return [one for one in found if len(one) > 1][:MOST_NORMS]

    def _topics(self, known: Sequence[Community], base: Mapping[str, float]) -> tuple[Topic, ...]:
        """The communities whose words and chunks fit the question best."""
        wanted = set(terms(self.query.analyser, self.text))
        scored = []
        for community in known:
            words = set(terms(self.query.analyser, f"{community.title} {community.summary}"))
            overlap = len(wanted & words) / len(wanted) if wanted else 0.0
            held = sum(base.get(key, 0.0) for key in community.chunks)
            size = min(1.0, len(community.entities) / 50)
            scored.append((overlap + held + 0.1 * size, community))
        scored.sort(key=lambda pair: (-pair[0], pair[1].key))
        return tuple(Topic(c.title, c.summary, round(s, 4), c.chunks) for s, c in scored[:TOPICS])

    def _answer(
        self,
        scores: Mapping[str, float],
        base: Mapping[str, float],
        evidence: rank.Evidence,
        topics: tuple[Topic, ...] = (),
    ) -> Answer:
        """The best of them with their words, their ways, and a score that means the same for every question."""
        question, budget = self.question, self.budget
        if not scores:
            budget.give_up()
        order = best_first(scores)[: max(question.limit * 2, RERANKED)]
        rows = budget.run("passages", lambda: self.query.graph.passages(self.scope, order)) or {}
        if order and not rows:
            budget.give_up()
        if question.filter is not None:
            rows = {key: row for key, row in rows.items() if question.filter.holds(row.metadata)}
        order = [key for key in order if key in rows]
        absolute = self._absolute(order, scores)
        judged = self._judged(order, rows)
        if judged:
            order = best_first(judged)
            absolute = judged
        kept = [key for key in order if absolute[key] >= question.threshold][: question.limit]
        explained = paths.explain(self.read, rows, kept, base, {entity.key for entity in self.named})
        budget.milliseconds["total"] = budget.spent
        return Answer(
            mode=question.mode,
            passages=tuple(
                Passage(rows[key], absolute[key], self._parts(key, evidence, judged), explained.get(key, ()))
                for key in kept
            ),
            entities=tuple(entity.name for entity in self.named),
            topics=topics,
            missing=tuple(dict.fromkeys(budget.missing)),
            milliseconds=budget.milliseconds,
        )

    def _absolute(self, order: Sequence[str], scores: Mapping[str, float]) -> dict[str, float]:
        """Scores in the ranking's proportions; the first one's is how near the nearest passage is."""
        most = max((scores[key] for key in order), default=0.0)
        nearest = max((min(1.0, max(0.0, value)) for value in self.nearness.values()), default=0.5)
        return {key: nearest * scores[key] / most if most > 0 else 0.0 for key in order}

    def _judged(self, order: Sequence[str], rows: Mapping[str, PassageRow]) -> dict[str, float]:
        """What the reranker says of the best; nothing where there is none, or it fails."""
        reranker, first = self.query.reranker, list(order[:RERANKED])
        if reranker is None or not self.question.rerank or not first:
            return {}
        texts = [rows[key].text for key in first]
        found = self.budget.run("rerank", lambda: reranker.scores(self.text, texts)) or []
        return dict(zip(first, found, strict=True)) if found else {}

    def _parts(self, key: str, evidence: rank.Evidence, judged: Mapping[str, float]) -> dict[str, float]:
        parts = {
            "dense": evidence.dense,
            "lexical": evidence.lexical,
            "graph": evidence.graph,
            "rerank": judged,
        }
        return {name: scores[key] for name, scores in parts.items() if key in scores}


def _two(named: Sequence[Entity]) -> tuple[Entity, Entity] | None:
    """The two names of the question that tell most: the longest that don't lie in each other."""
    chosen: list[Entity] = []
    for entity in sorted(named, key=lambda one: (-len(one.norm), one.norm)):
        if not any(entity.norm in other.norm or other.norm in entity.norm for other in chosen):
            chosen.append(entity)
    return (chosen[0], chosen[1]) if len(chosen) > 1 else None
