"""`trunkline check` tells what is wrong with the URLs of database and Redis, and with --connect whether these answer."""

from pathlib import Path

import pytest
from sqlalchemy import insert

from server.config.schema import Settings
from server.storage.database import Database
from server.storage.tables import QUOTAS
from tests.clients.command import Ended, run
from trunkline_cli.stores import find_store_faults

SECRET = "s3cr3t-Zq7Wv2"


async def check(folder: Path, config: str, *options: str) -> Ended:
    """Checks a configuration; nothing that is secret is told."""
    file = folder / "config.yaml"
    file.write_text(config)
    ended = await run("check", "--data-dir", str(folder / "data"), "--config", str(file), *options)
    assert SECRET not in ended.out + ended.err
    assert "Traceback" not in ended.err
    return ended


def settings(section: str, url: str) -> Settings:
    return Settings.model_validate({section: {"url": url}})


@pytest.mark.parametrize(
    ("section", "url", "fault"),
    [
        (
            "storage",
            f"mysql://user:{SECRET}@db/trunkline",
            "has to begin with sqlite:// or postgresql://; set storage.url to",
        ),
        ("storage", f"postgresql://user:{SECRET}@db:nan/trunkline", "postgresql://user@db:nan/trunkline has a port that"),
        ("storage", "sqlite:////dev/null/at/all.db", "the folder /dev/null/at cannot be made or written; set"),
        ("storage", "sqlite:////", "/ is a folder"),
        ("redis", f"http://:{SECRET}@cache", "has to begin with redis://, rediss:// or unix://; set redis.url to"),
        ("redis", f"redis://:{SECRET}@", "it names no host"),
        ("redis", f"redis://:{SECRET}@cache:port", "its port is no number"),
        ("redis", f"redis://:{SECRET}@cache/first", "the number of a database"),
        ("redis", "unix://", "it names no socket"),
        ("redis", f"redis://cache/0?db={SECRET}", "it has a parameter that"),
        ("redis", f"redis://cache/0?{SECRET}=1", "it has a parameter that"),
    ],
)
async def test_a_url_that_is_none_is_a_fault(tmp_path: Path, section: str, url: str, fault: str) -> None:
    ended = await check(tmp_path, f"{section}:\n  url: {url}\n")
    assert ended.code == 1
    assert f"fault: {section}.url" in ended.out
    assert fault in ended.out


@pytest.mark.parametrize(
    ("section", "url", "library"),
    [
        ("storage", "postgresql://db/trunkline", "asyncpg"),
        ("storage", "sqlite:///here.db", "aiosqlite"),
        ("redis", "rediss://:secret@cache:6380/1", "redis"),
    ],
)
def test_a_library_that_is_not_there_is_a_fault(section: str, url: str, library: str) -> None:
    assert find_store_faults(settings(section, url)) == []
    (fault,) = find_store_faults(settings(section, url), lambda name: name != library)
    assert f"{section}.url: the library `{library}` is not installed; `python -m pip install {library}`" in fault


@pytest.mark.parametrize(
    ("section", "url"),
    [
        ("storage", "postgresql://one:1,two:2/trunkline"),
        ("storage", "postgresql:///trunkline?host=/run/postgresql"),
        ("storage", "sqlite://"),
        ("redis", "redis://cache"),
        ("redis", "redis://[::1]:6379/0"),
        ("redis", "unix:///run/redis.sock?db=1"),
    ],
)
def test_what_both_take_is_fine(section: str, url: str) -> None:
    assert find_store_faults(settings(section, url)) == []


async def test_nobody_is_called_unless_it_is_said(tmp_path: Path) -> None:
    config = f"storage:\n  url: postgresql://u:{SECRET}@127.0.0.1:1/d\nredis:\n  url: redis://:{SECRET}@127.0.0.1:1\n"
    assert (await check(tmp_path, config)).code == 0
    ended = await check(tmp_path, config, "--connect")
    assert ended.code == 1
    assert "fault: storage.url: postgresql://u@127.0.0.1:1/d cannot be reached: " in ended.out
    assert "fault: redis.url: redis://127.0.0.1:1 does not answer (ConnectionError); is it running?" in ended.out


async def test_what_answers_is_fine_and_stays_as_it_is(tmp_path: Path, postgresql_url: str, redis_url: str) -> None:
    config = f"storage:\n  url: {postgresql_url}\nredis:\n  url: {redis_url}\n"
    ended = await check(tmp_path, config, "--connect")
    assert ended.code == 0, ended.out
    for options in ((), ("--connect",)):
        assert (await check(tmp_path, f"storage:\n  url: sqlite:///{tmp_path}/new/new.db\n", *options)).code == 0
    assert not (tmp_path / "new").exists()


async def add_quota(url: str) -> None:
    database = await Database.open(url, None)
    row = {"id": "q", "scope": "tenant", "scope_id": "acme", "period": "daily", "token_limit": 5}
    async with database.begin() as connection:
        await connection.execute(insert(QUOTAS), {**row, "create_time": 1, "update_time": 1})
    await database.close()


def names_in(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir()}


@pytest.mark.parametrize(
    ("section", "fine", "reason"),
    [
        (
            "server: {workers: 2}",
            "server: {workers: 1}",
            "2 workers cannot hold to limits together without Redis (quotas and budgets in the database)",
        ),
        (
            "ledger: {enabled: false}",
            "ledger: {enabled: true}",
            "Quotas and budgets are counted from the ledger, and there is none",
        ),
    ],
    ids=["workers", "no ledger"],
)
async def test_limits_in_the_database_that_would_not_be_held_to_are_a_fault(
    tmp_path: Path, database_url: str, section: str, fine: str, reason: str
) -> None:
    await add_quota(database_url)
    files = names_in(tmp_path)
    config = f"{section}\nstorage:\n  url: {database_url}\n"
    assert (await check(tmp_path, config)).code == 0
    ended = await check(tmp_path, config, "--connect")
    assert (ended.code, f"fault: {reason}" in ended.out) == (1, True), ended.out
    assert names_in(tmp_path) - files == {"config.yaml"}
    served = await run("serve", "--data-dir", str(tmp_path / "data"), "--config", str(tmp_path / "config.yaml"))
    assert (served.code, reason in served.err) == (1, True), served.err
    assert (await check(tmp_path, config.replace(section, fine), "--connect")).code == 0


async def test_a_database_without_tables_has_no_limits_and_stays_so(tmp_path: Path, postgresql_url: str) -> None:
    config = f"server: {{workers: 2}}\nstorage:\n  url: {postgresql_url}\n"
    assert (await check(tmp_path, config, "--connect")).code == 0
    database = await Database.open(postgresql_url, None)
    assert database.migrated.before is None
    await database.close()
