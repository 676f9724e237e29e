"""Questions: what is found and why, in how much time, by whom, and what happens when something is missing."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llmflow_graphrag import filters
from llmflow_graphrag.errors import BadRequest, ModelFailed, NotFound, StoreDown
from llmflow_graphrag.model import SAME_AS
from llmflow_graphrag.models import Reranker
from llmflow_graphrag.retrieval import rank
from llmflow_graphrag.retrieval.answer import Question, best_first
from llmflow_graphrag.scope import Scope
from support.graphrag import Backwards, Down, HashEmbedder, NoVectors, ScriptedModel, World, document, world

SCOPE = Scope("acme", "handbook")
BOTH = Scope("acme", "handbook", frozenset({"everyone", "hr"}))
DOCUMENTS = {
    "project": "한빛 프로젝트는 차세대 포털을 만든다. 담당 부서는 플랫폼개발팀이다.",
    "team": "플랫폼개발팀은 판교 사옥에 있다. 팀장은 정하윤이다.",
    "person": "정하윤은 2019년에 입사했다. 전공은 통계학이다.",
    "canteen": "구내식당은 매일 열두 시에 연다.",
    "parking": "주차장은 지하 2층에 있다.",
    "alias": "정보보호위원회(ISC)는 분기마다 모인다.",
    "isc": "ISC Charter says that the ISC has nine members.",
}
TITLES = {"team": "플랫폼개발팀", "person": "정하윤", "isc": "ISC"}


@pytest.fixture
def here(tmp_path: Path) -> World:
    made = world(tmp_path, analyser="kiwi")
    for id_, text in DOCUMENTS.items():
        made.engine.take(SCOPE, document(id_, text, title=TITLES.get(id_, id_), year=2020 + len(id_)))
    return made


def found(here: World, text: str, scope: Scope = SCOPE, **more: Any) -> list[str]:
    return [p.row.document for p in here.engine.ask(scope, Question(text, **more)).passages]


def test_two_hops_are_made_without_a_language_model(here: World) -> None:
    answer = here.engine.ask(SCOPE, Question("한빛 프로젝트 담당 부서의 팀장은 누구인가?", limit=3))
    assert [p.row.document for p in answer.passages][:2] == ["project", "team"]
    assert (answer.llm_calls, answer.missing) == (0, ())
    team = answer.passages[1]
    steps = [(s.subject, s.object) for path in team.paths for s in path]
    assert ("project", "플랫폼개발팀") in steps
    step = next(s for path in team.paths for s in path if s.subject == "project")
    assert DOCUMENTS["project"][step.start : step.end] == "플랫폼개발팀"


PARTS = '{"questions": ["한빛 프로젝트의 담당 부서는?", "구내식당은 언제 여나?", "ISC는 몇 명인가?"]}'


@pytest.mark.parametrize(
    ("said", "parts", "missing"),
    [
        (PARTS, 3, ()),
        (f"물론입니다.\n{PARTS}\n도움이 되길 바랍니다.", 3, ()),
        ('{"questions": []}', 0, ()),
        ('{"questions": "한빛"}', 0, ()),
        ('{"questions": [1, null, ""]}', 0, ()),
        ("나눌 수 없습니다.", 0, ("decompose",)),
        ("", 0, ("decompose",)),
        (ModelFailed("429"), 0, ("decompose",)),
    ],
)
def test_a_question_may_be_split(
    tmp_path: Path, said: str | Exception, parts: int, missing: tuple[str, ...]
) -> None:
    model = ScriptedModel([said])
    here = world(tmp_path, language_model=model)
    for id_, text in DOCUMENTS.items():
        here.engine.take(SCOPE, document(id_, text, title=TITLES.get(id_, id_)))
    text = "한빛 프로젝트의 담당 부서와 구내식당 시간, ISC 인원을 알려 줘."
    plain = here.engine.ask(SCOPE, Question(text, limit=3))
    answer = here.engine.ask(SCOPE, Question(text, limit=3, decompose=True))
    assert (len(answer.parts), answer.missing, answer.llm_calls, len(model.prompts)) == (parts, missing, 1, 1)
    if parts:
        assert {p.row.document for p in answer.passages} == {"project", "canteen", "isc"}
    else:
        assert answer.passages == plain.passages


def test_splitting_needs_a_model(here: World) -> None:
    with pytest.raises(BadRequest, match="language model"):
        here.engine.ask(SCOPE, Question("한빛 프로젝트", decompose=True))


def test_a_citation_leads_to_the_words(here: World) -> None:
    for passage in here.engine.ask(SCOPE, Question("구내식당은 언제 여나?")).passages:
        row = passage.row
        assert DOCUMENTS[row.document][row.start : row.end] == row.text
    context = here.engine.ask(SCOPE, Question("구내식당은 언제 여나?", limit=1)).context()
    assert context.startswith("[1] canteen\n구내식당은")


def test_a_name_alone_pushes_no_better_passage_out() -> None:
    """What fits best by both searches stays first, however many walkers are elsewhere."""
    scores = st.dictionaries(st.sampled_from("abcdef"), st.floats(0, 1), max_size=6)

    @given(scores, scores, scores)
    def best_stays(dense: dict[str, float], lexical: dict[str, float], walkers: dict[str, float]) -> None:
        evidence = rank.Evidence(dense, lexical, walkers)
        base = rank.base(evidence)
        lifted = rank.gated(evidence, base)
        assert {*lifted} == {*dense, *lexical} | ({*walkers} if any(walkers.values()) else set())
        assert best_first(lifted)[:1] == best_first(base)[:1] or not base

    best_stays()


@pytest.mark.parametrize("mode", ["auto", "local", "naive"])
def test_modes_find_what_is_asked_for(here: World, mode: str) -> None:
    assert "parking" in found(here, "주차장은 몇 층에 있나?", mode=mode, limit=3)


def test_a_path_is_told_step_by_step(here: World) -> None:
    answer = here.engine.ask(SCOPE, Question("한빛과 정하윤", mode="path"))
    assert (answer.path[0].subject, answer.path[-1].object) in (("한빛", "정하윤"), ("정하윤", "한빛"))
    assert {p.row.document for p in answer.passages} >= {"team"}
    with pytest.raises(BadRequest, match="two names"):
        here.engine.ask(SCOPE, Question("아무것도 모름", mode="path"))
    with pytest.raises(NotFound, match="No way"):
        here.engine.ask(SCOPE, Question("정하윤 ISC", mode="path"))


def test_a_question_about_the_whole_is_answered_from_topics(here: World) -> None:
    assert here.engine.ask(SCOPE, Question("개발 조직", mode="global")).topics == ()
    first = here.engine.refresh_topics(SCOPE)
    answer = here.engine.ask(SCOPE, Question("플랫폼개발팀은 무엇을 하나?", mode="global"))
    assert "플랫폼개발팀" in answer.topics[0].title + answer.topics[0].summary
    again = here.engine.refresh_topics(SCOPE)
    assert (again.communities, again.renewed) == (first.communities, 0)


def test_topics_are_those_of_a_workspace_that_never_held_what_was_deleted(here: World) -> None:
    here.engine.refresh_topics(SCOPE)
    before = here.graph.communities(SCOPE)
    here.engine.take(SCOPE, document("more", "플랫폼개발팀과 정하윤, 그리고 한빛 프로젝트의 새 소식."))
    here.engine.refresh_topics(SCOPE)
    here.engine.remove(SCOPE, "more")
    here.engine.refresh_topics(SCOPE)
    assert here.graph.communities(SCOPE) == before


def test_names_that_a_document_declares_to_be_one_are(here: World) -> None:
    assert set(found(here, "정보보호위원회는 몇 명인가?", limit=2)) == {"alias", "isc"}


def test_a_declared_alias_can_be_taken_back(here: World) -> None:
    before = here.dump(SCOPE)
    here.engine.alias(SCOPE, "정하윤", "플랫폼 대장")
    (relation,) = here.graph.relations(SCOPE, [e.key for e in here.graph.entities(SCOPE, ["정하윤"])], 10)
    assert relation.predicate == SAME_AS
    here.engine.unalias(SCOPE, "플랫폼 대장", "정하윤")
    assert here.dump(SCOPE) == before
    with pytest.raises(NotFound):
        here.engine.unalias(SCOPE, "플랫폼 대장", "정하윤")


def test_filters_are_kept_along_the_walk(here: World) -> None:
    condition = {"conditions": [{"name": "year", "comparison_operator": "=", "value": 2027}]}
    assert set(found(here, "한빛 프로젝트 담당 부서의 팀장은?", filter=filters.parse(condition))) == {
        "project",
        "canteen",
        "parking",
    }
    nothing = {"conditions": [{"name": "year", "comparison_operator": ">", "value": 3000}]}
    assert found(here, "한빛", filter=filters.parse(nothing)) == []


@pytest.mark.parametrize(
    ("operator", "value", "expected"),
    [
        ("is", "Report", True), ("is not", "report", False), ("contains", "EPO", True), ("not contains", "x", True),
        ("start with", "re", True), ("end with", "x", False), ("in", "a,report", True), ("not in", ["report"], False),
        ("empty", None, False), ("not empty", None, True), ("=", 1, False), ("≠", 1, True), ("before", "sport", True),
        ("after", "sport", False), (">", 1, False),
    ],
)  # fmt: skip
def test_operators_mean_what_dify_says(operator: str, value: object, expected: bool) -> None:
    assert filters.Condition("kind", operator, value).holds({"kind": "report"}) is expected


@pytest.mark.parametrize(
    "condition",
    [
        {"conditions": [{"name": "a", "comparison_operator": '" or 1==1', "value": 1}]},
        {"conditions": [{"name": "", "comparison_operator": "is", "value": 1}]},
        {"conditions": [{"name": "a", "comparison_operator": "is"}]},
        {"conditions": [{"name": "a", "comparison_operator": "is", "value": "x" * 2000}]},
        {"logical_operator": "xor", "conditions": [{"name": "a", "comparison_operator": "empty"}]},
        {"conditions": [{}] * 21},
        {"conditions": "all"},
        {"conditions": ["all"]},
    ],
)
def test_a_filter_that_can_not_be_is_refused(condition: dict[str, object]) -> None:
    with pytest.raises(BadRequest):
        filters.parse(condition)


def test_a_reader_sees_what_the_labels_show_and_no_way_through_the_rest(tmp_path: Path) -> None:
    here = world(tmp_path, analyser="kiwi")
    for id_, text in DOCUMENTS.items():
        access = "hr" if id_ == "team" else "everyone"
        here.engine.take(BOTH, document(id_, text, title=TITLES.get(id_, id_), access=access))
    assert "team" in found(here, "플랫폼개발팀의 팀장", BOTH)
    for mode in ("auto", "local", "global", "naive"):
        answer = here.engine.ask(SCOPE, Question("한빛 프로젝트 담당 부서의 팀장은?", mode=mode, limit=20))
        assert "team" not in str(answer.as_json()["passages"])
    here.engine.refresh_topics(BOTH)
    assert "판교" not in str(here.engine.ask(SCOPE, Question("플랫폼개발팀", mode="global")).as_json())
    assert "판교" not in here.engine.page(SCOPE, "플랫폼개발팀")
    assert "판교" not in "".join(here.engine.export(SCOPE, "graphml"))
    assert {row.header.id for row in here.engine.documents(SCOPE)} == set(DOCUMENTS) - {"team"}


@pytest.mark.parametrize(
    "scope",
    [Scope("other", "handbook"), Scope("acme", "other"), Scope("ACME", "handbook")],
    ids=["tenant", "workspace", "case"],
)
def test_another_tenant_sees_nothing_by_any_call(here: World, scope: Scope) -> None:
    for mode in ("auto", "local", "global", "naive"):
        answer = here.engine.ask(scope, Question("한빛 프로젝트", mode=mode))
        assert (answer.passages, answer.entities, answer.topics) == ((), (), ())
    assert list(here.engine.documents(scope)) == []
    assert not [row for part in here.vectors.rows(scope) for row in part]
    with pytest.raises(NotFound):
        here.engine.page(scope, "정하윤")
    with pytest.raises(NotFound):
        here.engine.remove(scope, "team")
    assert "정하윤" not in "".join(here.engine.export(scope, "cypher"))
    assert here.engine.check(scope, mend=True).chunks == 0
    assert found(here, "주차장")[0] == "parking"


HOSTILE = st.sampled_from(
    [
        '" OR 1==1 --',
        "`) MATCH (n) DETACH DELETE n //",
        "\\u0060",
        '"] or scope != "',
        "a\nb",
        "NEAR(",
        "*:*",
        "terms:x",
    ]
) | st.text(min_size=1, max_size=40)


@given(text=HOSTILE)
def test_a_hostile_question_finds_no_error(text: str) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        here = world(Path(folder))
        here.engine.take(SCOPE, document("a", "한빛 프로젝트와 NEAR 연산자."))
        assert len(found(here, text)) <= 1
        here.engine.close()


def test_what_is_not_ready_in_time_is_left_out_and_named(here: World) -> None:
    gate = threading.Event()

    class Slow(HashEmbedder):
        def query(self, text: str) -> Any:
            gate.wait(30)
            return super().query(text)

    slow = Slow()
    engine = type(here.engine)(here.graph, here.vectors, slow, analyser=here.engine._query.analyser)
    try:
        answer = engine.ask(SCOPE, Question("주차장은 몇 층에 있나?", seconds=0.5))
    finally:
        gate.set()
    assert "dense" in answer.missing


def test_a_vector_store_that_is_down_costs_its_part_only(tmp_path: Path) -> None:
    here = world(tmp_path, vectors=NoVectors(tmp_path))
    here.engine.take(SCOPE, document("parking", DOCUMENTS["parking"]))
    answer = here.engine.ask(SCOPE, Question("주차장은"))
    assert ([p.row.document for p in answer.passages], answer.missing) == (["parking"], ("dense",))
    with pytest.raises(StoreDown):
        here.engine.ask(SCOPE, Question("어디에도 없는 말"))


def test_a_reranker_decides_and_may_fail(tmp_path: Path) -> None:
    long, short = "주차장은 지하에 있다. " * 5, "주차장."
    cases: list[tuple[Reranker, str | None]] = [(Backwards(), "short"), (Down(), None)]
    for number, (reranker, first) in enumerate(cases):
        here = world(tmp_path / str(number), reranker=reranker)
        here.engine.take(SCOPE, document("long", long))
        here.engine.take(SCOPE, document("short", short))
        answer = here.engine.ask(SCOPE, Question("주차장"))
        assert first in (answer.passages[0].row.document, None)
        assert ("rerank" in answer.missing) is (first is None)


@pytest.mark.parametrize("fields", [{"mode": "magic"}, {"limit": 0}, {"limit": 1000}, {"seconds": 0}])
def test_a_question_that_can_not_be_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(BadRequest):
        Question("x", **fields)


def test_exports_and_pages_hold_hostile_names_safely(tmp_path: Path) -> None:
    from xml.etree import ElementTree

    here = world(tmp_path, analyser="kiwi")
    here.engine.take(
        SCOPE,
        document(
            "x", "'; DROP <script>alert(1)</script> 「A\"<b>'&B」 \\u0027 한빛소프트와 김민수", title="<T>"
        ),
    )
    assert "<script>" not in here.engine.page(SCOPE, "한빛소프트")
    tree = ElementTree.fromstring("".join(here.engine.export(SCOPE, "graphml")))  # noqa: S314 - written by us
    assert len(tree.findall(".//{*}node")) >= 3
    for line in "".join(here.engine.export(SCOPE, "cypher")).splitlines():
        assert line.endswith(";")
        assert line.count("'") % 2 == 0
