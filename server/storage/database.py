"""The database: SQLite or PostgreSQL, used in one way."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, nullcontext
from importlib import import_module
from pathlib import Path
from typing import Self, cast

import structlog
from sqlalchemy import ColumnElement, Insert, Table, text
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from server.storage.address import Address, Dialect, find_address
from server.storage.bounds import Bounds
from server.storage.connection import AsyncConnection, AsyncEngine
from server.storage.data_version import DataVersion, Version
from server.storage.errors import StorageError
from server.storage.neighbours import Neighbours, find_neighbours_at_file, find_neighbours_on_server
from server.storage.revision import Migrated
from server.storage.schema import MIGRATIONS, migrate
from server.storage.sqlite import open_sqlite

_InsertInto = Callable[[Table], sqlite.Insert]
"""PostgreSQL's insert has the same methods as SQLite's."""

_POSTGRESQL = "server.storage.postgresql"
_FOR_WRITING = ("foreign_keys=ON", "synchronous=NORMAL")
_FOR_READING = ("query_only=ON",)
_FOR_TABLES = ("foreign_keys=OFF", "journal_mode=WAL")  # the second is for good


class Database:
    """A database whose tables are up to date. `open` makes it.

    What is committed outlives the process, however it ends. Code that uses it meets no difference between the two kinds, if
    it keeps these rules: a row that is read to be changed is read in `begin` with `.with_for_update()` (SQLite, where one
    writes at a time, ignores it); a statement that fails ends its block; no block is opened within another one's (they may
    wait for each other); texts are no longer than their column and have no zero characters (SQLite would take them).

    Args:
        address: where it is.
        bounds: what it may take.
        writing: connections to change things with.
        reading: connections to read with.
        insert_into: makes an insert that may change rows which are there.
    """

    def __init__(
        self, address: Address, bounds: Bounds, writing: AsyncEngine, reading: AsyncEngine, insert_into: _InsertInto
    ) -> None:
        self.shown = address.shown
        """Where it is, without secrets."""
        self.dialect: Dialect = address.dialect
        self.migrated = Migrated(None, "")
        """What was done to its tables when it was opened."""
        self._address = address
        self._bounds = bounds
        self._writing = writing
        self._reading = reading
        one_by_one = address.dialect == "sqlite"
        self._write_turn = asyncio.Lock() if one_by_one else nullcontext()
        # In memory, one transaction at a time is all that it can do.
        self._read_turn = self._write_turn if address.memory else nullcontext()
        self._insert_into = insert_into
        self._keeper: AsyncConnection | None = None
        self._version = None if address.file is None else DataVersion(address.file)
        self._releases: set[asyncio.Task[None]] = set()

    @classmethod
    async def open(
        cls, url: str | None, data_dir: Path | None, bounds: Bounds | None = None, migrations: Path | None = MIGRATIONS
    ) -> Self:
        """Opens a database and brings its tables up to date. Several processes may do so at once.

        Args:
            url: `sqlite:///path`, `sqlite://` (in memory) or `postgresql://...`; None: the file in `data_dir`.
            data_dir: the data folder; None: without a URL the database is in memory.
            bounds: what it may take; None: the defaults.
            migrations: the folder of the steps that make the tables; None: they stay as they are, and may be others.

        Raises:
            SchemaError: the tables come from a newer version, or could not be brought up to date.
            StorageError: the database cannot be reached, or the URL is none.
        """
        address, bounds = find_address(url, data_dir), bounds or Bounds()
        if address.dialect == "postgresql":
            engine = _open_postgresql(address, bounds)
            insert_into = cast(_InsertInto, import_module(_POSTGRESQL).insert_into)
            made = cls(address, bounds, engine, engine, insert_into)
        else:
            writing = open_sqlite(address, bounds, "BEGIN IMMEDIATE", 1, _FOR_WRITING)
            reading = open_sqlite(address, bounds, "BEGIN", bounds.connections, _FOR_READING)
            made = cls(address, bounds, writing, reading, sqlite.insert)
        try:
            await made._prepare(address, migrations)
        except BaseException:
            await made.close()
            raise
        return made

    @asynccontextmanager
    async def begin(self, timeout_s: float | None = None) -> AsyncIterator[AsyncConnection]:
        """A transaction that changes things: committed at the end of the block, rolled back if that fails.

        Args:
            timeout_s: how long the whole block may take, the wait for its turn included; None: `Bounds.timeout_s`.

        Raises:
            IntegrityError: SQLAlchemy's; a constraint forbids the change.
            StorageError: the database failed or took too long.
        """
        async with self._transaction(self._writing, self._write_turn, timeout_s) as connection:
            yield connection

    @asynccontextmanager
    async def read(self, timeout_s: float | None = None) -> AsyncIterator[AsyncConnection]:
        """A transaction that only reads, and sees one state of everything throughout.

        Args:
            timeout_s: as for `begin`.

        Raises:
            StorageError: the database failed or took too long.
        """
        async with self._transaction(self._reading, self._read_turn, timeout_s, read_only=True) as connection:
            yield connection

    def upsert(self, table: Table, keys: Sequence[str], changed: Sequence[str], added: Sequence[str] = ()) -> Insert:
        """A statement that inserts rows, and where one with the same keys is there already changes that one.

        Give the rows when it is executed: `await connection.execute(database.upsert(...), rows)`.

        Args:
            table: where to.
            keys: the columns of the primary key or of a unique constraint.
            changed: the columns that take the new row's values.
            added: the columns to which the new row's values are added; none of both: the row that is there stays as it is.
        """
        statement = self._insert_into(table)
        new: dict[str, ColumnElement[object]] = {name: statement.excluded[name] for name in changed}
        new |= {name: table.c[name] + statement.excluded[name] for name in added}
        if not new:
            return statement.on_conflict_do_nothing(index_elements=keys)
        return statement.on_conflict_do_update(index_elements=keys, set_=new)

    async def version(self) -> Version | None:
        """Another value whenever anything was committed, by anybody; None: only reading tells."""
        return None if self._version is None else await self._version.read()

    async def find_neighbours(self) -> Neighbours:
        """Makes this process known to others that use the database, and they to it.

        Raises:
            StorageError: the database cannot be reached.
        """
        if self.dialect == "postgresql":
            engine = _open_postgresql(self._address, self._bounds)
            return await find_neighbours_on_server(engine, self._bounds, self.shown)
        return find_neighbours_at_file(self._address.file)

    async def close(self) -> None:
        """Closes all connections. Nothing that was committed is lost by not calling it."""
        await asyncio.gather(*self._releases)
        if self._version is not None:
            await self._version.close()
        if self._keeper is not None:
            await self._keeper.close()
        await self._writing.dispose()
        if self._reading is not self._writing:
            await self._reading.dispose()

    async def _prepare(self, address: Address, migrations: Path | None) -> None:
        timeout_s = self._bounds.migration_timeout_s
        if address.memory:  # it lasts as long as one connection to it
            self._keeper = await self._reading.connect()
        if migrations is None:
            return
        if address.dialect == "postgresql":
            self.migrated = await migrate(self._writing, address, timeout_s, migrations)
            return
        engine = open_sqlite(address, self._bounds, "BEGIN IMMEDIATE", 1, _FOR_TABLES)
        try:
            self.migrated = await migrate(engine, address, timeout_s, migrations)
        finally:
            await engine.dispose()

    @asynccontextmanager
    async def _transaction(
        self,
        engine: AsyncEngine,
        turn: "asyncio.Lock | nullcontext[None]",
        timeout_s: float | None,
        read_only: bool = False,
    ) -> AsyncIterator[AsyncConnection]:
        allowed_s = self._bounds.timeout_s if timeout_s is None else timeout_s
        try:
            async with asyncio.timeout(allowed_s), turn:
                connection = await engine.connect()
                try:
                    if read_only and self.dialect == "postgresql":
                        await connection.set_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
                    await connection.begin()
                    if allowed_s > self._bounds.timeout_s and self.dialect == "postgresql":
                        await _allow(connection, allowed_s)
                    yield connection
                    await connection.commit()
                finally:
                    await self._release(connection)
        except TimeoutError:
            raise StorageError(f"{self.shown}: not done after {allowed_s:g} s") from None
        except IntegrityError:
            raise
        except (SQLAlchemyError, ConnectionError) as error:
            raise StorageError(f"{self.shown}: {getattr(error, 'orig', None) or error}") from error

    async def _release(self, connection: AsyncConnection) -> None:
        """Gives a connection back, and undoes what was not committed. Waits for a moment only: it may be out of reach."""
        release = asyncio.ensure_future(self._give_back(connection))
        self._releases.add(release)
        release.add_done_callback(self._releases.discard)
        await asyncio.wait([release], timeout=self._bounds.close_timeout_s)

    async def _give_back(self, connection: AsyncConnection) -> None:
        """Gives a connection back, or drops it where that takes too long or fails."""
        try:
            async with asyncio.timeout(self._bounds.close_timeout_s):
                await connection.close()
        except (TimeoutError, SQLAlchemyError, OSError) as error:
            structlog.get_logger("trunkline.storage").warning("connection_dropped", error=f"{type(error).__name__}: {error}")


def _open_postgresql(address: Address, bounds: Bounds) -> AsyncEngine:
    """Loads the driver only where it is used."""
    return cast(Callable[[Address, Bounds], AsyncEngine], import_module(_POSTGRESQL).open_postgresql)(address, bounds)


async def _allow(connection: AsyncConnection, allowed_s: float) -> None:
    """Lets PostgreSQL work longer than it does by itself, in this transaction."""
    for setting in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"):
        await connection.execute(text(f"SET LOCAL {setting} = {int(allowed_s * 1000)}"))
