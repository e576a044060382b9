"""`trunkline db`: brings a database's tables up to date, looks at it, copies it into another."""

import asyncio
import os
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import Annotated, NoReturn, TypeVar

import typer

from server.config import ConfigError, data_dir, load
from server.providers.loader import provider_kinds
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
    """Tell whether the tables are up to date and whole, and what is in them. Changes nothing.

    Exit code 0: they are; 1: they are not, or the database cannot be reached.
    """
    seen = _run(inspect(*_place(url, config, data_folder)))
    if seen.tables:
        _tell_totals(seen.tables)
    if seen.fault is not None:
        _fail(f"{seen.shown}: {seen.fault}")
    print_line(open_console(), f"{seen.shown} is fine: its tables have revision {seen.newest}.", "green")


@app.command()
def copy(source: FromOption, target: ToOption) -> None:
    """Copy everything from one database into another one that is empty, and compare the two.

    Stop the gateway first: what it writes meanwhile is not copied. It is all or nothing.
    """
    shown, tables = _run(_copy(source, target))
    _tell_totals(tables)
    rows = sum(table.rows for table in tables.values())
    print_line(open_console(), f"{shown}: {rows} rows copied; counts, sums and lengths are the same on both sides.", "green")


async def _upgrade(url: str | None, folder: Path | None) -> tuple[str, Migrated]:
    database = await Database.open(url, folder)
    await database.close()
    return database.shown, database.migrated


async def _copy(source_url: str, target_url: str) -> tuple[str, Mapping[str, Totals]]:
    await inspect(source_url, None)
    source = await Database.open(source_url, None, migrations=None)
    try:
        target = await Database.open(target_url, None)
        try:
            return f"{source.shown} to {target.shown}", await copy_all(source, target)
        finally:
            await target.close()
    finally:
        await source.close()


def _place(url: str | None, config: Path | None, data_folder: Path | None) -> tuple[str | None, Path | None]:
    """The URL and the data folder, as `trunkline serve` finds them."""
    if url is not None:
        return url, None
    try:
        storage = load(config, os.environ, provider_kinds()).settings.storage
        if storage is not None and storage.url is not None:
            return storage.url.get_secret_value(), None
        return None, data_folder or data_dir(os.environ)
    except ConfigError as error:
        _fail(str(error))


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
    except StorageError as error:
        _fail(str(error))


def _fail(message: str) -> NoReturn:
    print_line(open_console(stderr=True), f"error: {message}", "red")
    raise typer.Exit(1)


def build_app() -> typer.Typer:
    """The subcommands."""
    return app
