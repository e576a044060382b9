"""What a URL says of a database, and what is shown of it."""

from pathlib import Path

import pytest

from server.storage.address import find_address
from server.storage.errors import StorageError

DATA = Path("/data")


@pytest.mark.parametrize(
    ("url", "file"),
    [
        (None, Path("/data/trunkline.db")),
        ("sqlite:///a/b.db", Path("a/b.db")),
        ("sqlite:////a/b.db", Path("/a/b.db")),
        ("sqlite:////a/b%20c.db?mode=rwc", Path("/a/b c.db")),
        ("sqlite+aiosqlite:///b.db", Path("b.db")),
    ],
    ids=["none", "relative", "absolute", "with a blank", "with its driver"],
)
def test_sqlite_is_a_file(url: str | None, file: Path) -> None:
    address = find_address(url, DATA)
    assert (address.dialect, address.file, address.shown) == ("sqlite", file, f"sqlite:///{file}")


@pytest.mark.parametrize(("url", "folder"), [(None, None), ("sqlite://", DATA), ("sqlite:///:memory:", DATA)])
def test_sqlite_may_be_in_memory(url: str | None, folder: Path | None) -> None:
    address = find_address(url, folder)
    assert (address.file, address.shown) == (None, "sqlite://")
    assert address.memory


@pytest.mark.parametrize(
    ("url", "dsn", "shown"),
    [
        ("postgresql://u:p@h:1/d", "postgresql://u:p@h:1/d", "postgresql://u@h:1/d"),
        ("postgres://u:p%40@h/d?sslmode=require", "postgresql://u:p%40@h/d?sslmode=require", "postgresql://u@h/d"),
        ("postgresql+asyncpg://u@/d?host=/run/pg", "postgresql://u@/d?host=/run/pg", "postgresql://u@/run/pg/d"),
        ("postgresql://h/d?password=p", "postgresql://h/d?password=p", "postgresql://h/d"),
    ],
    ids=["whole", "other name", "socket", "password as a parameter"],
)
def test_postgresql_is_shown_without_its_secrets(url: str, dsn: str, shown: str) -> None:
    address = find_address(url, DATA)
    assert (address.dialect, address.dsn, address.shown) == ("postgresql", dsn, shown)


@pytest.mark.parametrize(
    "url",
    [
        "mysql://u:secret@h/d",
        "secret",
        "postgresql://u:secret@[/d",
        "postgresql://u:secret/x@h/d",
        "postgresql://u:1/secret@h/d",
        "postgresql://u:x@1/secret@h/d",
        "postgresql://u:secret#x@h/d",
        "postgresql://u:1#secret@h/d",
        "postgresql://u:secret?x@h/d",
        "postgresql://u:1?secret@h/d",
        "postgresql://u:secret",
    ],
)
def test_anything_else_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(StorageError) as refused:
        find_address(url, DATA)
    assert "secret" not in str(refused.value)
