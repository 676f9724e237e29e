"""Documents in and out: what changes, what does not, what is left after a process died, and who may see what."""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llmflow_graphrag import words
from llmflow_graphrag.errors import BadRequest, Busy, Incompatible, ModelFailed, NotFound
from llmflow_graphrag.extraction.llm import LlmExtractor
from llmflow_graphrag.ingest import GROUP_CHARACTERS, Failed, Ingested
from llmflow_graphrag.retrieval.answer import Question
from llmflow_graphrag.scope import Scope
from llmflow_graphrag.stores import Lease, VectorRow
from support.graphrag import Broken, Fuse, HashEmbedder, ScriptedModel, document, world

SCOPE = Scope("acme", "handbook")
TEXTS = [
    "# 연차 규정\n\n인사팀(HRT)은 연차를 관리한다.\n\n## 신청\n\n직원은 박서연 팀장에게 신청한다.",
    "# 보안 지침\n\n정보보안팀의 팀장은 박서연이다.",
    "# 조직도\n\n인사팀은 3층에 있다.\n\n## 보안\n\n정보보안팀은 4층에 있다.\n\n"
    "## 신청\n\n직원은 박서연 팀장에게 신청한다.",
    "# Leave\n\nThe HR Team (HRT) grants leave. Alice Kim leads the HR Team.",
]


def test_a_second_time_changes_nothing(tmp_path: Path) -> None:
    here = world(tmp_path)
    first = here.engine.take(SCOPE, document("a", TEXTS[0]))
    before, embedded = here.dump(SCOPE), here.embedder.texts
    second = here.engine.take(SCOPE, document("a", TEXTS[0]))
    assert (first.state, second.state) == ("new", "unchanged")
    assert here.dump(SCOPE) == before
    assert here.embedder.texts == embedded


def test_only_what_changed_is_done_again(tmp_path: Path) -> None:
    here = world(tmp_path)
    here.engine.take(SCOPE, document("a", TEXTS[2]))
    changed = here.engine.take(SCOPE, document("a", TEXTS[2].replace("4층", "5층")))
    assert (changed.state, changed.added, changed.kept, changed.removed) == ("changed", 1, 2, 1)
    assert changed.meter.texts == 1


def test_metadata_alone_costs_no_embedding(tmp_path: Path) -> None:
    here = world(tmp_path)
    here.engine.take(SCOPE, document("a", TEXTS[0], year=2025))
    changed = here.engine.take(SCOPE, document("a", TEXTS[0], year=2026))
    assert (changed.state, changed.added) == ("changed", 0)
    assert next(here.engine.documents(SCOPE)).header.metadata == {"year": 2026}


STEPS = st.lists(
    st.tuples(st.sampled_from("abcd"), st.one_of(st.none(), st.integers(0, len(TEXTS) - 1)), st.booleans()),
    max_size=8,
)


@given(STEPS)
def test_deleted_equals_never_taken_in(steps: list[tuple[str, int | None, bool]]) -> None:
    """Whatever happened before, both stores hold what a fresh ingest of the surviving documents gives."""
    with tempfile.TemporaryDirectory() as folder:
        here, left = world(Path(folder) / "lived"), dict[str, tuple[int, bool]]()
        for name, text, secret in steps:
            if text is not None:
                here.engine.take(BOTH, document(name, TEXTS[text], access="hr" if secret else "everyone"))
                left[name] = (text, secret)
            elif left.pop(name, None):
                here.engine.remove(BOTH, name)
        fresh = world(Path(folder) / "fresh")
        fresh.graph.settle(BOTH, here.graph.settings(BOTH))
        surviving = [
            document(name, TEXTS[text], access="hr" if secret else "everyone")
            for name, (text, secret) in sorted(left.items())
        ]
        assert all(isinstance(done, Ingested) for done in fresh.engine.take_all(BOTH, surviving))
        assert here.dump(BOTH) == fresh.dump(BOTH)
        assert here.engine.check(BOTH).sound


BOTH = Scope("acme", "handbook", frozenset({"everyone", "hr"}))


def _history(folder: Path, fuse: Fuse | None) -> list[str]:
    """A document is taken in, changed, and another deleted; gives what a reader sees at each point of death."""
    here = world(folder, fuse=fuse)
    list(here.engine.take_all(SCOPE, [document("a", TEXTS[2]), document("b", TEXTS[0])]))
    here.engine.take(SCOPE, document("a", TEXTS[2].replace("4층", "5층") + "\n\n# 끝\n\n새 문단."))
    here.engine.remove(SCOPE, "b")
    return [here.dump(SCOPE)]


def test_a_process_may_die_anywhere(tmp_path: Path) -> None:
    """Killed before or after any change of a store, the same calls lead to the same end; nothing is half seen."""
    whole = Fuse()
    (expected,) = _history(tmp_path / "whole", whole)
    for calls in range(whole.burned):
        folder = tmp_path / str(calls)
        with pytest.raises(Broken):
            _history(folder, Fuse(calls))
        seen = world(folder)
        _expire(folder)
        rows = {row.header.id: row for row in seen.engine.documents(SCOPE) if row.header.audience}
        if "a" in rows and rows["a"].chunks:
            found = seen.engine.ask(SCOPE, Question("정보보안팀은 몇 층에 있나?", limit=20))
            texts = [p.row.text for p in found.passages if p.row.document == "a"]
            assert sum("정보보안팀은" in text for text in texts) == 1
            assert len(texts) == (4 if any("5층" in text for text in texts) else 3)
        assert _history(folder, None) == [expected], f"after {calls} calls"
        assert seen.engine.check(SCOPE).sound


def _expire(folder: Path) -> None:
    """Let the dead worker's lease end, as time would."""
    with closing(sqlite3.connect(folder / "graph.sqlite")) as db, db:
        db.execute("UPDATE document SET lease_until = 0")


def test_two_workers_do_not_clash(tmp_path: Path) -> None:
    here = world(tmp_path)
    lease = here.graph.claim(SCOPE, "a")
    with pytest.raises(Busy, match="Another worker"):
        here.engine.take(SCOPE, document("a", TEXTS[0]))
    with pytest.raises(Busy):
        here.graph.renew(SCOPE, Lease(lease.document, "0" * 32))
    here.graph.release(SCOPE, lease)
    assert here.engine.take(SCOPE, document("a", TEXTS[0])).state == "new"


def test_one_that_fails_stops_no_other(tmp_path: Path) -> None:
    """Small documents are taken in together; where that fails, one by one."""
    here = world(tmp_path)
    busy = here.graph.claim(SCOPE, "c")
    given = [document(name, TEXTS[0]) for name in "abcda"] + [document("e", TEXTS[0], access="hr")]
    given.insert(
        1, document("long", "\n\n".join(f"# {n}\n\n{TEXTS[1]}" for n in range(GROUP_CHARACTERS // 40)))
    )
    done = list(here.engine.take_all(SCOPE, given))
    assert [one.document for one in done] == ["a", "long", "b", "c", "d", "a", "e"]
    states = [one.state if isinstance(one, Ingested) else type(one.error) for one in done]
    assert states == ["new", "new", "new", Busy, "new", "unchanged", BadRequest]
    here.graph.release(SCOPE, busy)
    assert here.graph.working(SCOPE) == frozenset()
    assert not any(isinstance(one, Failed) for one in here.engine.take_all(BOTH, given))


def test_what_was_paid_for_is_kept_when_a_model_fails(tmp_path: Path) -> None:
    answer = json.dumps({"entities": [{"name": "박서연", "type": "person"}], "facts": []}, ensure_ascii=False)
    model = ScriptedModel([answer, ModelFailed("429"), answer], otherwise=answer)
    here = world(tmp_path, extractor=LlmExtractor(model, words.analyser("plain")))
    with pytest.raises(ModelFailed):
        here.engine.take(SCOPE, document("a", TEXTS[2]))
    (row,) = here.engine.documents(SCOPE)
    assert (row.problem, row.chunks) == ("429", 0)
    assert here.engine.ask(SCOPE, Question("박서연")).passages == ()
    done = here.engine.take(SCOPE, document("a", TEXTS[2]))
    assert (done.state, done.chunks) == ("new", 3)
    assert sorted(Counter(model.prompts).values()) == [1, 1, 2], "only the one that failed is asked again"
    again = here.engine.take(SCOPE, document("a", TEXTS[2] + "\n\n# 끝\n\n새 문단."))
    assert again.meter.calls == 1


def test_a_document_that_failed_can_be_deleted(tmp_path: Path) -> None:
    here = world(tmp_path, extractor=LlmExtractor(ScriptedModel(otherwise="prose"), words.analyser("plain")))
    empty = world(tmp_path / "empty")
    empty.graph.settle(SCOPE, {"analyser": "plain", "dimensions": "48", "embedder": "hash", "format": "1"})
    with pytest.raises(ModelFailed):
        here.engine.take(SCOPE, document("a", TEXTS[0]))
    here.engine.remove(SCOPE, "a")
    assert here.dump(SCOPE) == empty.dump(SCOPE)
    with pytest.raises(NotFound):
        here.engine.remove(SCOPE, "a")
    assert list(here.engine.documents(SCOPE)) == []


def test_another_embedder_is_refused(tmp_path: Path) -> None:
    world(tmp_path).engine.take(SCOPE, document("a", TEXTS[0]))
    other = world(tmp_path, embedder=HashEmbedder("other", 12))
    with pytest.raises(Incompatible, match="dimensions: 48, now 12; embedder: hash, now other"):
        other.engine.take(SCOPE, document("b", TEXTS[1]))
    with pytest.raises(Incompatible):
        other.engine.ask(SCOPE, Question("연차"))


def test_labels_are_given_only_by_who_holds_them(tmp_path: Path) -> None:
    here = world(tmp_path)
    with pytest.raises(BadRequest, match="missing: hr"):
        here.engine.take(SCOPE, document("a", TEXTS[0], access="hr"))
    here.engine.take(BOTH, document("a", TEXTS[0], access="hr"))
    with pytest.raises(BadRequest, match="taken"):
        here.engine.take(SCOPE, document("a", TEXTS[1]))
    with pytest.raises(NotFound):
        here.engine.remove(SCOPE, "a")


def test_what_differs_between_the_stores_is_found_and_mended(tmp_path: Path) -> None:
    here = world(tmp_path)
    here.engine.take(SCOPE, document("a", TEXTS[2]))
    before = here.dump(SCOPE)
    (lost, _, _), (kept, of, audience), *_ = next(iter(here.vectors.rows(SCOPE)))
    here.vectors.delete(SCOPE, [lost])
    vector = here.vectors.fetch(SCOPE, [kept])[kept]
    here.vectors.upsert(SCOPE, [VectorRow("f" * 32, of, audience, vector)])
    here.vectors.upsert(SCOPE, [VectorRow(kept, of, "e" * 32, vector)])
    found = here.engine.check(SCOPE)
    assert (found.missing, found.orphans, found.misplaced) == ((lost,), ("f" * 32,), (kept,))
    assert here.engine.check(SCOPE, mend=True).mended == 3
    assert here.engine.check(SCOPE).sound
    assert here.dump(SCOPE) == before
