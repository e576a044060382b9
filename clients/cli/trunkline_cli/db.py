"""`trunkline db`: brings a database's tables up to date, looks at it, copies it into another."""

import asyncio
import os
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, NoReturn, TypeVar

import typer

from server.config import ConfigError, data_dir, load
from server.ledger.left import FOLDER_NAME, count_waiting, take_all
from server.providers.loader import provider_kinds
from server.storage.address import FILE_NAME, Address, find_address
from server.storage.copying import copy as copy_all
from server.storage.database import Database
from server.storage.errors import StorageError
from server.storage.inspection import inspect
from server.storage.revision import Migrated
from server.storage.totals import Totals
from trunkline_cli.options import ConfigOption
from trunkline_cli.terminal import add_row, open_console, open_table, print_line

app = typer.Typer(help="Look after the gateway's database.", no_args_is_help=True)
_URLS = "sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME."

UrlOption = Annotated[
    str | None,
    typer.Option(
        "--url",
        envvar="TRUNKLINE_DB_URL",
        help=f"The database: {_URLS} Without one: the configuration's.",
        show_default=False,
        show_envvar=True,
    ),
]
DataDirOption = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        envvar="TRUNKLINE_DATA_DIR",
        help="The folder of the database that no URL names. Without one: trunkline in the user's data folder.",
        show_default=False,
    ),
]
FromOption = Annotated[
    str,
    typer.Option("--from", envvar="TRUNKLINE_DB_FROM", help=f"The database with the rows: {_URLS}", show_default=False),
]
ToOption = Annotated[
    str,
    typer.Option("--to", envvar="TRUNKLINE_DB_TO", help=f"The database without any: {_URLS}", show_default=False),
]
_Made = TypeVar("_Made")


@app.command()
def upgrade(url: UrlOption = None, config: ConfigOption = None, data_folder: DataDirOption = None) -> None:
    """Bring the tables up to date. `trunkline serve` does so, too, when it starts."""
    shown, migrated = _run(_upgrade(*_place(url, config, data_folder)))
    what = "were up to date" if migrated.before == migrated.after else f"came from {migrated.before or 'none'}"
    print_line(open_console(), f"{shown}: its tables have revision {migrated.after}; they {what}.", "green")


@app.command()
def check(url: UrlOption = None, config: ConfigOption = None, data_folder: DataDirOption = None) -> None:
    """Tell whether the tables are up to date and whole, what is in them, and whether rows wait in files. Changes nothing.

    Exit code 0: they are; 1: they are not, or the database cannot be reached.
    """
    seen = _run(inspect(*_place(url, config, data_folder)))
    if seen.tables:
        _tell_totals(seen.tables)
    spools = _find_spools(url, config, data_folder)
    _tell_unread(spools)
    for folder in spools.its:
        _tell_waiting(folder, "and are not counted above; a gateway writes its own, the next one those of one that is gone")
    if seen.fault is not None:
        _fail(f"{seen.shown}: {seen.fault}")
    print_line(open_console(), f"{seen.shown} is fine: its tables have revision {seen.newest}.", "green")


@app.command()
def copy(source: FromOption, target: ToOption, config: ConfigOption = None, data_folder: DataDirOption = None) -> None:
    """Copy everything from one database into another one that is empty, and compare the two.

    Stop the gateway first: what it writes meanwhile is not copied. What one that was killed left in files is written to the
    database before; they are in the data folder, if the configuration names the database, or beside a trunkline.db
    elsewhere. It is all or nothing.
    """
    spools = _find_spools(source, config, data_folder)
    _tell_unread(spools)
    for folder in spools.others:
        _tell_waiting(folder, f"and stay there: the configuration does not say that they are {spools.shown}'s")
    taken, shown, tables = _run(_copy(source, target, spools.its))
    _tell_totals(tables)
    if taken:
        where = " and ".join(map(str, spools.its))
        print_line(open_console(), f"{taken} completions that waited in {where} were written to {spools.shown} first.")
    rows = sum(table.rows for table in tables.values())
    print_line(open_console(), f"{shown}: {rows} rows copied; counts, sums and lengths are the same on both sides.", "green")


@dataclass(frozen=True, slots=True)
class _Spools:
    """Where gateways leave rows of a database.

    Attributes:
        shown: where the database is, without secrets.
        its: the folders; they need not be there.
        others: those that may be another database's: the data folder's, or one beside the file.
        unread: why the configuration could not be read; empty: it was.
    """

    shown: str
    its: Sequence[Path]
    others: Sequence[Path]
    unread: str


async def _upgrade(url: str | None, folder: Path | None) -> tuple[str, Migrated]:
    database = await Database.open(url, folder)
    await database.close()
    return database.shown, database.migrated


async def _copy(source_url: str, target_url: str, spools: Sequence[Path]) -> tuple[int, str, Mapping[str, Totals]]:
    seen = await inspect(source_url, None)
    source = await Database.open(source_url, None, migrations=None)
    try:
        target = await Database.open(target_url, None)
        try:
            taken = await take_all(spools, source) if seen.revision == seen.newest else 0
            return taken, f"{source.shown} to {target.shown}", await copy_all(source, target)
        finally:
            await target.close()
    finally:
        await source.close()


def _place(url: str | None, config: Path | None, data_folder: Path | None) -> tuple[str | None, Path | None]:
    """The URL and the data folder, as `trunkline serve` finds them."""
    try:
        url = _named(config) if url is None else url
        return url, None if url is not None else data_folder or data_dir(os.environ)
    except ConfigError as error:
        _fail(str(error))


def _named(config: Path | None) -> str | None:
    """The URL that the configuration has."""
    url = load(config, os.environ, provider_kinds()).settings.storage.url
    return None if url is None else url.get_secret_value()


def _find_spools(url: str | None, config: Path | None, data_folder: Path | None) -> _Spools:
    """The data folder's, if the configuration names the database; elsewhere that beside a file named as `serve` does."""
    try:
        folder = data_folder or data_dir(os.environ)
    except ConfigError:  # who has a URL can do without
        folder = None
    own, unread = None, ""
    try:
        named = _named(config)
        own = find_address(named, folder)
    except (ConfigError, StorageError) as error:
        if url is None:
            _fail(str(error))
        named, folder, unread = None, None, str(error)
    try:
        address = find_address(named if url is None else url, folder)
    except StorageError as error:
        _fail(str(error))
    its: list[Path] = []
    others: list[Path] = []
    data = None if folder is None else folder.resolve() / FOLDER_NAME
    if data is not None:
        same = own is not None and not address.memory and _whereabouts(address) == _whereabouts(own)
        (its if same else others).append(data)
    if address.file is not None and (beside := address.file.parent.resolve() / FOLDER_NAME) != data:
        (its if address.file.name == FILE_NAME else others).append(beside)
    return _Spools(address.shown, its, others, unread)


def _whereabouts(address: Address) -> Path | str:
    return address.shown if address.file is None else address.file.resolve()


def _tell_unread(spools: _Spools) -> None:
    """Says so where the configuration could not be read."""
    if spools.unread:
        what = f"The configuration could not be read, so its data folder was not looked at: {spools.unread}"
        print_line(open_console(), what, "yellow")


def _tell_waiting(folder: Path, what: str) -> None:
    """Says so where entries wait in a folder."""
    try:
        count = count_waiting(folder)
    except OSError as error:
        _fail(str(error))
    if count:
        print_line(open_console(), f"{count} entries wait in {folder} {what}.", "yellow")


def _tell_totals(tables: Mapping[str, Totals]) -> None:
    table = open_table("TABLE", "ROWS", "SUM", "LENGTH")
    for name, totals in tables.items():
        add_row(table, name, str(totals.rows), str(totals.total), str(totals.length))
    console = open_console()
    console.print(table)
    console.print()


def _run(work: Coroutine[None, None, _Made]) -> _Made:
    try:
        return asyncio.run(work)
    except (StorageError, OSError) as error:
        _fail(str(error))


def _fail(message: str) -> NoReturn:
    print_line(open_console(stderr=True), f"error: {message}", "red")
    raise typer.Exit(1)


def build_app() -> typer.Typer:
    """The subcommands."""
    return app
