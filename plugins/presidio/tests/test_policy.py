"""Policies, what they make of a text, and the vault."""

from __future__ import annotations

import base64

import pytest
from llmflow_presidio import policy, scan
from llmflow_presidio.actions import masked, treat
from llmflow_presidio.errors import BadPolicy, NoSecret
from llmflow_presidio.keys import Keys
from llmflow_presidio.policy import Effective, Point
from llmflow_presidio.recognisers import own
from llmflow_presidio.vault import TOKEN, Vault

SECRET = "a secret of some length"
HEAD = "{format: 1, revision: r1, "


class Drawer(dict[str, bytes]):
    """Storage as a plugin's session has it, in memory."""

    def set(self, key: str, val: bytes) -> None:
        self[key] = val

    def get(self, key: str) -> bytes:  # type: ignore[override]  # what isn't there raises, as in Dify
        return self[key]

    def exist(self, key: str) -> bool:
        return key in self

    def delete(self, key: str) -> None:
        del self[key]


@pytest.mark.parametrize("name", policy.NAMES)
def test_a_policy_that_comes_along_is_sound(name: str) -> None:
    assert policy.named(name).effective().revision == f"{name}-1"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("format: 1", ["revision: it is missing"]),
        ("format: 1\nformat: 1", ["line 2, column 1: it is no YAML: 'format' is there twice"]),
        ("[1", ["line 1, column 3: it is no YAML: expected ',' or ']', but got '<stream end>'"]),
        ("a string", ["it must be a mapping that begins with `format: 1`"]),
        (
            HEAD
            + "entities: {FOO: mask, PERSON: explode}, roles: {a: [BAR]}, apps: {x: {entities: {BAZ: mask}}}, y: 1}",
            [
                "entities.PERSON.action: Input",
                "y: there is no such key",
                "entities.FOO: nothing",
                "apps.x.entities.BAZ: nothing",
                "roles.a: nothing",
            ],
        ),
        (
            HEAD + "entities: {PERSON: {action: mask, keep: 99, score: 0.1}}}",
            ["PERSON.keep: Input", "PERSON.score: Input"],
        ),
        (
            HEAD + "deny: [{name: a, terms: []}, {name: a, terms: [x]}]}",
            ["deny.0.terms: List", "deny.1.terms.0: String", "two called a"],
        ),
        ("x" * 300_000, ["it has 300000 signs"]),
        ("!!python/object:os.system {}", ["line 1"]),
    ],
    ids=["missing", "twice", "syntax", "no mapping", "everything", "ranges", "lists", "huge", "tags"],
)
def test_everything_that_is_wrong_is_told(text: str, says: list[str]) -> None:
    with pytest.raises(BadPolicy) as told:
        policy.parse(text)
    found = [str(problem) for problem in told.value.problems]
    assert len(found) == len(says)
    for part in says:
        assert any(part in problem for problem in found), (part, found)


def test_one_line_and_base64_are_the_same_policy() -> None:
    block = "format: 1\nrevision: r1\nentities:\n  PERSON: block\n"
    line = HEAD + "entities: {PERSON: block}}"
    packed = base64.b64encode(block.encode()).decode()
    assert policy.parse(block) == policy.parse(line) == policy.parse(packed)


def test_a_tenant_differs_and_an_app_has_the_last_word() -> None:
    text = (
        HEAD
        + "default: mask, entities: {PERSON: block, URL: allow}, tenants: {acme: {entities: {PERSON: mask}}}, "
        + "apps: {a1: {mode: dry-run, entities: {PERSON: replace}, default: allow}}}"
    )
    plain, acme, both = (
        policy.effective(text, app, tenant) for app, tenant in (("", ""), ("", "acme"), ("a1", "acme"))
    )
    assert [one.treatments["PERSON"].action for one in (plain, acme, both)] == ["block", "mask", "replace"]
    assert [one.treatments["KR_RRN"].action for one in (plain, acme, both)] == ["mask", "mask", "allow"]
    assert [one.dry_run for one in (plain, acme, both)] == [False, False, True]


@pytest.mark.parametrize(
    ("action", "made"),
    [
        ("mask", "전화 ***-****-****로"),
        ("{action: mask, keep: 4}", "전화 ***-****-5678로"),
        ("replace", "전화 <전화번호>로"),
        ("{action: replace, text: '…'}", "전화 …로"),
        ("allow", "전화 010-1234-5678로"),
        ("{action: mask, score: 0.99}", "전화 010-1234-5678로"),
        ("{action: mask, at: [output]}", "전화 010-1234-5678로"),
    ],
)
def test_what_an_action_makes(action: str, made: str) -> None:
    assert _treated("전화 010-1234-5678로", f"entities: {{PHONE_NUMBER: {action}}}").text == made


def test_a_block_has_a_message() -> None:
    treated = _treated("900101-1234568", "message: 안 돼요, entities: {KR_RRN: block}")
    assert (treated.blocked, treated.text) == ("안 돼요", "<주민등록번호>")
    assert _treated("Blue Whale", "deny: [{name: p, terms: [blue whale], message: 비밀}]").blocked == "비밀"
    assert _treated("bluewhale", "deny: [{name: p, terms: [blue whale, whale]}]").blocked is None


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        (r"EMP-\d{6}", ""),
        (r"[A-Z]{2,3}\d{4}(?:-\d{2}|)", ""),
        (r"가나[다라]?", ""),
        (r"a+", "without a limit"),
        (r"[a-z]*b", "without a limit"),
        (r"a{2,}", "{n,m}"),
        (r"(?:a|aa){1,9}", "group"),
        (r"(a)\1", "groups"),
        (r"(?:a)\1", "not taken"),
        (r"(?=a)b", "groups"),
        (r"\d{0,50}\d{0,50}x", "ways"),
        (r"[a-", "no regular expression"),
        (r"a?", "nothing"),
        (r"\w{1,200}", ""),
    ],
)
def test_a_pattern_that_could_take_forever_is_refused(pattern: str, says: str) -> None:
    found = own.problem(pattern)
    assert says in found
    assert bool(found) == bool(says)


def test_a_pattern_of_its_own_follows_its_own_rule() -> None:
    parts = r"patterns: [{name: emp, pattern: 'EMP-\d{6}', near: [사번], action: mask, keep: 2}]"
    assert _treated("사번 EMP-123456입니다", parts).text == "사번 ***-****56입니다"
    assert _treated("EMP-123456", parts).text == "EMP-123456"
    assert _treated("사번 XEMP-123456", parts).text == "사번 XEMP-123456"
    with pytest.raises(BadPolicy, match=r"patterns\.0\.pattern: \+ repeats"):
        policy.parse(HEAD + "patterns: [{name: a, pattern: 'a+b'}]}")


def test_hashes_and_tokens_are_the_same_for_the_same_value_of_a_tenant() -> None:
    text = "010-1234-5678, 010-1234-5678, 010-9999-0000"
    for action in ("hash", "tokenise"):
        first, second, third = _treated(text, f"entities: {{PHONE_NUMBER: {action}}}").text.split(", ")
        assert first == second != third
        other = _treated(text, f"entities: {{PHONE_NUMBER: {action}}}", Keys(SECRET, "globex")).text
        assert first not in other
    with pytest.raises(NoSecret):
        _treated(text, "entities: {PHONE_NUMBER: hash}", Keys("", ""))
    with pytest.raises(NoSecret, match="16"):
        Keys("short", "")


def test_a_mask_leaves_what_stands_between() -> None:
    assert masked("a.b@c.de", 2) == "*.*@*.de"
    assert masked("홍길동", 1) == "**동"
    assert masked("12", 4) == "12"


def test_the_vault_gives_back_until_it_forgets() -> None:
    now, drawer = 1_000_000.0, Drawer()
    vault = Vault(drawer, Keys(SECRET, "acme"), lambda: now)
    treated = _treated(
        "홍길동 님, 010-1234-5678", "entities: {PERSON: tokenise, PHONE_NUMBER: tokenise}", vault.keys
    )
    assert len(TOKEN.findall(treated.text)) == 2
    vault.keep(treated.tokens, 24)
    assert b"010" not in b"".join(drawer.values())
    back = vault.restore(treated.text, ["PHONE_NUMBER", "PERSON"])
    assert (back.text, back.restored) == ("홍길동 님, 010-1234-5678", 2)
    some = vault.restore(treated.text, ["PHONE_NUMBER"])
    assert (some.restored, some.refused) == (1, 1)
    for keys in (Keys(SECRET, "globex"), Keys(SECRET + "!", "acme")):
        assert Vault(drawer, keys, lambda: now).restore(treated.text, ["PERSON"]).restored == 0
    now += 24 * 3600 + 1
    gone = vault.restore(treated.text, ["PHONE_NUMBER", "PERSON"])
    assert (gone.text, gone.restored, gone.gone) == (treated.text, 0, 2)


def test_the_vault_clears_what_nobody_asked_for() -> None:
    now, drawer = 1_000_000.0, Drawer()
    vault = Vault(drawer, Keys(SECRET, "acme"), lambda: now)
    old = {f"{number:016}": "value" for number in range(250)}
    vault.keep(old, 1)
    kept = {vault.keys.storage(id_) for id_ in old}
    assert kept <= set(drawer)
    now += 3 * 86_400
    before = len(drawer)
    vault.keep({"B" * 16: "b"}, 1)
    assert before - 110 <= len(drawer) < before  # a little with each write
    for _ in range(40):
        vault.keep({"B" * 16: "b"}, 1)
    assert not kept & set(drawer)
    assert len(drawer) == 3  # the value, its page, the days


def test_what_is_kept_is_not_written_again_with_each_step_of_a_stream() -> None:
    now = 1_000_000.0
    drawer = Drawer()
    vault = Vault(drawer, Keys(SECRET, "acme"), lambda: now, "endpoint")
    vault.keep({"C" * 16: "c"}, 10)
    kept = dict(drawer)
    vault.keep({"C" * 16: "c"}, 10)
    assert drawer == kept
    now += 6 * 3600  # more than half its time is over
    vault.keep({"C" * 16: "c"}, 10)
    assert drawer != kept


def _policy(parts: str) -> Effective:
    return policy.parse(f"{HEAD}{parts}}}").effective()


def _treated(text: str, parts: str, keys: Keys = Keys(SECRET, "acme"), point: Point = "input"):  # type: ignore[no-untyped-def]  # noqa: B008
    found = _policy(parts)
    return treat(text, scan.scan(text, found.recognisers), found, keys, point)
