"""What was told to the ledger is in the database when it returns, with as few transactions as that takes."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.errors import GatewayError
from server.ledger.entry import Status, Tried
from server.ledger.ledger import Ledger
from server.ledger.row import Completion
from server.ledger.rows import Rows
from server.ledger.settings import LedgerSettings
from server.ledger.writer import RowError
from server.storage.database import Database
from tests.server.ledger.entries import BEGIN, TurnedClock, intent, settlement

SETTINGS = LedgerSettings(max_body_bytes=40, max_waiting=20)


@pytest.fixture
def sizes() -> list[int]:
    """How many rows each transaction had."""
    return []


@pytest.fixture
async def ledger(database: Database, tmp_path: Path, sizes: list[int]) -> AsyncIterator[Ledger]:
    def redact(text: str) -> str:
        return text.replace("secret", "***")

    made = Ledger(database, TurnedClock(), "me", tmp_path / "spool", SETTINGS, redact, on_commit=sizes.append)
    await made.recover()
    yield made
    await made.close()


async def find(database: Database, id: str) -> Completion:
    found = await Rows(database).find(id)
    assert found is not None
    return found


async def test_an_intent_is_there_when_it_returns(ledger: Ledger, database: Database) -> None:
    await ledger.intent(intent("a"))
    row = await find(database, "a")
    assert (row.state, row.status, row.worker, row.exact) == ("open", "", "me", True)
    assert (row.request_id, row.tenant_id, row.user_id, row.key_id) == ("req_a", "acme", "ann", "key")
    assert (row.operation, row.model, row.streamed, row.origin, row.message_count) == (
        *("chat", "gpt-4o", True, "127.0.0.1"),
        5,
    )
    assert row.parameters == {"temperature": 0.7, "max_tokens": 100}
    assert (row.begin_time, row.reserved_tokens, row.reserved_micros) == (BEGIN, 1000, 2000)
    assert (row.attempts, row.end_time, row.total_tokens, row.cost_micros) == ((), None, None, None)


async def test_a_settlement_is_there_when_it_returns(ledger: Ledger, database: Database) -> None:
    await ledger.intent(intent("a"))
    await ledger.settle(settlement("a"))
    row = await find(database, "a")
    assert (row.state, row.status, row.cost_micros, row.exact) == ("settled", "completed", 1234, True)
    assert (row.provider, row.provider_model, row.finish_reason) == ("openai", "gpt-4o-2024", "stop")
    assert row.attempts == (Tried("other", "gpt-4o", "overloaded", 503, 0.1), Tried("openai", "gpt-4o-2024", "", 200, 1.9))
    assert (row.input_tokens, row.cached_tokens, row.cache_write_tokens) == (75, 5, 3)
    assert (row.output_tokens, row.reasoning_tokens) == (75, 7)


async def test_what_was_settled_first_stays(ledger: Ledger, database: Database) -> None:
    await ledger.intent(intent("a"))
    await ledger.settle(settlement("a"))
    await ledger.settle(settlement("a", Status.FAILED, 1))
    assert (await find(database, "a")).cost_micros == 1234


async def test_an_intent_told_twice_is_one_row_that_stays_settled(ledger: Ledger, database: Database) -> None:
    await ledger.intent(intent("a"))
    await ledger.settle(settlement("a"))
    await ledger.intent(intent("a"))
    assert (await find(database, "a")).state == "settled"


async def test_what_comes_together_is_one_transaction(ledger: Ledger, sizes: list[int]) -> None:
    await asyncio.gather(*(ledger.intent(intent(str(number))) for number in range(16)))
    await asyncio.gather(*(ledger.settle(settlement(str(number))) for number in range(16)))
    assert sizes == [16, 16]


async def test_what_comes_during_a_transaction_is_the_next_one(ledger: Ledger, sizes: list[int]) -> None:
    first = asyncio.create_task(ledger.intent(intent("first")))
    await asyncio.sleep(0)  # it tells the ledger
    await asyncio.sleep(0)  # which begins
    await asyncio.gather(*(ledger.intent(intent(str(number))) for number in range(16)), first)
    assert sizes == [1, 16]


async def test_what_was_told_before_a_flush_is_there_when_it_returns(ledger: Ledger, database: Database) -> None:
    told = [asyncio.create_task(ledger.intent(intent("first")))]
    await asyncio.sleep(0)  # it tells the ledger
    await ledger.flush()
    assert (await find(database, "first")).state == "open"
    told.append(asyncio.create_task(ledger.intent(intent("second"))))
    await asyncio.sleep(0)
    await asyncio.sleep(0)  # which writes now
    await ledger.flush()
    assert (await find(database, "second")).state == "open"
    told.append(asyncio.create_task(ledger.intent(intent("third"))))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    told.append(asyncio.create_task(ledger.settle(settlement("first"))))
    await asyncio.sleep(0)  # this is the next transaction's
    await ledger.flush()
    assert [(await find(database, id)).state for id in ("third", "first")] == ["open", "settled"]
    await asyncio.gather(*told)


async def test_a_flush_that_is_left_leaves_the_rest_alone(ledger: Ledger, database: Database) -> None:
    telling = asyncio.create_task(ledger.intent(intent("a")))
    await asyncio.sleep(0)
    flushes = [asyncio.create_task(ledger.flush()) for _ in range(2)]
    await asyncio.sleep(0)
    flushes[0].cancel()
    await flushes[1]
    await telling
    assert (await find(database, "a")).state == "open"


async def test_a_caller_that_leaves_loses_no_row(ledger: Ledger, database: Database) -> None:
    task = asyncio.create_task(ledger.intent(intent("a")))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await ledger.intent(intent("b"))
    assert (await find(database, "a")).state == "open"


async def test_an_intent_and_its_settlement_in_one_transaction_are_one_row(
    ledger: Ledger, database: Database, sizes: list[int]
) -> None:
    tasks = [asyncio.create_task(ledger.intent(intent("a"))), asyncio.create_task(ledger.settle(settlement("a")))]
    await asyncio.gather(*tasks)
    assert sizes == [1]
    row = await find(database, "a")
    assert (row.state, row.model, row.cost_micros) == ("settled", "gpt-4o", 1234)


async def test_more_than_may_wait_wait_for_room(ledger: Ledger, database: Database, sizes: list[int]) -> None:
    await asyncio.gather(*(ledger.intent(intent(str(number))) for number in range(100)))
    assert max(sizes) <= SETTINGS.max_waiting
    assert sum(sizes) == 100


async def test_a_row_that_no_database_takes_fails_alone(ledger: Ledger, database: Database) -> None:
    told = [ledger.intent(intent("a")), ledger.intent(intent("b", begin_time=1 << 70)), ledger.intent(intent("c"))]
    results = await asyncio.gather(*told, return_exceptions=True)
    assert [type(result) for result in results] == [type(None), RowError, type(None)]
    assert not ledger.troubled
    assert (await find(database, "c")).state == "open"


async def test_texts_are_made_to_fit(ledger: Ledger, database: Database) -> None:
    await ledger.intent(intent("a", model="m" * 300, origin="\0\ud800é"))
    row = await find(database, "a")
    assert (row.model, row.origin) == ("m" * 200, "\ufffd?é")


async def test_bodies_are_redacted_and_cut(ledger: Ledger, database: Database) -> None:
    await ledger.intent(intent("a", request_body='{"key": "secret"}'))
    await ledger.settle(settlement("a", answer_body="é" * 1000))
    row = await find(database, "a")
    assert (row.request_body, row.answer_body) == ('{"key": "***"}', "é" * 20)


async def test_a_closed_ledger_refuses(ledger: Ledger) -> None:
    await ledger.close()
    with pytest.raises(GatewayError):
        await ledger.intent(intent("a"))


async def test_closing_writes_what_waits(ledger: Ledger, database: Database) -> None:
    task = asyncio.create_task(ledger.intent(intent("a")))
    await asyncio.sleep(0)
    await ledger.close()
    await task
    assert (await find(database, "a")).state == "open"


async def test_a_database_in_memory_will_do(tmp_path: Path) -> None:
    memory = await Database.open("sqlite://", None)
    made = Ledger(memory, TurnedClock(), "me", tmp_path / "spool")
    await made.recover()
    await made.intent(intent("a"))
    await made.settle(settlement("a"))
    assert (await find(memory, "a")).state == "settled"
    await made.close()
    await memory.close()
