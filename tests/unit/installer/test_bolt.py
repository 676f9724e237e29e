import struct
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llmflow_installer.bolt import BoltError, ask, pack, unpack
from support.fake_stores import LOGON, PULL, RUN, UNAUTHORIZED, FakeStores, chunked, failure

VALUES = st.recursive(
    st.text() | st.integers(-(2**63), 2**63 - 1),
    lambda inner: st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@pytest.fixture
def stores() -> FakeStores:
    return FakeStores("right")


def rows(stores: FakeStores, said: str = "right") -> list[list[object]]:
    with stores.dial("10.0.0.1", 7687, Path("ca.crt")) as line:
        return ask(line, "neo4j", said, "RETURN 42")


def test_rows_come_back(stores: FakeStores) -> None:
    assert rows(stores) == [[42]]


def test_a_refusal_has_its_code(stores: FakeStores) -> None:
    with pytest.raises(BoltError) as caught:
        rows(stores, "wrong")
    assert caught.value.code == UNAUTHORIZED


def test_a_message_may_come_in_chunks(stores: FakeStores) -> None:
    stores.answers = {PULL: b"\x00\x02\xb1\x71\x00\x02\x91\x2a\x00\x00" + chunked(b"\xb1\x70\xa0")}
    assert rows(stores) == [[42]]


def test_empty_chunks_between_messages_are_passed_over(stores: FakeStores) -> None:
    stores.answers = {RUN: b"\x00\x00\x00\x00" + chunked(b"\xb1\x70\xa0")}
    assert rows(stores) == [[42]]


@pytest.mark.parametrize(
    ("signature", "answer", "says"),
    [
        pytest.param(LOGON, chunked(b"\xb1\x7e\xa0"), "0x7e", id="ignored"),
        pytest.param(LOGON, chunked(b"\xb2\x70\xa0\xa0"), "b270", id="two-fields"),
        pytest.param(LOGON, chunked(b"\xb1"), "b1", id="cut-off"),
        pytest.param(RUN, chunked(b"\xb1\x70\xa1"), "not PackStream", id="half-a-mapping"),
        pytest.param(RUN, chunked(b"\xb1\x70\xa0\x01"), "more than one value", id="two-values"),
        pytest.param(PULL, chunked(b"\xb1\x71\xb1\x4e"), "0xb1", id="a-node"),
        pytest.param(PULL, (b"\xff\xff" + bytes(65535)) * 17, "more than", id="endless"),
        pytest.param(
            RUN, chunked(failure("Neo.ClientError.Statement.SyntaxError", "typo")), "typo", id="failure"
        ),
    ],
)
def test_what_is_not_understood_is_an_error(
    stores: FakeStores, signature: int, answer: bytes, says: str
) -> None:
    stores.answers = {signature: answer}
    with pytest.raises(BoltError, match=says):
        rows(stores)


@given(VALUES)
def test_what_is_packed_can_be_unpacked(value: object) -> None:
    assert unpack(pack(value)) == value


@given(st.binary(max_size=200))
def test_other_bytes_are_a_value_or_an_error(data: bytes) -> None:
    with suppress(BoltError):
        unpack(data)


def test_depth_is_an_error_too() -> None:
    with pytest.raises(BoltError):
        unpack(b"\x91" * 100_000)


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"\xc0", None),
        (b"\xc2", False),
        (b"\xc3", True),
        (b"\xf0", -16),
        (b"\x7f", 127),
        (b"\xc9\x03\xe8", 1000),
        (b"\xc1" + struct.pack(">d", 1.5), 1.5),
        (b"\x83\xea\xb0\x80", "가"),
        (b"\xd0\x01a", "a"),
        (b"\xd4\x02\x01\x02", [1, 2]),
        (b"\xd8\x01\x81a\x90", {"a": []}),
    ],
)
def test_every_kind_of_value(data: bytes, value: object) -> None:
    assert unpack(data) == value
