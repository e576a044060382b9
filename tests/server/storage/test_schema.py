"""The steps that make the tables: whole, in order, by one process at a time, and never backwards."""

import asyncio
import shutil
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, Row, inspect, text

from server.storage.database import Database
from server.storage.errors import SchemaError
from server.storage.schema import MIGRATIONS
from server.storage.tables import METADATA, REVISION
from tests.server.limits.rows import open_row
from tests.server.storage.tenants import add, names

_STEPS = sorted((MIGRATIONS / "versions").glob("0*.py"))
_HEAD = f'''
import sqlalchemy as sa
from alembic import op

revision = "next"
down_revision = "{REVISION}"


def upgrade() -> None:
'''
_STEP = """
    with op.batch_alter_table("tenants") as table:
        table.add_column(sa.Column("colour", sa.String(16), nullable=False, server_default="blue"))
        table.alter_column("display_name", existing_type=sa.String(200), nullable=True)
"""
_FAULTY_STEP = """
    op.create_table("half", sa.Column("id", sa.String(1)))
    op.execute("SELECT * FROM nowhere")
"""
_STEP_THAT_BREAKS_KEYS = """
    op.execute("DELETE FROM tenants")
"""
_USER = "INSERT INTO users VALUES ('u', 'a', 'U', true, 1, 1)"


_CATALOGUE = {
    "sqlite": (
        "SELECT type, name, sql FROM sqlite_schema",
        "SELECT t.name, x.* FROM sqlite_schema t, pragma_table_xinfo(t.name) x",
        "SELECT t.name, x.* FROM sqlite_schema t, pragma_foreign_key_list(t.name) x",
        "SELECT t.name, i.name, i.[unique], i.origin, x.* "
        "FROM sqlite_schema t, pragma_index_list(t.name) i, pragma_index_xinfo(i.name) x",
    ),
    "postgresql": (
        "SELECT c.relname, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.atthasdef "
        "FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid WHERE c.relnamespace = 'public'::regnamespace",
        "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) "
        "FROM pg_constraint WHERE connamespace = 'public'::regnamespace",
        "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
        "SELECT relname, relkind::text FROM pg_class WHERE relnamespace = 'public'::regnamespace",
    ),
}
"""All that a database knows of its tables."""


def steps_alone(folder: Path) -> Path:
    """The steps of this version as if they were another's, which are taken one by one even where there are no tables yet."""
    copy = folder / "alone"
    shutil.copytree(MIGRATIONS, copy, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


def later(folder: Path, step: str) -> Path:
    """The steps of a later version, which has one more."""
    copy = folder / "later"
    shutil.copytree(MIGRATIONS, copy, ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "versions" / "next.py").write_text(_HEAD + step)
    return copy


async def open_with_rows(url: str) -> None:
    """Makes the tables of this version, with a tenant and its user."""
    database = await Database.open(url, None)
    await add(database, "a")
    async with database.begin() as connection:
        await connection.execute(text(_USER))
    await database.close()


def differences(connection: Connection) -> list[object]:
    context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
    return list(compare_metadata(context, METADATA))


async def catalogue(database: Database) -> list[list[str]]:
    """What a database knows of its tables, however it spells it."""
    async with database.read() as connection:
        answers = [await connection.execute(text(question)) for question in _CATALOGUE[database.dialect]]
        return [sorted(_spelt(row) for row in answer) for answer in answers]


def _spelt(row: Row[tuple[object, ...]]) -> str:
    """A row in one spelling: a table that was remade has its name in quotes."""
    return " ".join(str(tuple(row)).replace("\\n", " ").replace('"completions"', "completions").split())


async def drop_all(database: Database) -> None:
    async with database.begin() as connection:
        await connection.run_sync(METADATA.drop_all)
        await connection.execute(text("DROP TABLE alembic_version"))


async def test_the_steps_make_the_tables_that_the_code_knows(database_url: str, tmp_path: Path) -> None:
    database = await Database.open(database_url, None, migrations=steps_alone(tmp_path))
    async with database.read() as connection:
        found = await connection.run_sync(differences)
    await database.close()
    assert found == []
    assert (database.migrated.before, database.migrated.after) == (None, REVISION)


async def test_a_new_database_is_the_same_as_one_that_all_steps_made(database_url: str, tmp_path: Path) -> None:
    database = await Database.open(database_url, None)
    made = await catalogue(database)
    await drop_all(database)
    await database.close()
    database = await Database.open(database_url, None, migrations=steps_alone(tmp_path))
    stepped = await catalogue(database)
    await database.close()
    assert made == stepped
    assert any("completions" in line for line in made[0])
    again = await Database.open(database_url, None)
    await again.close()
    assert (again.migrated.before, again.migrated.after) == (REVISION, REVISION)


async def test_the_tables_are_made_beside_those_of_someone_else(database_url: str) -> None:
    database = await Database.open(database_url, None, migrations=None)
    async with database.begin() as connection:
        await connection.execute(text("CREATE TABLE other (id TEXT)"))
    await database.close()
    database = await Database.open(database_url, None)
    await add(database, "a")
    assert await names(database) == ["a"]
    await database.close()
    assert (database.migrated.before, database.migrated.after) == (None, REVISION)


async def test_a_database_of_the_version_before_comes_along_with_its_rows(database_url: str, tmp_path: Path) -> None:
    await open_with_rows(database_url)
    database = await Database.open(database_url, None, migrations=later(tmp_path, _STEP))
    async with database.read() as connection:
        rows = (await connection.execute(text("SELECT t.id, u.id, colour FROM tenants t, users u"))).all()
    await database.close()
    assert rows == [("a", "u", "blue")]
    assert (database.migrated.before, database.migrated.after) == (REVISION, "next")


@pytest.mark.parametrize("count", range(1, len(_STEPS)))
async def test_a_database_of_any_version_comes_along_with_its_rows(database_url: str, tmp_path: Path, count: int) -> None:
    """The first steps alone make the tables of that version."""
    old = tmp_path / "old"
    kept = {file.name for file in _STEPS[:count]}
    shutil.copytree(MIGRATIONS, old, ignore=lambda _, names: [name for name in names if name[0] == "0" and name not in kept])
    database = await Database.open(database_url, None, migrations=old)
    await add(database, "a")
    await open_row(database, 1, 500, 70)
    await database.close()
    database = await Database.open(database_url, None)
    async with database.read() as connection:
        assert await connection.run_sync(differences) == []
        held = await connection.execute(text("SELECT reserved_tokens, reserved_micros FROM completions"))
        assert held.all() == [(500, 70)]
    assert await names(database) == ["a"]
    assert database.migrated.before != database.migrated.after
    await database.close()


async def test_a_database_of_a_newer_version_is_refused(database_url: str, tmp_path: Path) -> None:
    await (await Database.open(database_url, None, migrations=later(tmp_path, _STEP))).close()
    with pytest.raises(SchemaError, match=r"newer version of trunkline.*Start the newer version"):
        await Database.open(database_url, None)


@pytest.mark.parametrize("step", [_FAULTY_STEP, _STEP_THAT_BREAKS_KEYS], ids=["a statement fails", "a key points nowhere"])
async def test_a_step_that_fails_leaves_everything_as_it_was(database_url: str, tmp_path: Path, step: str) -> None:
    await open_with_rows(database_url)
    with pytest.raises(SchemaError, match="Nothing was changed"):
        await Database.open(database_url, None, migrations=later(tmp_path, step))
    database = await Database.open(database_url, None)
    assert await names(database) == ["a"]
    async with database.read() as connection:
        tables = await connection.run_sync(lambda sync: inspect(sync).get_table_names())
    await database.close()
    assert "half" not in tables


async def test_tables_of_someone_else_are_refused(database_url: str, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    shutil.copytree(MIGRATIONS, empty, ignore=shutil.ignore_patterns("versions", "__pycache__"))
    (empty / "versions").mkdir()
    (empty / "versions" / "other.py").write_text(
        "from alembic import op\nrevision, down_revision = 'other', None\n"
        "def upgrade():\n    op.execute('CREATE TABLE tenants (id TEXT)')\n    op.execute('DELETE FROM alembic_version')\n"
    )
    database = await Database.open(database_url, None, migrations=empty)
    async with database.begin() as connection:
        await connection.execute(text("DELETE FROM alembic_version"))
    await database.close()
    with pytest.raises(SchemaError, match="tenants"):
        await Database.open(database_url, None)


async def test_of_many_that_start_at_once_one_makes_the_tables(database_url: str) -> None:
    opened = await asyncio.gather(*(Database.open(database_url, None) for _ in range(5)))
    befores = [database.migrated.before for database in opened]
    await asyncio.gather(*(database.close() for database in opened))
    assert sorted(befores, key=str) == [REVISION] * 4 + [None]
