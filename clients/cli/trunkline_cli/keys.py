"""`trunkline keys`: the keys that let callers in. A key is printed once, when it is created or rotated."""

from datetime import datetime
from typing import Annotated

import typer
from rich.text import Text

from trunkline.v1.tenancy_pb2 import ApiKey
from trunkline_cli.connection import (
    DEFAULT_TARGET,
    ApiKeyOption,
    Connection,
    TargetOption,
    TimeoutOption,
    TlsCaOption,
    TlsOption,
)
from trunkline_cli.records import full_name, show_record, state, when
from trunkline_cli.terminal import add_row, open_console, open_table, print_line

KeyArgument = Annotated[str, typer.Argument(help="The key's id; never the key itself.", show_default=False)]
UserOption = Annotated[
    str,
    typer.Option("--user", envvar="TRUNKLINE_USER", help="The id of the user in whose name it calls.", show_default=False),
]
OfTenantOption = Annotated[
    str, typer.Option("--tenant", envvar="TRUNKLINE_TENANT", help="Only this tenant's keys.", show_default=False)
]
OfUserOption = Annotated[
    str, typer.Option("--user", envvar="TRUNKLINE_USER", help="Only this user's keys.", show_default=False)
]
PermissionOption = Annotated[
    list[str] | None,
    typer.Option(
        "--permission",
        envvar="TRUNKLINE_PERMISSION",
        help="completion, models:read, metrics:read or admin; may be repeated. Without one: completion.",
        show_default=False,
    ),
]
ModelOption = Annotated[
    list[str] | None,
    typer.Option(
        "--model",
        envvar="TRUNKLINE_ALLOWED_MODEL",
        help="A model that it may ask for, or a pattern with `*`; may be repeated. Without one: all.",
        show_default=False,
    ),
]
ProviderOption = Annotated[
    list[str] | None,
    typer.Option(
        "--provider",
        envvar="TRUNKLINE_ALLOWED_PROVIDER",
        help="A provider that may be asked for it, or a pattern with `*`; may be repeated. Without one: all.",
        show_default=False,
    ),
]
ExpiresOption = Annotated[
    datetime | None,
    typer.Option(
        "--expires", envvar="TRUNKLINE_EXPIRES", help="When it ends, in UTC. Without one: never.", show_default=False
    ),
]
OverlapOption = Annotated[
    float,
    typer.Option(
        "--overlap",
        envvar="TRUNKLINE_OVERLAP",
        min=0,
        max=30 * 24 * 3600,
        help="How many seconds the old key is let in beside the new one.",
    ),
]
NameOption = Annotated[
    str, typer.Option("--name", envvar="TRUNKLINE_NAME", help="What to call it. Without one: its id.", show_default=False)
]


def create(
    user: UserOption,
    name: NameOption = "",
    permission: PermissionOption = None,
    model: ModelOption = None,
    provider: ProviderOption = None,
    expires: ExpiresOption = None,
    target: TargetOption = DEFAULT_TARGET,
    api_key: ApiKeyOption = None,
    tls: TlsOption = False,
    tls_ca: TlsCaOption = None,
    timeout: TimeoutOption = 30.0,
) -> None:
    """Create a key of a user, and print it, this once."""
    given = ApiKey(
        user=full_name("users", user),
        display_name=name,
        permissions=permission or [],
        allowed_models=model or [],
        allowed_providers=provider or [],
    )
    if expires is not None:
        given.expire_time.FromDatetime(expires)
    with Connection(target, api_key, tls, tls_ca, timeout).open() as client:
        made = client.admin.create_api_key(given)
    _show(made.api_key, made.key)


def list_(
    tenant: OfTenantOption = "",
    user: OfUserOption = "",
    target: TargetOption = DEFAULT_TARGET,
    api_key: ApiKeyOption = None,
    tls: TlsOption = False,
    tls_ca: TlsCaOption = None,
    timeout: TimeoutOption = 30.0,
) -> None:
    """List the keys."""
    table = open_table("KEY", "NAME", "BEGINS WITH", "USER", "TENANT", "PERMISSIONS", "STATE", "EXPIRES")
    with Connection(target, api_key, tls, tls_ca, timeout).open() as client:
        for each in client.admin.list_api_keys(tenant=full_name("tenants", tenant), user=full_name("users", user)):
            key, of, tenant_id = (name.partition("/")[2] for name in (each.name, each.user, each.tenant))
            names = (key, each.display_name, each.prefix, of, tenant_id)
            add_row(table, *names, ", ".join(each.permissions), state(each), when(each.expire_time, "never"))
    open_console().print(table)


def show(
    key: KeyArgument,
    target: TargetOption = DEFAULT_TARGET,
    api_key: ApiKeyOption = None,
    tls: TlsOption = False,
    tls_ca: TlsCaOption = None,
    timeout: TimeoutOption = 30.0,
) -> None:
    """Show a key."""
    with Connection(target, api_key, tls, tls_ca, timeout).open() as client:
        found = client.admin.get_api_key(full_name("api_keys", key))
    _show(found)


def enable(
    key: KeyArgument,
    target: TargetOption = DEFAULT_TARGET,
    api_key: ApiKeyOption = None,
    tls: TlsOption = False,
    tls_ca: TlsCaOption = None,
    timeout: TimeoutOption = 30.0,
) -> None:
    """Enable a key."""
    with Connection(target, api_key, tls, tls_ca, timeout).open() as client:
        changed = client.admin.update_api_key(ApiKey(name=full_name("api_keys", key), enabled=True))
    _show(changed)


def disable(
    key: KeyArgument,
    target: TargetOption = DEFAULT_TARGET,
    api_key: ApiKeyOption = None,
    tls: TlsOption = False,
    tls_ca: TlsCaOption = None,
    timeout: TimeoutOption = 30.0,
) -> None:
    """Disable a key. Whoever calls with it is refused within two seconds."""
    with Connection(target, api_key, tls, tls_ca, timeout).open() as client:
        changed = client.admin.update_api_key(ApiKey(name=full_name("api_keys", key), enabled=False))
    _show(changed)


def delete(
    key: KeyArgument,
    target: TargetOption = DEFAULT_TARGET,
    api_key: ApiKeyOption = None,
    tls: TlsOption = False,
    tls_ca: TlsCaOption = None,
    timeout: TimeoutOption = 30.0,
) -> None:
    """Delete a key. Whoever calls with it is refused within two seconds. What it used stays known."""
    with Connection(target, api_key, tls, tls_ca, timeout).open() as client:
        client.admin.delete_api_key(full_name("api_keys", key))


def rotate(
    key: KeyArgument,
    overlap: OverlapOption = 0,
    target: TargetOption = DEFAULT_TARGET,
    api_key: ApiKeyOption = None,
    tls: TlsOption = False,
    tls_ca: TlsCaOption = None,
    timeout: TimeoutOption = 30.0,
) -> None:
    """Replace a key by a new one, and print that, this once. The name stays, and so does what it may do."""
    with Connection(target, api_key, tls, tls_ca, timeout).open() as client:
        made = client.admin.rotate_api_key(full_name("api_keys", key), overlap_s=overlap)
    _show(made.api_key, made.key)


def _show(key: ApiKey, plain: str = "") -> None:
    """Shows what is known of a key, and the key itself where it is new."""
    rows: dict[str, str | Text] = {
        "key": key.name,
        "tenant": key.tenant,
        "user": key.user,
        "name": key.display_name,
        "begins with": key.prefix,
        "permissions": ", ".join(key.permissions),
        "models": ", ".join(key.allowed_models) or "all",
        "providers": ", ".join(key.allowed_providers) or "all",
        "state": state(key),
        "expires": when(key.expire_time, "never"),
        "created": when(key.create_time),
        "changed": when(key.update_time),
    }
    former = {f"until {when(each.expire_time)}": f"{each.prefix}..." for each in key.former_keys}
    show_record(rows | former)
    if plain:
        print_line(open_console(), plain)
        print_line(open_console(stderr=True), "This is the key. It is shown this once: keep it.", "yellow")


def build_app() -> typer.Typer:
    """The command with its subcommands."""
    app = typer.Typer(help="The keys that let callers in.", no_args_is_help=True)
    app.command("create")(create)
    app.command("list")(list_)
    app.command("show")(show)
    app.command("enable")(enable)
    app.command("disable")(disable)
    app.command("rotate")(rotate)
    app.command("delete")(delete)
    return app
