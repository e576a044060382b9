"""`trunkline users`: people and programs of tenants, in whose name keys call."""

from typing import Annotated

import typer
from rich.text import Text

from trunkline.v1.tenancy_pb2 import User
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
from trunkline_cli.terminal import add_row, open_console, open_table

UserArgument = Annotated[str, typer.Argument(help="The user's id.", show_default=False)]
TenantOption = Annotated[
    str,
    typer.Option(
        "--tenant", envvar="TRUNKLINE_TENANT", help="The tenant's id. Without one: the key's own.", show_default=False
    ),
]
OfTenantOption = Annotated[
    str, typer.Option("--tenant", envvar="TRUNKLINE_TENANT", help="Only this tenant's users.", show_default=False)
]
IdOption = Annotated[
    str,
    typer.Option(
        "--id",
        envvar="TRUNKLINE_ID",
        help="Its id: lower-case letters, digits, hyphens. Without one: one is made.",
        show_default=False,
    ),
]
NameOption = Annotated[
    str, typer.Option("--name", envvar="TRUNKLINE_NAME", help="What to call it. Without one: its id.", show_default=False)
]


def create(
    tenant: TenantOption = "",
    id_: IdOption = "",
    name: NameOption = "",
    target: TargetOption = DEFAULT_TARGET,
    api_key: ApiKeyOption = None,
    tls: TlsOption = False,
    tls_ca: TlsCaOption = None,
    timeout: TimeoutOption = 30.0,
) -> None:
    """Create a user of a tenant."""
    with Connection(target, api_key, tls, tls_ca, timeout).open() as client:
        given = User(tenant=full_name("tenants", tenant), display_name=name)
        made = client.admin.create_user(given, user_id=id_)
    _show(made)


def list_(
    tenant: OfTenantOption = "",
    target: TargetOption = DEFAULT_TARGET,
    api_key: ApiKeyOption = None,
    tls: TlsOption = False,
    tls_ca: TlsCaOption = None,
    timeout: TimeoutOption = 30.0,
) -> None:
    """List the users."""
    table = open_table("USER", "NAME", "TENANT", "STATE", "CREATED")
    with Connection(target, api_key, tls, tls_ca, timeout).open() as client:
        for each in client.admin.list_users(tenant=full_name("tenants", tenant)):
            user, of = each.name.partition("/")[2], each.tenant.partition("/")[2]
            add_row(table, user, each.display_name, of, state(each), when(each.create_time))
    open_console().print(table)


def show(
    user: UserArgument,
    target: TargetOption = DEFAULT_TARGET,
    api_key: ApiKeyOption = None,
    tls: TlsOption = False,
    tls_ca: TlsCaOption = None,
    timeout: TimeoutOption = 30.0,
) -> None:
    """Show a user."""
    with Connection(target, api_key, tls, tls_ca, timeout).open() as client:
        found = client.admin.get_user(full_name("users", user))
    _show(found)


def enable(
    user: UserArgument,
    target: TargetOption = DEFAULT_TARGET,
    api_key: ApiKeyOption = None,
    tls: TlsOption = False,
    tls_ca: TlsCaOption = None,
    timeout: TimeoutOption = 30.0,
) -> None:
    """Enable a user."""
    with Connection(target, api_key, tls, tls_ca, timeout).open() as client:
        changed = client.admin.update_user(User(name=full_name("users", user), enabled=True))
    _show(changed)


def disable(
    user: UserArgument,
    target: TargetOption = DEFAULT_TARGET,
    api_key: ApiKeyOption = None,
    tls: TlsOption = False,
    tls_ca: TlsCaOption = None,
    timeout: TimeoutOption = 30.0,
) -> None:
    """Disable a user. Its keys are refused within two seconds."""
    with Connection(target, api_key, tls, tls_ca, timeout).open() as client:
        changed = client.admin.update_user(User(name=full_name("users", user), enabled=False))
    _show(changed)


def delete(
    user: UserArgument,
    target: TargetOption = DEFAULT_TARGET,
    api_key: ApiKeyOption = None,
    tls: TlsOption = False,
    tls_ca: TlsCaOption = None,
    timeout: TimeoutOption = 30.0,
) -> None:
    """Delete a user. Its keys have to be deleted first. What it used stays known."""
    with Connection(target, api_key, tls, tls_ca, timeout).open() as client:
        client.admin.delete_user(full_name("users", user))


def _show(user: User) -> None:
    rows: dict[str, str | Text] = {"user": user.name, "tenant": user.tenant, "name": user.display_name, "state": state(user)}
    show_record(rows | {"created": when(user.create_time), "changed": when(user.update_time)})


def build_app() -> typer.Typer:
    """The command with its subcommands."""
    app = typer.Typer(help="People and programs of tenants, in whose name keys call.", no_args_is_help=True)
    app.command("create")(create)
    app.command("list")(list_)
    app.command("show")(show)
    app.command("enable")(enable)
    app.command("disable")(disable)
    app.command("delete")(delete)
    return app
