"""`llmflow graphrag` from the shell, with both stores in a folder and an embedding server on loopback."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from llmflow_bundle.errors import WorkFailed
from llmflow_graphrag.cli import app
from llmflow_graphrag.errors import BadRequest
from llmflow_graphrag.settings import load
from support.fake_engines import EMBEDDER, KEY, serving
from support.fake_infinity import InfinityWire
from typer.testing import CliRunner, Result

TEAMS = "# 조직\n\n플랫폼개발팀은 3층에 있다. 팀장은 박서연이다.\n\n# 사업\n\n한빛 프로젝트는 플랫폼개발팀이 맡는다."
RULES = "# Rules\n\nThe bundle is signed before it leaves. Visitors sign in at the Gaon Gate."
ELEMENTS = [
    {"type": "Title", "text": "출입 절차", "element_id": "a", "metadata": {"page_number": 2}},
    {
        "type": "NarrativeText",
        "text": "방문자는 정문에서 서명한다.",
        "element_id": "b",
        "metadata": {"page_number": 2},
    },
]

Shell = Callable[..., Result]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    handbook = tmp_path / "handbook"
    (handbook / "deep").mkdir(parents=True)
    (handbook / "teams.md").write_text(TEAMS, encoding="utf-8")
    (handbook / "deep" / "rules.txt").write_text(RULES, encoding="utf-8")
    (handbook / "gate.json").write_text(json.dumps(ELEMENTS, ensure_ascii=False), encoding="utf-8")
    (handbook / "logo.png").write_bytes(b"\x89PNG")
    return handbook


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    with serving(InfinityWire(prefix="/v1")) as server:
        config = tmp_path / "graphrag.yaml"
        (tmp_path / "key").write_text(KEY)
        embedder = {"url": server.url, "model": EMBEDDER, "key_file": "key"}
        config.write_text(yaml.safe_dump({"data": "data", "embedder": embedder, "analyser": "plain"}))
        yield lambda *words: CliRunner().invoke(app, [*map(str, words), "--config", str(config)])


def lines(result: Result) -> list[dict[str, object]]:
    assert result.exception is None, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_documents_go_in_are_asked_and_go_out_again(folder: Path, shell: Shell, tmp_path: Path) -> None:
    done = lines(shell("ingest", folder, "--json"))
    assert {(one["document"], one["state"]) for one in done} == {
        ("teams.md", "new"),
        ("deep/rules.txt", "new"),
        ("gate.json", "new"),
    }
    assert {one["state"] for one in lines(shell("ingest", folder, "--json"))} == {"unchanged"}
    (answer,) = lines(shell("query", "한빛 프로젝트를 맡은 팀의 팀장은?", "--json"))
    passages = answer["passages"]
    assert isinstance(passages, list)
    assert {one["document"] for one in passages[:2]} == {"teams.md"}
    assert all(TEAMS[one["start"] : one["end"]] for one in passages if one["document"] == "teams.md")
    assert shell("check").stdout.startswith("4 chunks, 4 vectors: 0 without a vector")
    assert shell("delete", "teams.md").stdout == "teams.md: 2 chunks removed\n"
    assert {one["id"] for one in lines(shell("list", "--json"))} == {"gate.json", "deep/rules.txt"}
    assert shell("check").exit_code == 0


def test_a_question_is_answered_for_people(folder: Path, shell: Shell) -> None:
    shell("ingest", folder)
    said = shell("query", "방문자는 어디에서 서명하는가?", "-k", "1").stdout.splitlines()
    assert said[0].startswith("[1] ")
    assert "gate.json" in said[0]
    assert said[1].strip() == "출입 절차 방문자는 정문에서 서명한다."


def test_pages_and_exports_are_whole_files(folder: Path, shell: Shell, tmp_path: Path) -> None:
    shell("ingest", folder)
    page, graph, cypher = tmp_path / "team.html", tmp_path / "g.graphml", tmp_path / "g.cypher"
    assert shell("show", "플랫폼개발팀", "--out", page).stdout == f"{page}\n"
    assert "박서연" in page.read_text(encoding="utf-8")
    assert "http://" not in page.read_text(encoding="utf-8").replace("http://www.w3.org/", "")
    assert shell("export", "--out", graph).exit_code == 0
    assert graph.read_text(encoding="utf-8").rstrip().endswith("</graphml>")
    assert shell("export", "--out", cypher, "--format", "cypher").exit_code == 0
    assert cypher.read_text(encoding="utf-8").count("플랫폼개발팀") > 0
    assert not list(tmp_path.glob(".*.part"))


def test_two_names_are_one_until_it_is_taken_back(folder: Path, shell: Shell) -> None:
    shell("ingest", folder)
    assert shell("alias", "플랫폼개발팀", "Platform Team").exit_code == 0
    assert shell("alias", "플랫폼개발팀", "Platform Team", "--undo").exit_code == 0
    again = shell("alias", "플랫폼개발팀", "Platform Team", "--undo")
    assert id_of(again) == "GRAPHRAG-NOT-FOUND"


def test_workspaces_and_labels_part_readers(folder: Path, shell: Shell) -> None:
    shell("ingest", folder / "teams.md", "--access", "hr")
    assert lines(shell("list", "--json")) == []
    assert lines(shell("list", "--json", "-w", "other", "--access", "hr")) == []
    assert [one["id"] for one in lines(shell("list", "--json", "--access", "hr"))] == ["teams.md"]
    (answer,) = lines(shell("query", "플랫폼개발팀은 몇 층에 있는가?", "--json"))
    assert answer["passages"] == []


def test_one_bad_file_stops_no_other_and_is_named(folder: Path, shell: Shell) -> None:
    (folder / "binary.txt").write_bytes(bytes(range(256)))
    (folder / "half.json").write_text('[{"type": "Title"', encoding="utf-8")
    done = shell("ingest", folder, folder / "logo.png")
    assert id_of(done) == "GRAPHRAG-INCOMPLETE"
    assert isinstance(done.exception, WorkFailed)
    found = {Path(one.where or "").name: one.id for one in done.exception.findings}
    assert found == {
        "binary.txt": "GRAPHRAG-DOCUMENT",
        "half.json": "GRAPHRAG-REQUEST",
        "logo.png": "GRAPHRAG-DOCUMENT",
    }
    assert len(lines(shell("list", "--json"))) == 3


@dataclass(frozen=True)
class Wrong:
    words: tuple[str, ...]
    id: str
    says: str


@pytest.mark.parametrize(
    "wrong",
    [
        Wrong(("delete", "nothing.md"), "GRAPHRAG-NOT-FOUND", "nothing.md"),
        Wrong(("show", "아무것도"), "GRAPHRAG-NOT-FOUND", "아무것도"),
        Wrong(("query", "?", "--where", "{"), "GRAPHRAG-REQUEST", "JSON"),
        Wrong(("query", "a", "--decompose"), "GRAPHRAG-REQUEST", "language model"),
        Wrong(("query", "a", "--mode", "path"), "GRAPHRAG-REQUEST", "two names"),
        Wrong(("topics", "--summarise"), "GRAPHRAG-REQUEST", "language model"),
        Wrong(("alias", "a", "A"), "GRAPHRAG-REQUEST", "different"),
    ],
    ids=lambda wrong: " ".join(wrong.words),
)
def test_what_can_not_be_done_says_why(folder: Path, shell: Shell, wrong: Wrong) -> None:
    shell("ingest", folder)
    done = shell(*wrong.words)
    assert id_of(done) == wrong.id
    assert wrong.says in str(done.exception)


def test_a_server_that_is_away_is_named(folder: Path, shell: Shell, tmp_path: Path) -> None:
    config = tmp_path / "graphrag.yaml"
    given = yaml.safe_load(config.read_text())
    (tmp_path / "password").write_text("secret-of-neo4j")
    for change, id_ in (
        ({"embedder": {**given["embedder"], "url": "http://127.0.0.1:9"}}, "GRAPHRAG-MODEL"),
        ({"graph": {"address": "bolt://127.0.0.1:9", "password_file": "password"}}, "GRAPHRAG-STORE"),
    ):
        config.write_text(yaml.safe_dump(given | change))
        done = shell("query", "안녕")
        assert id_of(done) == id_
        assert "secret-of-neo4j" not in str(done.exception)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[1, 2]", "file"),
        ("data: [", "not YAML"),
        ("data: x", "embedder"),
        ("{embedder: {url: u, model: m}, colour: blue}", "colour"),
        ("{embedder: {url: u, model: m, timeout: 0}, extractor: magic}", "embedder.timeout"),
    ],
)
def test_settings_that_can_not_be_used_are_told_together(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "graphrag.yaml"
    path.write_text(text)
    with pytest.raises(BadRequest, match=says):
        load(path)
    with pytest.raises(BadRequest, match="can't be read"):
        load(tmp_path / "missing.yaml")


def test_paths_are_relative_to_their_file(tmp_path: Path) -> None:
    path = tmp_path / "graphrag.yaml"
    path.write_text(
        "{vectors: {address: v.db, ca_file: ca.pem}, embedder: {url: 'http://e', model: m, key_file: /k}}"
    )
    found = load(path)
    assert found.vectors is not None
    assert (found.data, found.vectors.address) == (tmp_path / "graphrag-data", str(tmp_path / "v.db"))
    assert (found.vectors.ca_file, found.embedder.key_file) == (tmp_path / "ca.pem", Path("/k"))
    path.write_text("{vectors: {address: 'https://m:19530'}, embedder: {url: u, model: m}}")
    again = load(path).vectors
    assert again is not None
    assert again.address == "https://m:19530"


def id_of(result: Result) -> str:
    assert isinstance(result.exception, WorkFailed), result.output
    return result.exception.id
