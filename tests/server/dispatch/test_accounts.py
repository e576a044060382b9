"""Accounts whose callers leave."""

import asyncio
from pathlib import Path

from sqlalchemy import select

from server.clock import SystemClock
from server.dispatch.accounts import Accounts
from server.ledger.ledger import Ledger
from server.ledger.prices import Prices
from server.limits.limits import Limits
from server.limits.memory import MemoryCounters
from server.storage.database import Database
from server.storage.tables import COMPLETIONS
from tests.server.calls import call
from tests.server.dispatch.scripted_provider import chat, target

CLOCK = SystemClock()


async def test_who_leaves_while_the_intent_is_written_leaves_no_open_row(database: Database, tmp_path: Path) -> None:
    ledger = Ledger(database, CLOCK, "me", tmp_path / "spool")
    await ledger.recover()
    accounts = Accounts(Limits(None, MemoryCounters(CLOCK), None, CLOCK), ledger, Prices(), CLOCK)
    leaving = asyncio.ensure_future(accounts.open(chat(), call(), target(), [], None))
    await asyncio.sleep(0)
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)
    assert leaving.cancelled()
    await accounts.close()
    await ledger.close()
    columns = COMPLETIONS.c
    async with database.read() as connection:
        rows = await connection.execute(select(columns.state, columns.status, columns.cost_micros))
        assert [tuple(row) for row in rows] == [("settled", "cancelled", 0)]
