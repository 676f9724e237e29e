import json
import multiprocessing
import os
import signal
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llmflow_bundle.errors import SiteError
from llmflow_installer.journal import Entry, Journal
from llmflow_installer.secrets import site_secrets
from llmflow_installer.state import SiteState, write_private


@pytest.fixture
def state(tmp_path: Path) -> SiteState:
    return SiteState.of(tmp_path, "here")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_nobody_else_may_look(state: SiteState) -> None:
    site_secrets(state)
    assert mode(state.directory) == 0o700
    assert mode(state.secrets) == 0o600


def test_secrets_are_made_once_and_differ_between_sites(state: SiteState, tmp_path: Path) -> None:
    first = site_secrets(state)
    assert site_secrets(state) == first
    other = site_secrets(SiteState.of(tmp_path, "there"))
    assert not set(first.values()) & set(other.values())
    assert len(first["vllm_api_key"]) >= 40
    assert [len(part) for part in first["kubeadm_token"].split(".")] == [6, 16]


def test_a_new_kind_of_secret_is_added_to_the_old_ones(state: SiteState) -> None:
    write_private(state.secrets, json.dumps({"vllm_api_key": "kept", "of-a-later-version": "kept too"}))
    assert site_secrets(state)["vllm_api_key"] == "kept"
    assert json.loads(state.secrets.read_text())["of-a-later-version"] == "kept too"


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"vllm_api_key": 5}'])
def test_damaged_secrets_are_not_replaced(damage: str, state: SiteState) -> None:
    write_private(state.secrets, damage)
    with pytest.raises(SiteError) as caught:
        site_secrets(state)
    assert caught.value.id == "SITE-SECRETS"
    assert state.secrets.read_text() == damage


def test_runs_in_one_second_do_not_share_a_directory(state: SiteState) -> None:
    now = datetime(2026, 3, 1, tzinfo=UTC)
    assert [state.new_run(now).name for _ in range(3)] == [
        "20260301T000000Z",
        "20260301T000000Z-1",
        "20260301T000000Z-2",
    ]


def hold(directory: Path, held: "multiprocessing.synchronize.Event") -> None:
    with SiteState(directory).locked():
        held.set()
        signal.pause()


def test_the_lock_of_a_dead_process_is_free(state: SiteState) -> None:
    context = multiprocessing.get_context("spawn")
    held = context.Event()
    holder = context.Process(target=hold, args=(state.directory, held))
    holder.start()
    assert held.wait(30)
    with pytest.raises(SiteError, match=f"process {holder.pid}"), state.locked():
        pass
    assert holder.pid is not None
    os.kill(holder.pid, signal.SIGKILL)
    holder.join()
    with state.locked():
        pass


def test_the_journal_gives_back_what_was_recorded(state: SiteState) -> None:
    journal = Journal(state.journal)
    entries = (
        Entry("t1", "hosts", "started", "d1"),
        Entry("t2", "hosts", "finished", "d1", changed=3),
        Entry("t3", "cluster", "failed", "d2"),
    )
    for entry in entries:
        journal.record(entry)
    assert journal.entries() == entries
    assert journal.digests() == {"hosts": "d1"}


@given(cut=st.integers(min_value=1, max_value=60))
def test_a_line_cut_short_costs_only_itself(cut: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    journal = Journal(tmp_path_factory.mktemp("journal") / "journal.jsonl")
    first, second, third = (Entry(f"t{number}", "hosts", "finished", "한국어") for number in range(3))
    journal.record(first)
    journal.record(second)
    content = journal.path.read_bytes()
    journal.path.write_bytes(content[:-cut])
    journal.record(third)
    assert journal.entries() in ((first, third), (first, second, third))


def test_no_journal_is_an_empty_one(state: SiteState) -> None:
    assert Journal(state.journal).entries() == ()
