"""Through a journal: what was told outlives the process at once, and is in the database when that is asked for, once."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import cast
from zlib import crc32

import orjson
import pytest
from msgspec.structs import replace as replace_values
from structlog.testing import capture_logs

from server.errors import GatewayError
from server.ledger.entry import Tried
from server.ledger.journalled import Journalled
from server.ledger.ledger import Ledger
from server.ledger.record import INTENT_COLUMNS, SETTLEMENT_COLUMNS, Row, intent_row, settlement_row
from server.ledger.rows import Rows, Wanted
from server.ledger.settings import LedgerSettings
from server.ledger.writer import RowError
from server.storage.database import Database
from tests.server.ledger.entries import TurnedClock, contents, intent, settlement

NEVER_S = 3600.0
Open = Callable[..., AbstractAsyncContextManager[Ledger]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where files are."""
    return tmp_path / "spool"


@pytest.fixture
def sizes() -> "asyncio.Queue[int]":
    """How many rows each transaction had."""
    return asyncio.Queue()


@pytest.fixture
def opened(sqlite_database: Database, folder: Path, sizes: "asyncio.Queue[int]") -> Open:
    """Opens a ledger, whose rows go to the database when that is asked for and not by themselves."""

    @asynccontextmanager
    async def open_ledger(**settings: int | float) -> AsyncIterator[Ledger]:
        chosen = LedgerSettings(**{"journal_s": NEVER_S, "journal_rows": 10**9, **settings})  # type: ignore[arg-type]
        made = Ledger(*(sqlite_database, TurnedClock(), "me", folder, chosen), on_commit=sizes.put_nowait, alone=True)
        await made.recover()
        yield made
        await made.close()

    return open_ledger


async def states(database: Database) -> dict[str, str]:
    """The states of all completions."""
    page = await Rows(database).list(Wanted(), 100_000)
    return {row.id: row.state for row in page.completions}


def files(folder: Path) -> list[Path]:
    """The files in a folder, in order."""
    return sorted(folder.iterdir())


def make_file(path: Path, data: bytes) -> None:
    """Makes a file, and its folder."""
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)


async def test_rows_are_there_when_they_are_asked_for(opened: Open, sqlite_database: Database) -> None:
    async with opened() as ledger:
        for id in ("a", "b"):
            await ledger.intent(intent(id))
        await ledger.settle(settlement("a"))
        assert await states(sqlite_database) == {}
        await ledger.flush()
        assert await states(sqlite_database) == {"a": "settled", "b": "open"}


async def test_readers_ask(opened: Open, sqlite_database: Database) -> None:
    async with opened() as ledger:
        rows = Rows(sqlite_database, ledger.flush)
        await ledger.intent(intent("a"))
        found = await rows.find("a")
        assert found is not None
        assert found.state == "open"
        await ledger.settle(settlement("a"))
        assert [row.state for row in (await rows.list(Wanted(), 9)).completions] == ["settled"]


async def test_a_completion_that_was_over_meanwhile_is_one_row_of_one_transaction(
    opened: Open, sizes: "asyncio.Queue[int]"
) -> None:
    async with opened() as ledger:
        for number in range(100):
            await ledger.intent(intent(str(number)))
            await ledger.settle(settlement(str(number)))
        await ledger.flush()
    assert [sizes.get_nowait(), sizes.empty()] == [100, True]


@pytest.mark.parametrize("settings", [{"journal_rows": 4}, {"journal_s": 0.001}], ids=["many", "old"])
async def test_rows_go_by_themselves_when_they_are(
    opened: Open, sizes: "asyncio.Queue[int]", settings: dict[str, float]
) -> None:
    async with opened(**settings) as ledger:
        for _ in range(2):
            for id in ("a", "b", "c", "d"):
                await ledger.intent(intent(id))
            assert await asyncio.wait_for(sizes.get(), 20) == 4


async def test_flushing_nothing_is_no_transaction(opened: Open, sizes: "asyncio.Queue[int]") -> None:
    async with opened() as ledger:
        await ledger.flush()
        await ledger.intent(intent("a"))
        await asyncio.gather(*(ledger.flush() for _ in range(9)))
        await ledger.flush()
    assert [sizes.get_nowait(), sizes.empty()] == [1, True]


async def test_closing_writes_what_waits_and_leaves_no_file(opened: Open, sqlite_database: Database, folder: Path) -> None:
    async with opened() as ledger:
        await ledger.intent(intent("a"))
        await ledger.settle(settlement("a"))
        await ledger.intent(intent("b"))
    assert await states(sqlite_database) == {"a": "settled", "b": "open"}
    assert files(folder) == []
    with pytest.raises(GatewayError):
        await ledger.intent(intent("c"))


async def test_the_files_do_not_grow_while_rows_come_all_the_time(
    opened: Open, sqlite_database: Database, folder: Path
) -> None:
    largest = 0
    async with opened(journal_rows=50) as ledger:

        async def complete(lane: int) -> None:
            nonlocal largest
            for number in range(200):
                await ledger.intent(intent(f"{lane}-{number}"))
                await asyncio.sleep(0)
                await ledger.settle(settlement(f"{lane}-{number}"))
                if number % 20 == 0:
                    await ledger.flush()
                    largest = max(largest, *(file.stat().st_size for file in files(folder)))

        await asyncio.gather(*(complete(lane) for lane in range(8)))
    assert largest <= 1 << 20  # the first room that they take
    assert set((await states(sqlite_database)).values()) == {"settled"}
    assert len(await states(sqlite_database)) == 1600


async def test_more_than_memory_may_have_arrives_from_the_file(opened: Open, sqlite_database: Database) -> None:
    async with opened(journal_bytes=2000) as ledger:
        for number in range(1000):
            await ledger.intent(intent(str(number)))
            if number % 100:
                await ledger.settle(settlement(str(number)))
        await ledger.flush()
        for number in range(0, 1000, 100):
            await ledger.settle(settlement(str(number)))
    assert list((await states(sqlite_database)).values()) == ["settled"] * 1000


async def test_what_a_dead_worker_told_is_brought_in_before_its_rest_is_interrupted(
    opened: Open, sqlite_database: Database, folder: Path, tmp_path: Path
) -> None:
    async with opened() as ledger:
        await ledger.intent(intent("committed"))
        await ledger.flush()
        await ledger.settle(settlement("committed"))
        await ledger.intent(intent("over"))
        await ledger.settle(settlement("over"))
        await ledger.intent(intent("open"))
        left = shutil.copytree(folder, tmp_path / "left")
        assert await states(sqlite_database) == {"committed": "open"}
        next_one = Ledger(sqlite_database, TurnedClock(), "next", left, LedgerSettings(lease_s=-1), alone=True)
        assert [await next_one.recover(), await next_one.recover()] == [1, None]
        await next_one.close()
        assert await states(sqlite_database) == {"committed": "settled", "over": "settled", "open": "interrupted"}


@pytest.mark.parametrize("limit", [1, 700], ids=["nothing", "little"])
async def test_what_the_files_do_not_take_goes_to_the_database(opened: Open, sqlite_database: Database, limit: int) -> None:
    async with opened(max_spool_bytes=limit) as ledger:
        for number in range(10):
            await ledger.intent(intent(str(number)))
        assert len(await states(sqlite_database)) > 5
        for number in range(10):
            await ledger.settle(settlement(str(number)))
        await ledger.settle(settlement("0", cost_micros=1))
    assert list((await states(sqlite_database)).values()) == ["settled"] * 10
    rows = (await Rows(sqlite_database).list(Wanted(), 100)).completions
    assert [row.cost_micros for row in rows] == [1234] * 10


async def test_what_goes_to_the_database_is_there_after_a_flush(opened: Open, sqlite_database: Database) -> None:
    async with opened(max_spool_bytes=1) as ledger:
        telling = asyncio.create_task(ledger.intent(intent("a")))
        await asyncio.sleep(0)  # it tells the ledger
        await ledger.flush()
        assert telling.done()
        assert await states(sqlite_database) == {"a": "open"}


async def test_that_the_files_are_full_is_said_once(opened: Open) -> None:
    with capture_logs() as lines:
        async with opened(max_spool_bytes=700) as ledger:
            for number in range(10):
                await ledger.intent(intent(str(number)))
                await ledger.settle(settlement("0"))  # for which there is room for a while
            assert [line["event"] for line in lines] == ["journal_failed"]
            await ledger.flush()
            await ledger.intent(intent("more"))
            assert [line["event"] for line in lines] == ["journal_failed", "journal_mended"]


async def test_callers_that_leave_are_forgotten(opened: Open, sqlite_database: Database) -> None:
    async with opened(max_spool_bytes=1) as ledger:
        await ledger.intent(intent("a"))
        settling = asyncio.ensure_future(ledger.settle(settlement("a")))
        await asyncio.sleep(0)
        settling.cancel()
        await asyncio.wait((settling,))
        assert cast(Journalled, ledger._way)._directly == set()
    assert await states(sqlite_database) == {"a": "settled"}


async def test_a_row_that_no_database_takes_fails_alone(opened: Open, sqlite_database: Database) -> None:
    async with opened() as ledger:
        told = [ledger.intent(intent("a")), ledger.intent(intent("b", begin_time=1 << 70)), ledger.intent(intent("c"))]
        results = await asyncio.gather(*told, return_exceptions=True)
        assert [type(result) for result in results] == [type(None), RowError, type(None)]
    assert await states(sqlite_database) == {"a": "open", "c": "open"}


async def test_a_folder_that_cannot_be_made_is_no_reason_to_refuse(
    opened: Open, sqlite_database: Database, folder: Path
) -> None:
    make_file(folder, b"")
    async with opened() as ledger:
        await ledger.intent(intent("a"))
        assert await states(sqlite_database) == {"a": "open"}


def named_line(kind: str, names: tuple[str, ...], row: Row) -> bytes:
    """A line as the first version wrote it."""
    return old_line([kind, dict(zip(names, row, strict=True))])


def numbered_line(kind: str, _: tuple[str, ...], row: Row) -> bytes:
    """A line as the second version wrote it."""
    return old_line([f"{kind}1", row])


def old_line(values: list[object]) -> bytes:
    """A line of JSON with its checksum."""
    text = orjson.dumps(values)
    return b"%08x %b\n" % (crc32(text), text)


@pytest.mark.parametrize("line", [named_line, numbered_line], ids=["the first", "the second"])
async def test_a_file_of_a_version_before_is_read(
    opened: Open, sqlite_database: Database, folder: Path, line: Callable[[str, tuple[str, ...], Row], bytes]
) -> None:
    begun = [intent_row(intent(id, worker="dead")) for id in ("a", "b", "c")]
    ended = [settlement_row(settlement(id, answer_body="{}")) for id in ("a", "b")]
    lines = [
        line("intent", INTENT_COLUMNS, begun[0]),
        line("settlement", (*SETTLEMENT_COLUMNS, "id"), ended[0]),
        line("whole", (*INTENT_COLUMNS, *SETTLEMENT_COLUMNS), begun[1] + ended[1][:-1]),
        line("intent", INTENT_COLUMNS, begun[2]),
    ]
    make_file(folder / "dead.spool", b"".join(lines))
    async with opened() as ledger:
        assert await states(sqlite_database) == {"a": "settled", "b": "settled", "c": "open"}
        rows = (await Rows(sqlite_database).list(Wanted(), 100)).completions
        assert {row.id: row.cost_micros for row in rows} == {"a": 1234, "b": 1234, "c": None}
        read = {row.id: row for row in rows}
        for id in ("d", "e"):
            await ledger.intent(intent(id, worker="dead"))
        await ledger.settle(settlement("d", answer_body="{}"))
        await ledger.flush()
        for row in (await Rows(sqlite_database).list(Wanted(), 100)).completions:
            alike = {"d": "a", "e": "c"}.get(row.id)
            assert alike is None or replace(row, id=alike, request_id=f"req_{alike}") == read[alike]
    assert files(folder) == []


async def test_what_json_has_not_is_replaced_and_costs_no_completion(
    opened: Open, sqlite_database: Database, folder: Path, tmp_path: Path
) -> None:
    odd: dict[str, object] = {"temperature": float("inf"), "seed": 1 << 70, "max_tokens": object}
    begun = replace_values(intent("a", origin="\0\ud800é"), parameters=odd)
    tried = [Tried("openai", "\udfff", "", 200, 1.0)]
    async with opened() as ledger:
        assert ledger.intend_at_once([begun])
        left = shutil.copytree(folder, tmp_path / "left")
        assert ledger.settle_at_once([replace_values(settlement("a"), attempts=tried, finish_reason="\ud800")])
        next_one = Ledger(sqlite_database, TurnedClock(), "next", left, alone=True)
        await next_one.recover()
        await next_one.close()
        await ledger.flush()
    row = await Rows(sqlite_database).find("a")
    assert row is not None
    assert (row.state, row.origin, row.parameters, row.finish_reason) == ("settled", "\ufffd?é", {}, "?")
    assert row.attempts == (Tried("openai", "?", "", 200, 1.0),)


async def test_an_entry_that_can_be_no_line_goes_to_the_database(opened: Open, sqlite_database: Database) -> None:
    class Silent:
        def __str__(self) -> str:
            raise ValueError

    async with opened() as ledger:
        begun = replace_values(intent("a"), parameters={"seed": Silent()})
        assert not ledger.intend_at_once([begun])
        await ledger.intent(begun)
        assert await states(sqlite_database) == {"a": "open"}
        assert not ledger.settle_at_once([settlement("a")])
        await ledger.settle(settlement("a"))
        assert await states(sqlite_database) == {"a": "settled"}


async def test_what_is_taken_at_once_is_as_safe_as_what_was_waited_for(
    opened: Open, sqlite_database: Database, folder: Path, tmp_path: Path
) -> None:
    async with opened(max_body_bytes=4) as ledger:
        assert ledger.intend_at_once([intent("a", request_body="question")])
        assert ledger.intend_at_once([intent("b")])
        assert ledger.settle_at_once([settlement("a", answer_body="answer")])
        left = shutil.copytree(folder, tmp_path / "left")
        assert [b"question" in contents(file) or b"answer" in contents(file) for file in files(left)] == [False, False]
        next_one = Ledger(sqlite_database, TurnedClock(), "next", left, alone=True)
        await next_one.recover()
        await next_one.close()
        assert await states(sqlite_database) == {"a": "settled", "b": "open"}
    row = await Rows(sqlite_database).find("a")
    assert row is not None
    assert (row.request_body, row.answer_body) == ("ques", "answ")
    assert not ledger.intend_at_once([intent("c")])
    assert not ledger.settle_at_once([settlement("b")])


async def test_what_the_files_do_not_take_is_not_taken_at_once(opened: Open, sqlite_database: Database) -> None:
    async with opened(max_spool_bytes=1) as ledger:
        assert not ledger.intend_at_once([intent("a")])
        await ledger.intent(intent("a"))
        assert not ledger.settle_at_once([settlement("a")])
        await ledger.settle(settlement("a"))
        assert await states(sqlite_database) == {"a": "settled"}
