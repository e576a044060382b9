"""What is read from the ledger: pages, and what follows from times and tokens."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from msgspec import structs
from sqlalchemy import func, select

from server.ledger.entry import Status
from server.ledger.ledger import Ledger
from server.ledger.row import Completion
from server.ledger.rows import Rows, Wanted
from server.ledger.used import MOST_TOKENS, USED_TOKENS, count_tokens
from server.services.completion_messages import record_message
from server.storage.database import Database
from tests.server.ledger.entries import BEGIN, TurnedClock, intent, settlement
from trunkline.v1.chat_pb2 import Usage


@pytest.fixture
async def rows(database: Database, tmp_path: Path) -> AsyncIterator[Rows]:
    """Settled: a, b (failed, of another tenant, its cost not known), c (another model). Open: d, the last; before them
    e, whose key is one of the configuration."""
    ledger = Ledger(database, TurnedClock(), "me", tmp_path / "spool")
    await ledger.recover()
    await ledger.intent(intent("e", BEGIN - 1, tenant_id="", user_id=""))
    await ledger.intent(intent("a", request_body='{"messages": []}'))
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
        (Wanted(), "dcbae"),
        (Wanted(begin=BEGIN + 1), "d"),
        (Wanted(end=BEGIN + 1), "cbae"),
        (Wanted(tenant_id="other"), "b"),
        (Wanted(user_id="ann", model="small"), "c"),
        (Wanted(key_id="k2"), "b"),
        (Wanted(request_id="req_a"), "a"),
        (Wanted(provider="openai", status="completed"), "ca"),
        (Wanted(status=""), "de"),
        (Wanted(operation="images"), ""),
        (Wanted(configured=True), "e"),
        (Wanted(key_id="key", configured=False), "dca"),
        (Wanted(key_id="key", configured=True), "e"),
    ],
)
async def test_a_list_has_what_is_wanted_the_newest_first(rows: Rows, wanted: Wanted, expected: str) -> None:
    assert "".join(row.id for row in (await rows.list(wanted, 10)).completions) == expected


async def test_pages_follow_each_other_without_gap_or_repetition(rows: Rows) -> None:
    first = await rows.list(Wanted(), 2)
    second = await rows.list(Wanted(), 2, first.next)
    last = await rows.list(Wanted(), 2, second.next)
    assert ["".join(row.id for row in page.completions) for page in (first, second, last)] == ["dc", "ba", "e"]
    assert last.next is None


async def test_a_tenant_does_not_find_anothers(rows: Rows) -> None:
    assert await rows.find("b", "acme") is None
    assert await rows.find("b", "other") is not None


async def test_bodies_are_read_where_they_are_wanted(rows: Rows) -> None:
    found = [await rows.find("a", bodies=bodies) for bodies in (True, False)]
    assert [row is not None and row.request_body for row in found] == ['{"messages": []}', None]


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


async def test_counts_that_cannot_be_are_cut_so_that_rows_can_be_told_and_summed(database: Database, tmp_path: Path) -> None:
    ledger = Ledger(database, TurnedClock(), "me", tmp_path / "spool")
    await ledger.recover()
    for id, tokens in ("a", 2**63 - 1), ("b", 2**63 - 1), ("c", -5):
        await ledger.intent(intent(id))
        used = Usage(input_tokens=tokens, output_tokens=tokens)
        await ledger.settle(structs.replace(settlement(id), tokens=count_tokens(used)))
    found = await Rows(database).list(Wanted(), 10)
    await ledger.close()
    assert [record_message(row).total_tokens for row in found.completions] == [0, 2 * MOST_TOKENS, 2 * MOST_TOKENS]
    async with database.read() as connection:
        assert (await connection.execute(select(func.sum(USED_TOKENS)))).scalar_one() == 4 * MOST_TOKENS
