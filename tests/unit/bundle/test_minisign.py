import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from llmflow_bundle import minisign
from llmflow_bundle.errors import BundleError
from llmflow_bundle.minisign import PublicKey, SecretKey

KEY = SecretKey.from_seed(b"12345678", bytes(range(32)))

needs_minisign = pytest.mark.skipif(
    shutil.which("minisign") is None, reason="Debian's minisign is not installed"
)


@pytest.fixture
def document(tmp_path: Path) -> Path:
    path = tmp_path / "document"
    path.write_bytes(b"what is signed" * 1000)
    return path


def test_a_signature_is_good_and_the_same_each_time(document: Path) -> None:
    text = minisign.sign(document, KEY, "a comment")
    assert minisign.verify(document, text, KEY.public) == "a comment"
    assert minisign.sign(document, KEY, "a comment") == text


def test_keys_survive_their_text() -> None:
    assert PublicKey.parse(KEY.public.text()) == KEY.public
    assert PublicKey.parse(KEY.public.text().splitlines()[1]) == KEY.public
    assert SecretKey.parse(KEY.text()) == KEY
    assert "0102" not in repr(KEY)


def test_a_changed_document_is_refused(document: Path) -> None:
    text = minisign.sign(document, KEY, "a comment")
    document.write_bytes(b"what is signed?")
    assert _refusal(document, text) == "BUNDLE-SIGNATURE-WRONG"


def test_a_changed_comment_is_refused(document: Path) -> None:
    text = minisign.sign(document, KEY, "a comment").replace("a comment", "another")
    assert _refusal(document, text) == "BUNDLE-SIGNATURE-WRONG"


def test_another_key_is_named(document: Path) -> None:
    other = SecretKey.new()
    with pytest.raises(BundleError) as caught:
        minisign.verify(document, minisign.sign(document, other, "x"), KEY.public)
    assert caught.value.id == "BUNDLE-KEY-UNKNOWN"
    assert other.public.name in caught.value.what


def test_a_key_that_borrows_the_trusted_id_is_refused(document: Path) -> None:
    forged = SecretKey.from_seed(KEY.key_id, b"f" * 32)
    assert _refusal(document, minisign.sign(document, forged, "x")) == "BUNDLE-SIGNATURE-WRONG"


@pytest.mark.parametrize("text", ["", "\n\n\n\n", "untrusted comment: x\nAAAA\ntrusted comment: y\nAAAA\n"])
def test_what_is_no_signature_is_refused(document: Path, text: str) -> None:
    assert _refusal(document, text) == "BUNDLE-SIGNATURE-UNREADABLE"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_changed_character_is_noticed(document: Path, data: st.DataObject) -> None:
    text = minisign.sign(document, KEY, "a comment")
    first = len("untrusted comment: signature from minisign secret key ") + len(KEY.public.name)
    place = data.draw(st.integers(first, len(text) - 2))  # what precedes is the comment nobody signs
    other = data.draw(st.characters(codec="utf-8").filter(lambda c: c != text[place]))
    assert _refusal(document, text[:place] + other + text[place + 1 :]).startswith("BUNDLE-")


@pytest.mark.parametrize(
    "text", ["", "RWQ=", KEY.text(), KEY.public.text() * 2], ids=["empty", "short", "secret", "two"]
)
def test_what_is_no_public_key_is_refused(text: str) -> None:
    with pytest.raises(BundleError, match="not a minisign public key"):
        PublicKey.parse(text)


def test_a_damaged_secret_key_is_refused() -> None:
    first, line = KEY.text().splitlines()
    with pytest.raises(BundleError, match="damaged"):
        SecretKey.parse(f"{first}\n{line[:120]}{'A' if line[120] != 'A' else 'B'}{line[121:]}\n")


def test_a_missing_key_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BundleError) as caught:
        PublicKey.load(tmp_path / "absent.pub")
    assert caught.value.id == "BUNDLE-KEY-UNREADABLE"
    assert "absent.pub" in caught.value.where


def test_the_builders_key_is_made_once(tmp_path: Path) -> None:
    key = minisign.generate(tmp_path / "config")
    assert minisign.generate(tmp_path / "config") == key
    assert stat.S_IMODE((tmp_path / "config" / minisign.KEY_FILE).stat().st_mode) == 0o600
    assert PublicKey.load(tmp_path / "config" / minisign.TRUSTED_FILE) == key.public


def test_a_trusted_key_is_not_replaced(tmp_path: Path) -> None:
    other = SecretKey.new().public
    (tmp_path / minisign.TRUSTED_FILE).write_text(other.text())
    minisign.generate(tmp_path)
    assert PublicKey.load(tmp_path / minisign.TRUSTED_FILE) == other


@needs_minisign
def test_stock_minisign_accepts_ours(tmp_path: Path, document: Path) -> None:
    (tmp_path / "key.pub").write_text(KEY.public.text())
    Path(f"{document}.minisig").write_text(minisign.sign(document, KEY, "a comment"))
    done = subprocess.run(
        ["minisign", "-Vm", document, "-p", tmp_path / "key.pub"], capture_output=True, text=True, check=True
    )
    assert "Trusted comment: a comment" in done.stdout


@needs_minisign
def test_stock_minisign_signs_with_our_key(tmp_path: Path, document: Path) -> None:
    (tmp_path / "key").write_text(KEY.text())
    subprocess.run(
        ["minisign", "-Sm", document, "-s", tmp_path / "key", "-t", "theirs"], capture_output=True, check=True
    )
    assert minisign.verify(document, Path(f"{document}.minisig").read_text(), KEY.public) == "theirs"


@needs_minisign
def test_we_sign_with_a_key_of_stock_minisign(tmp_path: Path, document: Path) -> None:
    subprocess.run(
        ["minisign", "-GW", "-p", tmp_path / "a.pub", "-s", tmp_path / "a.key"],
        capture_output=True,
        check=True,
    )
    Path(f"{document}.minisig").write_text(minisign.sign(document, SecretKey.load(tmp_path / "a.key"), "x"))
    subprocess.run(["minisign", "-Vm", document, "-p", tmp_path / "a.pub"], capture_output=True, check=True)


def _refusal(document: Path, text: str) -> str:
    with pytest.raises(BundleError) as caught:
        minisign.verify(document, text, KEY.public)
    return caught.value.id
