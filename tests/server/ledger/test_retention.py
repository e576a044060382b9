"""The ledger forgets the oldest, never what is open."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.ledger.ledger import Ledger
from server.ledger.retention import Forgotten, Retention, RetentionSettings
from server.ledger.rows import Rows, Wanted
from server.storage.database import Database
from tests.server.ledger.entries import BEGIN, TurnedClock, intent, settlement

DAY = 86_400_000_000
NOW = TurnedClock(BEGIN / 1e6)


@pytest.fixture(autouse=True)
async def kept(database: Database, tmp_path: Path) -> AsyncIterator[None]:
    """Ten completions, one a day, the newest of today; that of five days ago is open."""
    ledger = Ledger(database, NOW, "me", tmp_path / "spool")
    await ledger.recover()
    for days in range(10):
        await ledger.intent(intent(str(days), BEGIN - days * DAY, request_body="x" * 20_000))
        if days != 5:
            await ledger.settle(settlement(str(days), answer_body="y"))
    yield
    await ledger.close()


async def ids(database: Database) -> str:
    page = await Rows(database).list(Wanted(), 100)
    return "".join(row.id for row in page.completions)


async def test_what_is_too_old_goes(database: Database) -> None:
    retention = Retention(database, NOW, RetentionSettings(days=2.5, batch=2))
    assert await retention.sweep() == Forgotten(6, 0)
    assert await ids(database) == "0125"


async def test_bodies_go_before(database: Database) -> None:
    retention = Retention(database, NOW, RetentionSettings(body_days=2.5, batch=2))
    assert [await retention.sweep(), await retention.sweep()] == [Forgotten(0, 6), Forgotten(0, 0)]
    found = [await Rows(database).find(id) for id in "0359"]
    assert [row is not None and row.request_body is not None for row in found] == [True, False, True, False]


async def test_the_oldest_go_where_there_are_too_many(database: Database) -> None:
    retention = Retention(database, NOW, RetentionSettings(max_bytes=1, batch=3))
    assert (await retention.sweep()).completions == 9
    assert await ids(database) == "5"


async def test_what_fits_stays(database: Database) -> None:
    settings = RetentionSettings(days=100, body_days=100, max_bytes=1 << 30)
    assert await Retention(database, NOW, settings).sweep() == Forgotten(0, 0)
    assert await ids(database) == "0123456789"
