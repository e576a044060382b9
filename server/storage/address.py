"""Where the database is: what a URL says of it, and how it is shown without its secrets."""

import re
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qs, unquote, urlsplit

from server.storage.errors import StorageError

Dialect = Literal["sqlite", "postgresql"]
FILE_NAME = "trunkline.db"
"""The database in the data folder, where no URL names another."""

_POSTGRESQL = ("postgresql", "postgres", "postgresql+asyncpg")
_SQLITE = ("sqlite", "sqlite+aiosqlite")
_HOST = re.compile(r"(?:\[[^\[\]]*\]|[^\[\]:]*)(?::\d*)?")
"""A host, with its port where it has one."""
_NO_URL = "storage.url is no URL; in a password / ? # [ ] have to be written as %2F %3F %23 %5B %5D"


@dataclass(frozen=True, slots=True)
class Address:
    """Where a database is.

    Attributes:
        dialect: which kind it is.
        shown: the address as people may see it, without secrets.
        file: SQLite's file; None: in memory, or PostgreSQL.
        dsn: PostgreSQL's URL with its secrets, as libpq has it; empty: SQLite.
        memory: the name of a database in memory; empty: it lasts.
    """

    dialect: Dialect
    shown: str
    file: Path | None = None
    dsn: str = ""
    memory: str = ""


def find_address(url: str | None, data_dir: Path | None) -> Address:
    """The address that a URL means.

    Args:
        url: `sqlite:///relative.db`, `sqlite:////absolute.db`, `sqlite://` (in memory) or `postgresql://...` in libpq's
            form; None: a file in `data_dir`.
        data_dir: the data folder; None: without a URL the database is in memory.

    Raises:
        StorageError: it is no URL of a database.
    """
    if url is None:
        return _memory() if data_dir is None else _file(data_dir / FILE_NAME)
    scheme, _, rest = url.partition("://")
    if scheme in _SQLITE:
        path = unquote(rest.partition("?")[0].removeprefix("/"))
        return _memory() if path in ("", ":memory:") else _file(Path(path))
    if scheme in _POSTGRESQL:
        return _postgresql(f"postgresql://{rest}")
    raise StorageError("storage.url has to begin with sqlite:// or postgresql://")


def _file(file: Path) -> Address:
    return Address("sqlite", f"sqlite:///{file}", file=file)


def _memory() -> Address:
    return Address("sqlite", "sqlite://", memory=f"trunkline-{secrets.token_hex(8)}")


def _postgresql(dsn: str) -> Address:
    try:
        parts = urlsplit(dsn)
        hosts = parts.netloc.rpartition("@")[2] or ",".join(parse_qs(parts.query).get("host", ()))
        user = f"{unquote(parts.username)}@" if parts.username else ""
        parse_qs(parts.query, strict_parsing=bool(parts.query))
    except ValueError:
        raise StorageError(_NO_URL) from None
    # What a password holds unescaped looks like a port, a path, a query or a fragment.
    hides_password = "@" not in parts.netloc and not all(map(_HOST.fullmatch, hosts.split(",")))
    if hides_password or "@" in parts.path or parts.fragment:
        raise StorageError(_NO_URL)
    return Address("postgresql", f"postgresql://{user}{hosts}{parts.path}", dsn=dsn)
