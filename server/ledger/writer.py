"""Writes batches: makes their rows, and writes them in one transaction each.

SQLite in a file gets a connection and a thread of its own, which do a whole transaction in one go: a hundred microseconds,
where five steps through the shared connection take five hundred. Everything else goes through `Database`.
"""

import asyncio
import os
import sqlite3
from collections.abc import Callable, Sequence
from itertools import chain
from queue import SimpleQueue
from threading import Thread
from typing import Protocol, TypeVar

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError

from server.ledger.record import (
    INTENT_COLUMNS,
    SETTLEMENT_COLUMNS,
    Batch,
    Row,
    Statements,
    intent_row,
    settlement_row,
    statements,
    whole_row,
)
from server.storage.database import Database
from server.storage.errors import StorageError

_Entry = TypeVar("_Entry")

_OF_DATA = (
    *(sqlite3.IntegrityError, sqlite3.DataError, sqlite3.InterfaceError),
    *(OverflowError, TypeError, ValueError),  # an entry can be no row, or the row has what SQLite has not
)
_MANY = 100
"""So many rows are inserted at once, or as many as SQLite takes the values of. More would keep other threads waiting."""


class RowError(Exception):
    """A row that the database will never take is in the batch; nothing of it was written."""


class Writer(Protocol):
    """Writes batches, in the order in which they come."""

    def submit(self, batch: Batch) -> "asyncio.Future[None]":
        """Begins to write; done once it is committed.

        Raises:
            RowError: see there.
            StorageError: the database failed or took too long; whether the rows are there is unknown.
        """

    async def close(self) -> None:
        """Ends once everything that was submitted is written or has failed."""


async def open_writer(database: Database, timeout_s: float) -> Writer:
    """The writer for a database.

    Args:
        database: where to.
        timeout_s: how long a transaction may take.

    Raises:
        StorageError: the database cannot be read.
    """
    if database.dialect == "sqlite":
        async with database.read() as connection:
            names = (await connection.exec_driver_sql("PRAGMA database_list")).mappings().all()
        file = next((str(row["file"]) for row in names if row["name"] == "main"), "")
        if file:
            return FileWriter(file, timeout_s)
    return SharedWriter(database, timeout_s)


class SharedWriter:
    """Writes through the database's own connections.

    Args:
        database: where to.
        timeout_s: how long a transaction may take.
    """

    def __init__(self, database: Database, timeout_s: float) -> None:
        self._database = database
        self._timeout_s = timeout_s
        self._statements = statements(database.dialect)
        self._turn = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    def submit(self, batch: Batch) -> "asyncio.Future[None]":
        """See `Writer`."""
        task = asyncio.create_task(self._write(batch))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def close(self) -> None:
        """See `Writer`."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _write(self, batch: Batch) -> None:
        parts = _parts(self._statements, batch)
        try:
            async with self._turn, self._database.begin(self._timeout_s) as connection:
                for statement, rows in parts:
                    await connection.exec_driver_sql(statement, rows)
        except IntegrityError as error:
            raise RowError(str(error.orig)) from error
        except StorageError as error:
            if isinstance(error.__cause__, DBAPIError) and _is_of_data(error.__cause__):
                raise RowError(str(error)) from error
            raise


class FileWriter:
    """Writes to SQLite's file in a thread, over a connection that nobody else has.

    What is written to a file that was deleted or replaced is lost, and SQLite does not say so: it is looked for each time.

    Args:
        file: the database, which others have open.
        timeout_s: how long to wait for another's lock.
    """

    def __init__(self, file: str, timeout_s: float) -> None:
        self._file = file
        self._timeout_s = timeout_s
        self._identity = _identity(file)
        self._one = statements("sqlite")
        self._many: Statements
        self._rows: int
        """How many rows `_many` inserts; known once there is a connection."""
        self._connection: sqlite3.Connection | None = None
        self._jobs: SimpleQueue[tuple[Batch | str, asyncio.Future[None]] | None] = SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._over = self._loop.create_future()
        Thread(target=self._work, name="ledger", daemon=True).start()

    def submit(self, batch: Batch) -> "asyncio.Future[None]":
        """See `Writer`."""
        return self._put(batch)

    async def tell(self, statement: str) -> None:
        """Runs a statement that is about the connection: a PRAGMA.

        Raises:
            StorageError: it failed.
        """
        await self._put(statement)

    async def close(self) -> None:
        """See `Writer`."""
        self._jobs.put(None)
        await self._over

    def _put(self, work: Batch | str) -> "asyncio.Future[None]":
        done = self._loop.create_future()
        if self._over.done():
            done.set_exception(StorageError("the writer is closed"))
        else:
            self._jobs.put((work, done))
        return done

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            work, done = job
            error: Exception | None = None
            try:
                if isinstance(work, Batch):
                    self._write(work)
                else:
                    (self._connection or self._connect()).execute(work).fetchall()
            except _OF_DATA as fault:
                error = RowError(str(fault))
            except (sqlite3.Error, OSError) as fault:
                error = StorageError(f"{self._file}: {fault}")
            except Exception as fault:
                error = fault
            if not self._tell(done, error):
                break
        if self._connection is not None:
            self._connection.close()
        self._tell(self._over, None)

    def _write(self, batch: Batch) -> None:
        if _identity(self._file) != self._identity:
            raise OSError("another file is in the place of the one that was opened")
        connection = self._connection or self._connect()
        connection.execute("BEGIN IMMEDIATE")
        try:
            self._insert(connection, self._many.intent, self._one.intent, intent_row, batch.intents)
            self._insert(connection, self._many.whole, self._one.whole, whole_row, batch.wholes)
            connection.executemany(self._one.settlement, map(settlement_row, batch.settlements))
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:  # some faults end the transaction by themselves
                connection.execute("ROLLBACK")
            raise

    def _insert(
        self,
        connection: sqlite3.Connection,
        many: str,
        one: str,
        row: Callable[[_Entry], Row],
        entries: Sequence[_Entry],
    ) -> None:
        """Inserts so many rows at once as it may: between statements a thread waits for its turn among the threads.

        They are made no sooner, so that other threads need not wait for long.
        """
        left = len(entries) % self._rows
        for at in range(0, len(entries) - left, self._rows):
            connection.execute(many, tuple(chain.from_iterable(map(row, entries[at : at + self._rows]))))
        connection.executemany(one, map(row, entries[len(entries) - left :]))

    def _connect(self) -> sqlite3.Connection:
        # Not made anew where it is gone: its tables would be gone too.
        uri = f"file:{_quoted(self._file)}?mode=rw"
        connection = sqlite3.connect(uri, self._timeout_s, isolation_level=None, uri=True, check_same_thread=False)
        connection.execute("PRAGMA synchronous=NORMAL")
        values = connection.getlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER)
        self._rows = min(_MANY, max(1, values // len((*INTENT_COLUMNS, *SETTLEMENT_COLUMNS))))
        self._many = statements("sqlite", self._rows)
        self._connection = connection
        return connection

    def _tell(self, done: "asyncio.Future[None]", error: Exception | None) -> bool:
        tell: Callable[..., None] = _settle
        try:
            self._loop.call_soon_threadsafe(tell, done, error)
        except RuntimeError:  # the loop is closed: nobody is left to be told
            return False
        return True


def _identity(file: str) -> tuple[int, int]:
    """What tells a file from another one that has its name later.

    Raises:
        OSError: there is none.
    """
    status = os.stat(file)
    return status.st_dev, status.st_ino


def _settle(done: "asyncio.Future[None]", error: Exception | None) -> None:
    if done.done():
        return
    if error is None:
        done.set_result(None)
    else:
        done.set_exception(error)


def _is_of_data(error: DBAPIError) -> bool:
    """Whether a row is at fault, and no other try will help; SQLSTATE's class 22."""
    return isinstance(error, DataError) or str(getattr(error.orig, "sqlstate", "")).startswith("22")


def _parts(prepared: Statements, batch: Batch) -> list[tuple[str, list[Row]]]:
    """What is executed.

    Raises:
        RowError: an entry can be no row.
    """
    try:
        parts = [
            (prepared.intent, [intent_row(intent) for intent in batch.intents]),
            (prepared.whole, [whole_row(whole) for whole in batch.wholes]),
            (prepared.settlement, [settlement_row(settlement) for settlement in batch.settlements]),
        ]
    except (TypeError, ValueError) as error:
        raise RowError(str(error)) from error
    return [part for part in parts if part[1]]


def _quoted(file: str) -> str:
    return file.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
