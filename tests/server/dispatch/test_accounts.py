"""Accounts: together with others, and of callers who leave."""

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import pytest
from sqlalchemy import select

from server.clock import SystemClock
from server.config.schema import RateLimitSettings
from server.dispatch.account import Account
from server.dispatch.accounts import Accounts
from server.dispatch.attempt import Attempt
from server.dispatch.books import Books
from server.dispatch.watchdog import Watch
from server.errors import GatewayError
from server.ledger.ledger import Ledger
from server.ledger.prices import Prices
from server.ledger.settings import LedgerSettings
from server.limits.limits import Limits
from server.limits.memory import MemoryCounters
from server.storage.database import Database
from server.storage.tables import COMPLETIONS
from tests.server.calls import RecordingContext, call
from tests.server.dispatch.scripted_provider import chat, target
from trunkline.v1.chat_pb2 import Usage
from trunkline.v1.completion_service_pb2 import StreamChatCompletionResponse

CLOCK = SystemClock()
NEVER = LedgerSettings(journal_s=3600.0, journal_rows=10**9)


@pytest.fixture(params=["journalled", "direct"])
async def ledger(request: pytest.FixtureRequest, sqlite_database: Database, tmp_path: Path) -> AsyncIterator[Ledger]:
    made = Ledger(sqlite_database, CLOCK, "me", tmp_path / "spool", NEVER, alone=request.param == "journalled")
    await made.recover()
    yield made
    await made.close()


@pytest.fixture
def limits() -> Limits:
    """Two requests a minute pass."""
    return Limits(RateLimitSettings(requests_per_window=2, burst_limit=0), MemoryCounters(CLOCK), None, CLOCK)


@pytest.fixture
def accounts(limits: Limits, ledger: Ledger) -> Accounts:
    return Accounts(Books(limits, ledger, Prices(), CLOCK))


async def opened(accounts: Accounts) -> Account:
    return await accounts.open(chat(), call(), target(), [], None)


async def ended(account: Account) -> None:
    """Ends an account of an answer of seven tokens."""
    account.consumption.batch(StreamChatCompletionResponse(chunks_json=[b"{}"]), Usage(input_tokens=3, output_tokens=4))
    asked = target()
    attempt = Attempt(asked, chat(), None, CLOCK, Watch(), asked.provider.stream(chat()))
    try:
        await account.complete(attempt)
    finally:
        await attempt.close()


async def rows(database: Database, ledger: Ledger) -> list[tuple[object, ...]]:
    """What the ledger has: state, status, output tokens."""
    await ledger.flush()
    columns = COMPLETIONS.c
    async with database.read() as connection:
        found = await connection.execute(select(columns.state, columns.status, columns.output_tokens))
        return sorted(tuple(row) for row in found)


async def test_who_leaves_while_the_intent_is_written_leaves_no_open_row(database: Database, tmp_path: Path) -> None:
    ledger = Ledger(database, CLOCK, "me", tmp_path / "spool")
    await ledger.recover()
    accounts = Accounts(Books(Limits(None, MemoryCounters(CLOCK), None, CLOCK), ledger, Prices(), CLOCK))
    leaving = asyncio.ensure_future(accounts.open(chat(), call(), target(), [], None))
    await asyncio.sleep(0)
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)
    assert leaving.cancelled()
    await accounts.close()
    await ledger.close()
    columns = COMPLETIONS.c
    async with database.read() as connection:
        found = await connection.execute(select(columns.state, columns.status, columns.cost_micros))
        assert [tuple(row) for row in found] == [("settled", "cancelled", 0)]


async def test_those_who_come_together_are_let_in_one_after_the_other(
    accounts: Accounts, ledger: Ledger, sqlite_database: Database
) -> None:
    outcomes = await asyncio.gather(*(opened(accounts) for _ in range(4)), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [Account, Account, GatewayError, GatewayError]
    await asyncio.gather(*(ended(outcome) for outcome in outcomes if isinstance(outcome, Account)))
    assert await rows(sqlite_database, ledger) == [("settled", "completed", 4)] * 2


async def test_what_the_files_do_not_take_together_is_written_one_by_one(
    accounts: Accounts, limits: Limits, ledger: Ledger, sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "intend_at_once", lambda intents: False)
    monkeypatch.setattr(ledger, "settle_at_once", lambda settlements: False)
    both = await asyncio.gather(opened(accounts), opened(accounts))
    assert await rows(sqlite_database, ledger) == [("open", "", None)] * 2
    await asyncio.gather(*map(ended, both))
    assert await rows(sqlite_database, ledger) == [("settled", "completed", 4)] * 2
    assert limits._under_way == 0


@pytest.mark.parametrize("hindrance", ["", "no room"])
@pytest.mark.parametrize("turns", range(6))
async def test_who_leaves_while_an_account_is_opened_leaves_nothing_open(
    accounts: Accounts,
    limits: Limits,
    ledger: Ledger,
    sqlite_database: Database,
    monkeypatch: pytest.MonkeyPatch,
    turns: int,
    hindrance: str,
) -> None:
    if hindrance:
        monkeypatch.setattr(ledger, "intend_at_once", lambda intents: False)
    opening = [asyncio.ensure_future(opened(accounts)) for _ in range(2)]
    for _ in range(turns):
        await asyncio.sleep(0)
    for each in opening:
        each.cancel()
    for account in await asyncio.gather(*opening, return_exceptions=True):
        if isinstance(account, Account):  # it was there sooner
            account.leave(None)
    await accounts.close()
    assert {state for state, *_ in await rows(sqlite_database, ledger)} <= {"settled"}
    assert limits._under_way == 0


async def test_who_is_refused_is_let_go_of_without_the_garbage_collector(accounts: Accounts) -> None:
    refused = [call(context=RecordingContext()) for _ in range(4)]
    kept = [weakref.ref(each.context) for each in refused]
    gc.disable()
    try:
        opening = [accounts.open(chat(), each, target(), [], None) for each in refused]
        del refused
        outcomes = await asyncio.gather(*opening, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [Account, Account, GatewayError, GatewayError]
        del opening, outcomes[2:]
        await asyncio.sleep(0)
        assert [each() is None for each in kept] == [False, False, True, True]
    finally:
        gc.enable()


async def test_what_goes_wrong_as_one_is_closed_is_its_own_and_holds_nothing(
    accounts: Accounts, limits: Limits, ledger: Ledger, sqlite_database: Database
) -> None:
    wrong, other = await asyncio.gather(opened(accounts), opened(accounts))
    wrong._tried = [cast(Attempt, "none")]
    outcomes = await asyncio.gather(ended(wrong), ended(other), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [AttributeError, type(None)]
    await accounts.close()
    assert await rows(sqlite_database, ledger) == [("open", "", None), ("settled", "completed", 4)]
    assert limits._under_way == 0


@pytest.mark.parametrize("hindrance", ["", "no room", "stale"])
@pytest.mark.parametrize("turns", range(6))
async def test_whoever_leaves_while_an_account_is_closed_it_is_closed(
    accounts: Accounts,
    limits: Limits,
    ledger: Ledger,
    sqlite_database: Database,
    monkeypatch: pytest.MonkeyPatch,
    turns: int,
    hindrance: str,
) -> None:
    account, other = await asyncio.gather(opened(accounts), opened(accounts))
    if hindrance == "no room":
        monkeypatch.setattr(ledger, "settle_at_once", lambda settlement: False)
    elif hindrance == "stale":
        limits._book.forget(["another"])
    ending = [asyncio.ensure_future(ended(each)) for each in (account, other)]
    for _ in range(turns):
        await asyncio.sleep(0)
    for each in ending:
        each.cancel()
    await asyncio.gather(*ending, return_exceptions=True)
    for left in (account, other):
        left.leave(None)
    await accounts.close()
    states = await rows(sqlite_database, ledger)
    assert [state for state, *_ in states] == ["settled"] * 2
    assert limits._under_way == 0
