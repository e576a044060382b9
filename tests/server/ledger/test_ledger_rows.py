"""What is read from the ledger: pages, sums, and what follows from times and tokens."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from server.ledger.entry import Status
from server.ledger.ledger import Ledger
from server.ledger.row import Completion
from server.ledger.rows import Rows, Scope, Spent, Wanted
from server.storage.database import Database
from tests.server.ledger.entries import BEGIN, TurnedClock, intent, settlement


@pytest.fixture
async def rows(database: Database, tmp_path: Path) -> AsyncIterator[Rows]:
    """Settled: a, b (failed, of another tenant, its cost not known), c (another model). Open: d, the last."""
    ledger = Ledger(database, TurnedClock(), "me", tmp_path / "spool")
    await ledger.recover()
    await ledger.intent(intent("a"))
    await ledger.intent(intent("b", tenant_id="other", user_id="bob", key_id="k2"))
    await ledger.intent(intent("c", model="small"))
    await ledger.intent(intent("d", BEGIN + 1))
    await ledger.settle(settlement("a"))
    await ledger.settle(settlement("b", Status.FAILED, None))
    await ledger.settle(settlement("c"))
    yield Rows(database)
    await ledger.close()


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Wanted(), "dcba"),
        (Wanted(begin=BEGIN + 1), "d"),
        (Wanted(end=BEGIN + 1), "cba"),
        (Wanted(tenant_id="other"), "b"),
        (Wanted(user_id="ann", model="small"), "c"),
        (Wanted(key_id="k2"), "b"),
        (Wanted(request_id="req_a"), "a"),
        (Wanted(provider="openai", status="completed"), "ca"),
        (Wanted(status=""), "d"),
        (Wanted(operation="images"), ""),
    ],
)
async def test_a_list_has_what_is_wanted_the_newest_first(rows: Rows, wanted: Wanted, expected: str) -> None:
    assert "".join(row.id for row in (await rows.list(wanted, 10)).completions) == expected


async def test_pages_follow_each_other_without_gap_or_repetition(rows: Rows) -> None:
    first = await rows.list(Wanted(), 2)
    second = await rows.list(Wanted(), 2, first.next)
    assert ["".join(row.id for row in page.completions) for page in (first, second)] == ["dc", "ba"]
    assert second.next is None


async def test_a_tenant_does_not_find_anothers(rows: Rows) -> None:
    assert await rows.find("b", "acme") is None
    assert await rows.find("b", "other") is not None


@pytest.mark.parametrize(
    ("scope", "scope_id", "begin", "expected"),
    [
        ("global", "", 0, Spent(1450, 4468)),
        ("tenant", "acme", 0, Spent(1300, 4468)),
        ("user", "bob", 0, Spent(150, 0)),
        ("key", "key", BEGIN + 1, Spent(1000, 2000)),
        ("model", "small", 0, Spent(150, 1234)),
        ("model", "none", 0, Spent(0, 0)),
    ],
)
async def test_what_is_spent_is_what_was_used_and_is_held_back(
    rows: Rows, scope: Scope, scope_id: str, begin: int, expected: Spent
) -> None:
    assert await rows.spent(scope, scope_id, begin) == expected


@pytest.fixture
async def completed(rows: Rows) -> Completion:
    found = await rows.find("a")
    assert found is not None
    return found


def test_speed_follows_from_times_and_tokens(completed: Completion) -> None:
    assert (completed.latency_s, completed.time_to_first_token_s, completed.tokens_per_second) == (2.0, 0.5, 37.5)
    assert completed.performance_score == pytest.approx(0.85)


def test_the_score_is_nothing_for_a_failure_and_unknown_while_open(completed: Completion) -> None:
    assert replace(completed, status="failed").performance_score == 0
    assert replace(completed, end_time=None).performance_score is None


def test_without_tokens_promptness_is_all(completed: Completion) -> None:
    assert replace(completed, output_tokens=None, first_chunk_time=None, end_time=BEGIN + 4_000_000).performance_score == 0.5
