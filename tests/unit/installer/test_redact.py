import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from llmflow_installer.redact import MASK, Redactor

secrets = st.text(st.characters(codec="utf-8", exclude_characters="*"), min_size=8, max_size=40)


@given(secret=secrets, before=st.text(), after=st.text())
def test_no_secret_survives_in_text_or_json(secret: str, before: str, after: str) -> None:
    redactor = Redactor([secret])
    assert secret not in redactor.text(before + secret + after)
    node = {"a": [before + secret, {secret: after}], "b": 1, "c": None}
    cleaned = redactor.deeply(node)
    assert secret not in json.dumps(cleaned, ensure_ascii=False)
    assert (cleaned["b"], cleaned["c"]) == (1, None)


def test_a_file_is_cleaned_of_a_secret_in_either_spelling(tmp_path: Path) -> None:
    secret = 'with "quotes" in it'
    file = tmp_path / "stdout"
    file.write_text(f"{secret} and {json.dumps(secret)} and more")
    Redactor([secret]).file(file)
    assert file.read_text() == f'{MASK} and "{MASK}" and more'


def test_the_spelling_of_kubernetes_is_known() -> None:
    assert Redactor(["a secret"]).text("data: YSBzZWNyZXQ=") == f"data: {MASK}"


def test_short_values_are_left_alone() -> None:
    assert Redactor(["root", ""]).text("root is root") == "root is root"


def test_a_longer_secret_is_not_cut_by_a_shorter_one() -> None:
    assert Redactor(["abcdefgh", "abcdefghijkl"]).text("x abcdefghijkl y") == f"x {MASK} y"
