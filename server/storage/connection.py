"""SQLAlchemy's engines and connections in coroutines: as much of them as the storage needs.

`sqlalchemy.ext.asyncio` has more, and brings along the whole object-relational mapper, 8 MB that nobody here uses.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, TypeVar, TypeVarTuple, overload

from sqlalchemy import Connection, CursorResult, Engine, Executable, RowMapping, Select, create_engine
from sqlalchemy.sql.selectable import TypedReturnsRows
from sqlalchemy.util import greenlet_spawn

Parameters = Mapping[str, object] | Sequence[Mapping[str, object]]
_Made = TypeVar("_Made")
_Types = TypeVarTuple("_Types")


class AsyncConnection:
    """A connection that is in use. `AsyncEngine` makes it.

    Args:
        connection: SQLAlchemy's, of a driver for coroutines.
    """

    __slots__ = ("_connection",)

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @overload
    async def execute(
        self, statement: TypedReturnsRows[*_Types], parameters: Parameters | None = None
    ) -> CursorResult[*_Types]: ...

    @overload
    async def execute(
        self, statement: Executable, parameters: Parameters | None = None
    ) -> CursorResult[*tuple[Any, ...]]: ...

    async def execute(self, statement: Executable, parameters: Parameters | None = None) -> CursorResult[*tuple[Any, ...]]:
        """Executes a statement; all of its rows are there when it returns."""
        return await greenlet_spawn(self._connection.execute, statement, parameters)

    @overload
    async def scalar(self, statement: TypedReturnsRows[_Made], parameters: Parameters | None = None) -> _Made | None: ...

    @overload
    async def scalar(self, statement: Executable, parameters: Parameters | None = None) -> object: ...

    async def scalar(self, statement: Executable, parameters: Parameters | None = None) -> object:
        """Executes a statement: the first value of its first row; None: it has no row."""
        return await greenlet_spawn(self._connection.scalar, statement, parameters)

    async def partitions(
        self, statement: Select[*tuple[Any, ...]], rows_at_once: int
    ) -> AsyncIterator[Sequence[RowMapping]]:
        """Reads what may be too much for memory, some rows at a time. Read it to its end."""
        result = await greenlet_spawn(self._connection.execute, statement, execution_options={"stream_results": True})
        rows = result.mappings()
        while found := await greenlet_spawn(rows.fetchmany, rows_at_once):
            yield found

    async def exec_driver_sql(
        self, statement: str, parameters: tuple[object, ...] | Sequence[tuple[object, ...]] | None = None
    ) -> CursorResult[*tuple[Any, ...]]:
        """Executes a statement in the driver's own form; all of its rows are there when it returns."""
        return await greenlet_spawn(self._connection.exec_driver_sql, statement, parameters)

    async def run_sync(self, work: Callable[[Connection, *_Types], _Made], *arguments: *_Types) -> _Made:
        """Hands SQLAlchemy's connection to code without coroutines, which may use it until it returns."""
        return await greenlet_spawn(work, self._connection, *arguments)

    async def set_options(self, **options: object) -> None:
        """Sets SQLAlchemy's options of execution, before a transaction begins."""
        await greenlet_spawn(partial(self._connection.execution_options, **options))

    async def begin(self) -> None:
        """Begins a transaction."""
        await greenlet_spawn(self._connection.begin)

    async def commit(self) -> None:
        """Commits the transaction."""
        await greenlet_spawn(self._connection.commit)

    async def close(self) -> None:
        """Gives the connection back; what was not committed is undone."""
        await greenlet_spawn(self._connection.close)


class AsyncEngine:
    """Connections to one database.

    Args:
        url: SQLAlchemy's, which names the dialect and its driver for coroutines.
        connect: makes one of the driver's connections.
        options: those of `sqlalchemy.create_engine`.
    """

    def __init__(self, url: str, connect: Callable[[], Awaitable[object]], **options: object) -> None:
        def creator() -> object:
            dbapi = self.engine.dialect.dbapi
            assert dbapi is not None
            return dbapi.connect(async_creator_fn=connect)

        self.engine: Engine = create_engine(url, creator=creator, **options)
        """SQLAlchemy's."""

    async def connect(self) -> AsyncConnection:
        """A connection; whoever asks for it closes it."""
        return AsyncConnection(await greenlet_spawn(self.engine.connect))

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        """A connection in a transaction: committed at the end of the block, undone if that fails."""
        connection = await self.connect()
        try:
            await connection.begin()
            yield connection
            await connection.commit()
        finally:
            await connection.close()

    async def dispose(self) -> None:
        """Closes the connections that nobody uses."""
        await greenlet_spawn(self.engine.dispose)
