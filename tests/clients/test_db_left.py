"""`trunkline db copy` leaves nothing out that gateways left in files, or refuses; `trunkline db check` tells of them."""

import asyncio
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from zlib import crc32

import pytest
from typer.testing import CliRunner, Result

from server.ledger.entry import Whole
from server.ledger.record import Batch
from server.ledger.spool import Spool
from server.storage.database import Database
from tests.end_to_end.rows import see_rows
from tests.server.ledger.entries import intent, settlement
from trunkline_cli.main import build_app

LARGE = 1 << 20
LEFT = Batch([intent("a"), intent("c")], [settlement("a")], [Whole(intent("b", reserved_micros=None), settlement("b"))])
"""Three completions in four lines."""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder with a database and what a gateway left that is no more."""
    folder = tmp_path / "data"
    asyncio.run(make(folder))
    leave(folder, LEFT)
    return folder


async def make(folder: Path) -> None:
    await (await Database.open(None, folder)).close()


def leave(folder: Path, batch: Batch, worker: str = "dead") -> Path:
    """Leaves a file as a worker does that dies."""
    spool = Spool(folder / "spool", worker, LARGE)
    spool.append(batch)
    spool.close()
    return folder / "spool" / f"{worker}.spool"


def db(*arguments: str, env: dict[str, str] | None = None) -> Result:
    """Runs `trunkline db` in this process."""
    own = {"TRUNKLINE_DATA_DIR": None, "TRUNKLINE_CONFIG": None, **(env or {})}
    return CliRunner().invoke(build_app(), ["db", *arguments], env=own, catch_exceptions=False)


def rows_of(url: str) -> dict[str, str]:
    """The states of all completions, by their requests' ids."""

    async def see() -> dict[str, str]:
        database = await Database.open(url, None)
        try:
            return {row.request_id: row.state for row in await see_rows(database)}
        finally:
            await database.close()

    return asyncio.run(see())


def text(output: str) -> str:
    """What was said, wherever its lines end."""
    return " ".join(output.split())


def test_what_a_dead_gateway_left_is_copied_too(data: Path, postgresql_url: str) -> None:
    source = f"sqlite:///{data}/trunkline.db"
    ended = db("copy", "--from", source, "--to", postgresql_url)

    assert ended.exit_code == 0, ended.output
    assert f"3 completions that waited in {data}/spool were written to {source} first." in text(ended.stdout)
    expected = {"req_a": "settled", "req_b": "settled", "req_c": "open"}
    assert (rows_of(postgresql_url), rows_of(source)) == (expected, expected)
    assert list((data / "spool").iterdir()) == []


def test_what_waits_in_the_data_folder_of_a_configuration_is_copied_too(
    data: Path, tmp_path: Path, database_url: str
) -> None:
    asyncio.run(_upgrade(database_url))
    config = tmp_path / "config.yaml"
    config.write_text(f"storage: {{url: '{database_url}'}}")
    target = f"sqlite:///{tmp_path}/target.db"
    ended = db("copy", "--from", database_url, "--to", target, "--config", str(config), "--data-dir", str(data))

    assert ended.exit_code == 0, ended.output
    assert sorted(rows_of(target)) == ["req_a", "req_b", "req_c"]


def test_what_waits_for_another_database_stays_and_is_told(data: Path, tmp_path: Path, sqlite_url: str) -> None:
    asyncio.run(_upgrade(sqlite_url))
    target = f"sqlite:///{tmp_path}/target.db"
    ended = db("copy", "--from", sqlite_url, "--to", target, env={"TRUNKLINE_DATA_DIR": str(data)})

    assert ended.exit_code == 0, ended.output
    assert (
        f"4 entries wait in {data}/spool and stay there: the configuration does not say that they are {sqlite_url}'s"
        in text(ended.stdout)
    )
    assert rows_of(target) == {}
    assert len(list((data / "spool").iterdir())) == 1


@pytest.mark.parametrize(
    ("name", "by_env", "storage"),
    [
        ("backup.db", True, ""),
        ("backup.db", False, ""),
        ("trunkline.db", True, "storage: {url: 'postgresql://gateway@127.0.0.1:1/trunkline'}"),
        ("trunkline.db", True, "storage: {url: 'sqlite:///elsewhere.db'}"),
    ],
    ids=["a copy in the data folder", "a copy in another folder", "before PostgreSQL", "before another file"],
)
def test_a_file_does_not_get_what_waits_beside_it_for_another(
    data: Path, tmp_path: Path, name: str, by_env: bool, storage: str
) -> None:
    if name != "trunkline.db":
        shutil.copy(data / "trunkline.db", data / name)
    before = (data / "spool" / "dead.spool").read_bytes()
    config = tmp_path / "config.yaml"
    config.write_text(storage)
    source, target = f"sqlite:///{data}/{name}", f"sqlite:///{tmp_path}/target.db"
    env = {"TRUNKLINE_CONFIG": str(config)} | ({"TRUNKLINE_DATA_DIR": str(data)} if by_env else {})
    ended = db("copy", "--from", source, "--to", target, env=env)

    assert ended.exit_code == 0, ended.output
    said = f"4 entries wait in {data}/spool and stay there: the configuration does not say that they are {source}'s"
    assert text(ended.stdout).count(said) == 1
    assert (rows_of(source), rows_of(target)) == ({}, {})
    assert (data / "spool" / "dead.spool").read_bytes() == before
    assert "wait" not in db("check", "--url", source, env=env).stdout


def test_the_configured_file_gets_what_waits_whatever_its_name(data: Path, tmp_path: Path) -> None:
    own = (data / "trunkline.db").rename(data / "own.db")
    config = tmp_path / "config.yaml"
    config.write_text(f"storage: {{url: 'sqlite:///{own}'}}")
    target = f"sqlite:///{tmp_path}/target.db"
    ended = db("copy", "--from", f"sqlite:///{own}", "--to", target, "--config", str(config), "--data-dir", str(data))

    assert ended.exit_code == 0, ended.output
    assert sorted(rows_of(target)) == ["req_a", "req_b", "req_c"]


_NO_KEY = "providers: [{name: openai, type: openai, api_key: '${NOT_IN_THIS_SHELL}', models: [gpt]}]"
_UNREAD = "The configuration could not be read, so its data folder was not looked at: "


@pytest.mark.parametrize("content", [_NO_KEY, "storage: {url: 'mysql://127.0.0.1/trunkline'}"], ids=["no key", "no URL"])
def test_a_url_is_enough_where_the_configuration_cannot_be_read(data: Path, tmp_path: Path, content: str) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(content)
    source, target = f"sqlite:///{data}/trunkline.db", f"sqlite:///{tmp_path}/target.db"
    env = {"TRUNKLINE_CONFIG": str(config)}
    checked = db("check", "--url", source, env=env)
    copied = db("copy", "--from", source, "--to", target, env=env)

    assert (checked.exit_code, copied.exit_code) == (0, 0), checked.output + copied.output
    assert "4 entries wait" in checked.stdout
    assert "3 completions that waited" in copied.stdout
    assert _UNREAD in text(checked.stdout)
    assert _UNREAD in text(copied.stdout)
    assert db("check", env=env).exit_code == 1


def test_the_data_folder_of_a_configuration_that_cannot_be_read_is_left(data: Path, tmp_path: Path, sqlite_url: str) -> None:
    asyncio.run(_upgrade(sqlite_url))
    config = tmp_path / "config.yaml"
    config.write_text(_NO_KEY)
    env = {"TRUNKLINE_CONFIG": str(config), "TRUNKLINE_DATA_DIR": str(data)}
    ended = db("copy", "--from", sqlite_url, "--to", f"sqlite:///{tmp_path}/target.db", env=env)

    assert ended.exit_code == 0, ended.output
    assert _UNREAD in text(ended.stdout)
    assert len(list((data / "spool").iterdir())) == 1


async def _upgrade(url: str) -> None:
    await (await Database.open(url, None)).close()


def damage(data: Path) -> None:
    file = data / "spool" / "dead.spool"
    file.write_bytes(file.read_bytes().replace(b'"a"', b'"x"', 1))


def add_later_version(data: Path) -> None:
    line = b'["later9",1]'
    file = data / "spool" / "dead.spool"
    file.write_bytes(file.read_bytes() + b"%08x %b\n" % (crc32(line), line))


def refuse_row(data: Path) -> None:
    change(data, "CREATE TRIGGER t BEFORE INSERT ON completions WHEN NEW.id = 'b' BEGIN SELECT RAISE(ABORT, 'not b'); END")


def take_no_rows(data: Path) -> None:
    change(data, "ALTER TABLE completions RENAME COLUMN origin TO place")


def change(data: Path, statement: str) -> None:
    """Changes the database behind the gateway's back."""
    with closing(sqlite3.connect(data / "trunkline.db")) as connection:
        connection.execute(statement)
        connection.commit()


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (damage, "{}/dead.spool has damaged lines (1); a gateway passes over them when it starts"),
        (add_later_version, "{}/dead.spool: a later version's line: later9"),
        (refuse_row, "{}/dead.spool has rows that cannot be written (1): not b; a gateway passes over them when it starts"),
        (take_no_rows, "origin"),
    ],
    ids=["damaged", "of a later version", "a row that cannot be", "the source takes nothing"],
)
def test_where_files_cannot_be_taken_in_nothing_is_copied(
    data: Path, tmp_path: Path, spoil: Callable[[Path], None], reason: str
) -> None:
    spoil(data)
    before = (data / "spool" / "dead.spool").read_bytes()
    target = f"sqlite:///{tmp_path}/target.db"
    ended = db("copy", "--from", f"sqlite:///{data}/trunkline.db", "--to", target)

    assert ended.exit_code == 1
    assert reason.format(data / "spool") in text(ended.stderr)
    assert rows_of(target) == {}
    assert (data / "spool" / "dead.spool").read_bytes() == before


@pytest.fixture
def alive(data: Path) -> Iterator[Path]:
    """The file of a worker that lives."""
    spool = Spool(data / "spool", "alive", LARGE)
    spool.open()
    yield data / "spool" / "alive.spool"
    spool.close()


def test_beside_a_gateway_that_runs_nothing_is_copied(data: Path, tmp_path: Path, alive: Path) -> None:
    target = f"sqlite:///{tmp_path}/target.db"
    ended = db("copy", "--from", f"sqlite:///{data}/trunkline.db", "--to", target)

    assert ended.exit_code == 1
    assert f"{alive} is in use, so a gateway runs that may not have written all of its rows; stop it first" in text(
        ended.stderr
    )
    assert rows_of(target) == {}


def test_a_folder_that_is_none_is_a_reason(data: Path, tmp_path: Path) -> None:
    (data / "spool" / "dead.spool").unlink()
    (data / "spool").rmdir()
    (data / "spool").touch()
    ended = db("copy", "--from", f"sqlite:///{data}/trunkline.db", "--to", f"sqlite:///{tmp_path}/target.db")

    assert ended.exit_code == 1
    assert f"Not a directory: '{data}/spool'" in text(ended.stderr)


def test_a_url_is_enough_where_nothing_says_where_data_is(data: Path, tmp_path: Path) -> None:
    source, target = f"sqlite:///{data}/trunkline.db", f"sqlite:///{tmp_path}/target.db"
    homeless = {"HOME": "", "XDG_DATA_HOME": ""}

    assert "4 entries wait" in db("check", "--url", source, env=homeless).stdout
    assert "3 completions that waited" in db("copy", "--from", source, "--to", target, env=homeless).stdout


@pytest.mark.parametrize("by_url", [True, False])
def test_checking_tells_what_waits_and_leaves_it(data: Path, by_url: bool, alive: Path) -> None:
    before = {file: file.read_bytes() for file in (data / "spool").iterdir()}
    where = ("--url", f"sqlite:///{data}/trunkline.db") if by_url else ("--data-dir", str(data))
    ended = db("check", *where)

    assert ended.exit_code == 0
    assert f"4 entries wait in {data}/spool and are not counted above" in text(ended.stdout)
    assert {file: file.read_bytes() for file in (data / "spool").iterdir()} == before


def test_checking_says_nothing_where_nothing_waits(tmp_path: Path) -> None:
    asyncio.run(make(tmp_path))

    assert "wait" not in db("check", "--data-dir", str(tmp_path)).stdout
