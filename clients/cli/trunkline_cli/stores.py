"""Whether the database and the Redis that a configuration names are named rightly, and whether they answer.

What is told has schemes, hosts and names in it, and never a password.
"""

import asyncio
import os
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryFile
from urllib.parse import urlsplit

from server.config import Settings
from server.limits.shared import Sharing
from server.limits.unheld import UnheldLimitsError, check_ledger
from server.storage.address import Address, find_address
from server.storage.database import Database
from server.storage.errors import StorageError
from server.storage.revision import find_revision

_LIMIT_S = 5.0
_STORAGE = "set storage.url to sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME"
_REDIS = "set redis.url to redis://:PASSWORD@HOST:PORT/NUMBER, rediss:// for TLS, or unix:///PATH"
_REDIS_SCHEMES = ("redis", "rediss", "unix")
_DRIVERS = {"postgresql": "asyncpg", "sqlite": "aiosqlite"}


def installed(library: str) -> bool:
    """Whether a library is there."""
    return find_spec(library) is not None


def can_be_written(folder: Path) -> bool:
    """Whether a folder can be written, or made where it is not there; tried by a file that is gone again at once.

    The permissions alone do not tell: root has them in places where nothing can be made, too.
    """
    existing = next(each for each in (folder.absolute(), *folder.absolute().parents) if os.path.exists(each))
    try:
        with TemporaryFile(dir=existing):
            return True
    except OSError:
        return False


def can_be_appended(file: Path) -> bool:
    """Whether a file can be written at its end, or made where it is not there."""
    if os.path.exists(file):  # not `Path.exists`, which raises where one may not look
        return os.access(file, os.W_OK) and not file.is_dir()
    return can_be_written(file.absolute().parent)


def find_store_faults(settings: Settings, there: Callable[[str], bool] = installed) -> list[str]:
    """What is wrong with the URLs, and which libraries they need that are not there.

    Args:
        settings: the configuration.
        there: tells whether a library is.
    """
    return [*_storage_faults(settings, there), *_redis_faults(settings, there)]


async def find_silent_stores(settings: Settings, folder: Path | None) -> list[str]:
    """Which of them do not answer, and whether the database has limits that would not be held to. Their URLs have no faults.

    Args:
        settings: the configuration.
        folder: the data folder, where no URL says where the database is.
    """
    silent = []
    url = settings.storage.url
    address = find_address(None if url is None else url.get_secret_value(), folder)
    if address.file is None or address.file.exists():  # else it is made at the first start
        try:
            await _ask_database(settings, None if url is None else url.get_secret_value(), folder)
        except UnheldLimitsError as error:
            silent.append(str(error))
        except StorageError as error:
            silent.append(f"storage.url: {error}; is it running, and may this user use it? Else {_STORAGE}")
    if settings.redis is not None:
        build = import_module("server.limits.redis_counters").build_redis
        client = build(settings.redis)
        try:
            async with asyncio.timeout(_LIMIT_S):
                await client.ping()
        except Exception as error:  # the client's own, the system's, and a time that is up
            what = type(error).__name__
            silent.append(f"redis.url: {_shown(settings)} does not answer ({what}); is it running? Else {_REDIS}")
        finally:
            await client.aclose()
    return silent


async def _ask_database(settings: Settings, url: str | None, folder: Path | None) -> None:
    database = await Database.open(url, folder, migrations=None)
    try:
        async with database.read(_LIMIT_S) as connection:
            revision = await connection.run_sync(find_revision)
        if revision is not None:
            await check_ledger(settings, database)
            await Sharing(settings, None, lambda _: None).check(database)  # unknown to neighbours, as it does not begin
    finally:
        await database.close()


def _storage_faults(settings: Settings, there: Callable[[str], bool]) -> list[str]:
    if settings.storage.url is None:
        return []
    url = settings.storage.url.get_secret_value()
    try:
        address = find_address(url, None)
        fault = _file_fault(address.file) if address.file is not None else _port_fault(url, address)
    except StorageError as error:
        fault = str(error).removeprefix("storage.url ")
    faults = [] if fault is None else [f"storage.url: {fault}; {_STORAGE}"]
    driver = _DRIVERS["sqlite" if url.startswith("sqlite") else "postgresql"]
    return faults or ([] if there(driver) else [_missing("storage.url", driver)])


def _file_fault(file: Path) -> str | None:
    if os.path.isdir(file):
        return f"{file} is a folder"
    folder = file.absolute().parent
    return None if can_be_written(folder) else f"the folder {folder} cannot be made or written"


def _port_fault(url: str, address: Address) -> str | None:
    parts = urlsplit(url)
    if "," not in parts.netloc:  # PostgreSQL takes several hosts, each with its port
        try:
            _ = parts.port
        except ValueError:
            return f"{address.shown} has a port that is no number up to 65535"
    return None


def _redis_faults(settings: Settings, there: Callable[[str], bool]) -> list[str]:
    if settings.redis is None:
        return []
    fault: str | None = None
    try:
        parts = urlsplit(settings.redis.url.get_secret_value())
        if parts.scheme not in _REDIS_SCHEMES:
            fault = "it has to begin with redis://, rediss:// or unix://"
        elif parts.scheme == "unix":
            fault = None if parts.path else "it names no socket"
        elif parts.hostname is None:
            fault = "it names no host"
        elif parts.port == 0 or (not parts.path.removeprefix("/").isdecimal() and parts.path not in ("", "/")):
            fault = "what follows the host has to be a port and the number of a database"
    except ValueError:
        fault = "it is no URL, or its port is no number up to 65535"
    if fault is not None:
        return [f"redis.url: {fault}; {_REDIS}"]
    if not there("redis"):
        return [_missing("redis.url", "redis")]
    try:
        import_module("server.limits.redis_counters").build_redis(settings.redis).connection_pool.make_connection()
    except (TypeError, ValueError):
        return [f"redis.url: it has a parameter that the library does not know, or not so; {_REDIS}"]
    return []


def _missing(setting: str, library: str) -> str:
    return f"{setting}: the library `{library}` is not installed; `python -m pip install {library}`, or leave {setting} out"


def _shown(settings: Settings) -> str:
    assert settings.redis is not None
    parts = urlsplit(settings.redis.url.get_secret_value())
    where = parts.path if parts.scheme == "unix" else f"{parts.hostname}:{parts.port or 6379}"
    return f"{parts.scheme}://{where}"
