"""`trunkline db` brings tables up to date, tells what is in them and copies them, and shows no password."""

import asyncio
import sqlite3
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from server.storage.database import Database
from server.storage.tables import REVISION
from tests.clients.command import run
from tests.server.storage.tenants import add
from trunkline_cli.main import build_app

SECRET = "s3cr3t-Zq7Wv2"


def db(*arguments: str) -> Result:
    """Runs `trunkline db` in this process."""
    return CliRunner().invoke(build_app(), ["db", *arguments], catch_exceptions=False)


def fill(url: str, *names: str) -> None:
    async def write() -> None:
        database = await Database.open(url, None)
        for name in names:
            await add(database, name)
        await database.close()

    asyncio.run(write())


def change(url: str, statement: str) -> None:
    """Changes an SQLite file behind the gateway's back."""
    connection = sqlite3.connect(url.removeprefix("sqlite:///"))
    connection.execute(statement)
    connection.commit()
    connection.close()


def test_upgrading_makes_the_tables_once(database_url: str) -> None:
    first, second = db("upgrade", "--url", database_url), db("upgrade", "--url", database_url)

    assert (first.exit_code, second.exit_code) == (0, 0)
    assert f"revision {REVISION}; they came from none." in first.stdout
    assert "they were up to date." in second.stdout


def test_the_configuration_says_which_database(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(f"storage: {{url: 'sqlite:///{tmp_path}/own.db'}}")

    assert db("upgrade", "--config", str(config)).exit_code == 0
    assert (tmp_path / "own.db").is_file()


def test_without_a_configuration_it_is_the_one_in_the_data_folder(tmp_path: Path) -> None:
    assert db("upgrade", "--data-dir", str(tmp_path)).exit_code == 0
    assert (tmp_path / "trunkline.db").is_file()


def test_checking_tells_what_is_there(database_url: str) -> None:
    fill(database_url, "one", "other")
    ended = db("check", "--url", database_url)

    assert ended.exit_code == 0
    assert "tenants 2 6 16" in [" ".join(line.split()) for line in ended.stdout.splitlines()]
    assert ended.stdout.endswith(f"is fine: its tables have revision {REVISION}.\n")


def test_checking_refuses_tables_that_are_not_made(postgresql_url: str) -> None:
    ended = db("check", "--url", postgresql_url)

    assert ended.exit_code == 1
    assert f"revision none, not {REVISION}; `trunkline db upgrade` brings" in ended.stderr


def test_checking_refuses_tables_that_are_different(sqlite_url: str) -> None:
    fill(sqlite_url)
    change(sqlite_url, "ALTER TABLE audit ADD COLUMN extra TEXT")

    assert "its tables differ" in db("check", "--url", sqlite_url).stderr


def test_checking_overlooks_tables_of_someone_else(sqlite_url: str) -> None:
    fill(sqlite_url)
    change(sqlite_url, "CREATE TABLE other (id TEXT PRIMARY KEY, name TEXT)")
    change(sqlite_url, "CREATE INDEX ix_other_name ON other (name)")

    assert db("check", "--url", sqlite_url).exit_code == 0


def test_a_folder_without_room_for_a_lock_is_said(sqlite_url: str, tmp_path: Path) -> None:
    (tmp_path / f".{Path(sqlite_url).name}.lock").mkdir()
    ended = db("upgrade", "--url", sqlite_url)

    assert ended.exit_code == 1
    assert "cannot be locked: Is a directory" in ended.stderr


def test_checking_makes_nothing(sqlite_url: str, tmp_path: Path) -> None:
    ended = db("check", "--url", sqlite_url)

    assert ended.exit_code == 1
    assert "there is no such file" in ended.stderr
    assert list(tmp_path.iterdir()) == []


def test_copying_tells_what_was_copied(sqlite_url: str, postgresql_url: str) -> None:
    fill(sqlite_url, "one", "other")
    ended = db("copy", "--from", sqlite_url, "--to", postgresql_url)

    assert ended.exit_code == 0
    assert "tenants 2 6 16" in [" ".join(line.split()) for line in ended.stdout.splitlines()]
    assert "2 rows copied; counts, sums and lengths are the same on both sides." in ended.stdout
    assert "tenants 2 6 16" in " ".join(db("check", "--url", postgresql_url).stdout.split())


def test_copying_refuses_a_target_with_rows(sqlite_url: str, postgresql_url: str) -> None:
    fill(sqlite_url, "one")
    fill(postgresql_url, "other")
    ended = db("copy", "--from", sqlite_url, "--to", postgresql_url)

    assert ended.exit_code == 1
    assert "there are rows in tenants already" in ended.stderr


def test_copying_refuses_older_tables(sqlite_url: str, postgresql_url: str) -> None:
    ended = db("copy", "--from", postgresql_url, "--to", sqlite_url)

    assert ended.exit_code == 1
    assert "its tables are not up to date" in ended.stderr


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://user:{SECRET}@127.0.0.1:1/trunkline",
        f"postgresql://user@127.0.0.1:1/trunkline?password={SECRET}",
        f"postgresql://user:{SECRET}@127.0.0.1:many/trunkline",
        f"postgresql://user:{SECRET}@[/trunkline",
        f"mysql://user:{SECRET}@127.0.0.1/trunkline",
        f"user:{SECRET}",
    ],
    ids=["password", "parameter", "no port", "no host", "another kind", "no URL"],
)
@pytest.mark.parametrize("command", [("upgrade", "--url"), ("check", "--url"), ("copy", "--from", "sqlite://", "--to")])
def test_a_password_is_not_shown(url: str, command: tuple[str, ...]) -> None:
    ended = db(*command, url)

    assert ended.exit_code == 1
    assert SECRET not in ended.output
    assert "error: " in ended.stderr


async def test_the_gateway_does_not_start_with_tables_of_a_newer_version(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/newer.db"
    await (await Database.open(url, None)).close()
    change(url, "UPDATE alembic_version SET version_num = 'to come'")
    config = tmp_path / "config.yaml"
    config.write_text(f"storage: {{url: '{url}'}}")
    ended = await run("serve", "--config", str(config), "--data-dir", str(tmp_path), "--port", "0", "--grpc-port", "0")

    assert ended.code == 1
    assert "were made by a newer version of trunkline" in " ".join(ended.err.split())
