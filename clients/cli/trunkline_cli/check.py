"""`trunkline check`: whether a gateway could start here, and what is missing.

Writes names, places and addresses, and never a key or any other value that may be secret.
"""

import asyncio
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer
from rich.console import Console
from rich.text import Text

from server.catalogue.selection_file import SelectionFile, SelectionFileError
from server.clock import SystemClock
from server.config import ConfigError, Loaded, ProviderKind, ProviderSettings, Settings, data_dir, ensure_first_key, load
from server.config.first_key import FILE_NAME
from server.config.paths import show_variable
from server.config.provider_kind import find_kind
from server.providers.loader import provider_kinds
from trunkline_cli.addresses import Addresses, find_unusable
from trunkline_cli.options import ConfigOption
from trunkline_cli.said import GrpcPortOption, HostOption, MetricsPortOption, PortOption, WorkersOption, fold
from trunkline_cli.start_faults import find_start_faults
from trunkline_cli.stores import can_be_written, find_silent_stores
from trunkline_cli.terminal import add_row, open_console, open_table, print_line

_STYLES = {"fault": "red", "warning": "yellow", "info": "dim"}
_SHOWN_MODELS = 3


def check(
    config: ConfigOption = None,
    data_folder: Annotated[
        Path | None,
        typer.Option(
            "--data-dir",
            envvar="TRUNKLINE_DATA_DIR",
            help="The folder for the gateway's own data. Without one: trunkline in the user's data folder.",
            show_default=False,
        ),
    ] = None,
    connect: Annotated[
        bool,
        typer.Option("--connect", envvar="TRUNKLINE_CONNECT", help="See whether the database and Redis answer, too."),
    ] = False,
    host: HostOption = None,
    port: PortOption = None,
    grpc_port: GrpcPortOption = None,
    metrics_port: MetricsPortOption = None,
    workers: WorkersOption = None,
) -> None:
    """Check the configuration and the environment, and tell what is missing.

    What `serve` is told beside the configuration, by options or variables, this is told in the same way. Starts nothing,
    writes nothing, and calls nobody but database and Redis with --connect. Ports are taken for a moment.
    Exit code 0: a gateway could start; 1: there are faults.
    """
    console = open_console()
    env = {**os.environ, "TRUNKLINE_DATA_DIR": str(data_folder)} if data_folder is not None else dict(os.environ)
    kinds = provider_kinds()
    try:
        loaded = load(config, env, kinds)
    except ConfigError as error:
        _tell_faults(console, str(error).splitlines())
        raise typer.Exit(1) from error
    loaded = replace(loaded, settings=fold(loaded.settings, host, port, grpc_port, metrics_port, workers))
    _tell_providers(console, loaded.settings.providers, kinds)
    _tell_notices(console, loaded)
    if loaded.path is None:
        _tell_usable_vendors(console, loaded.settings, kinds)
    addresses = Addresses.of(loaded.settings.server)
    unusable = find_unusable(addresses)
    for each in unusable:
        if each.taken:
            print_line(console, f"warning: {each.text}", _STYLES["warning"])
    faults = [
        *find_start_faults(loaded.settings, addresses),
        *(each.text for each in unusable if not each.taken),
        *_data_faults(console, loaded.settings, env),
    ]
    if connect and not faults:
        faults = asyncio.run(find_silent_stores(loaded.settings, _folder(env)))
    _tell_faults(console, faults)
    if faults:
        raise typer.Exit(1)
    source = "The embedded defaults are" if loaded.path is None else f"{loaded.path} is"
    print_line(console, f"{source} fine.", "green")


def _tell_faults(console: Console, faults: Sequence[str]) -> None:
    for fault in faults:
        print_line(console, f"fault: {fault}", _STYLES["fault"])


def _tell_notices(console: Console, loaded: Loaded) -> None:
    for notice in loaded.notices:
        place = f"line {notice.line}: " if notice.line is not None else ""
        path = f"{notice.path}: " if notice.path else ""
        print_line(console, f"{notice.severity}: {place}{path}{notice.message}", _STYLES[notice.severity])


def _tell_providers(console: Console, rows: Sequence[ProviderSettings], kinds: Sequence[ProviderKind]) -> None:
    table = open_table("PROVIDER", "TYPE", "ADDRESS", "KEY", "MODELS")
    for row in rows:
        name = row.name if row.enabled else f"{row.name} (disabled)"
        address = urlsplit(row.base_url).netloc if row.base_url else "-"
        add_row(table, name, row.type, address, _key(row, find_kind(kinds, row.type)), _models(row.models))
    if rows:
        console.print(table)
        console.print()


def _key(row: ProviderSettings, kind: ProviderKind | None) -> Text:
    """Whether the provider has its key; if not, which variable to set."""
    if row.api_key is not None:
        return Text("set", "green")
    if row.api_key_env is not None:
        return Text(f"missing: set the variable {show_variable(row.api_key_env)}", "yellow")
    if kind is None or not kind.needs_key:
        return Text("not needed", "dim")
    if kind.api_key_env and (kind.base_url is None or row.base_url == kind.base_url.rstrip("/")):
        return Text(f"missing: set {kind.api_key_env[0]}", "yellow")
    return Text("missing: name its variable with `api_key_env`", "yellow")


def _models(models: Sequence[str]) -> str:
    more = len(models) - _SHOWN_MODELS
    shown = ", ".join(models[:_SHOWN_MODELS])
    return f"{shown} and {more} more" if more > 0 else shown or "-"


def _tell_usable_vendors(console: Console, settings: Settings, kinds: Sequence[ProviderKind]) -> None:
    """Without a file a variable is all that a vendor needs."""
    present = {row.type for row in settings.providers}
    usable = [kind for kind in kinds if kind.base_url and kind.api_key_env and kind.type not in present]
    if usable:
        variables = ", ".join(f"{kind.api_key_env[0]} ({kind.type})" for kind in usable)
        print_line(console, f"info: set one of these to ask more vendors: {variables}", _STYLES["info"])


def _folder(env: Mapping[str, str]) -> Path | None:
    """The data folder; None where nothing says, which is a fault of its own."""
    try:
        return data_dir(env)
    except ConfigError:
        return None


def _data_faults(console: Console, settings: Settings, env: Mapping[str, str]) -> list[str]:
    """What keeps the gateway from using its data folder; tells where its first key is, if it is one that needs it."""
    try:
        folder = data_dir(env)
    except ConfigError as error:  # whoever has keys can do without
        return [] if settings.auth.api_keys else str(error).splitlines()
    needed = not settings.auth.api_keys or settings.storage.url is None
    if needed and not can_be_written(folder):
        return [f"{folder}: the data folder cannot be made or written; set TRUNKLINE_DATA_DIR to another one"]
    try:
        SelectionFile(folder, SystemClock())
        key_is_there = not settings.auth.api_keys and (folder / FILE_NAME).exists()
        if key_is_there:
            ensure_first_key(folder)
    except (ConfigError, SelectionFileError) as error:
        return str(error).splitlines()
    except OSError as error:
        return [f"{folder}: {error.strerror}"]
    if key_is_there:
        print_line(console, f"info: callers' key: the one made at the first start; its digest is in {folder}", "dim")
    elif not settings.auth.api_keys:
        made = f"info: callers' key: one is made at the first start and shown once; data folder {folder}"
        print_line(console, made, "dim")
    return []
