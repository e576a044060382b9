"""`trunkline tenants`: organisations whose people and programs call a gateway."""

from typing import Annotated

import typer
from rich.text import Text

from trunkline.v1.tenancy_pb2 import Tenant
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

TenantArgument = Annotated[str, typer.Argument(help="The tenant's id.", show_default=False)]
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
    id_: IdOption = "",
    name: NameOption = "",
    target: TargetOption = DEFAULT_TARGET,
    api_key: ApiKeyOption = None,
    tls: TlsOption = False,
    tls_ca: TlsCaOption = None,
    timeout: TimeoutOption = 30.0,
) -> None:
    """Create a tenant."""
    with Connection(target, api_key, tls, tls_ca, timeout).open() as client:
        made = client.admin.create_tenant(Tenant(display_name=name), tenant_id=id_)
    _show(made)


def list_(
    target: TargetOption = DEFAULT_TARGET,
    api_key: ApiKeyOption = None,
    tls: TlsOption = False,
    tls_ca: TlsCaOption = None,
    timeout: TimeoutOption = 30.0,
) -> None:
    """List the tenants."""
    table = open_table("TENANT", "NAME", "STATE", "CREATED")
    with Connection(target, api_key, tls, tls_ca, timeout).open() as client:
        for each in client.admin.list_tenants():
            add_row(table, each.name.partition("/")[2], each.display_name, state(each), when(each.create_time))
    open_console().print(table)


def show(
    tenant: TenantArgument,
    target: TargetOption = DEFAULT_TARGET,
    api_key: ApiKeyOption = None,
    tls: TlsOption = False,
    tls_ca: TlsCaOption = None,
    timeout: TimeoutOption = 30.0,
) -> None:
    """Show a tenant."""
    with Connection(target, api_key, tls, tls_ca, timeout).open() as client:
        found = client.admin.get_tenant(full_name("tenants", tenant))
    _show(found)


def enable(
    tenant: TenantArgument,
    target: TargetOption = DEFAULT_TARGET,
    api_key: ApiKeyOption = None,
    tls: TlsOption = False,
    tls_ca: TlsCaOption = None,
    timeout: TimeoutOption = 30.0,
) -> None:
    """Enable a tenant."""
    with Connection(target, api_key, tls, tls_ca, timeout).open() as client:
        changed = client.admin.update_tenant(Tenant(name=full_name("tenants", tenant), enabled=True))
    _show(changed)


def disable(
    tenant: TenantArgument,
    target: TargetOption = DEFAULT_TARGET,
    api_key: ApiKeyOption = None,
    tls: TlsOption = False,
    tls_ca: TlsCaOption = None,
    timeout: TimeoutOption = 30.0,
) -> None:
    """Disable a tenant. Its keys are refused within two seconds."""
    with Connection(target, api_key, tls, tls_ca, timeout).open() as client:
        changed = client.admin.update_tenant(Tenant(name=full_name("tenants", tenant), enabled=False))
    _show(changed)


def delete(
    tenant: TenantArgument,
    target: TargetOption = DEFAULT_TARGET,
    api_key: ApiKeyOption = None,
    tls: TlsOption = False,
    tls_ca: TlsCaOption = None,
    timeout: TimeoutOption = 30.0,
) -> None:
    """Delete a tenant. Its users have to be deleted first. What it used stays known."""
    with Connection(target, api_key, tls, tls_ca, timeout).open() as client:
        client.admin.delete_tenant(full_name("tenants", tenant))


def _show(tenant: Tenant) -> None:
    rows: dict[str, str | Text] = {"tenant": tenant.name, "name": tenant.display_name, "state": state(tenant)}
    show_record(rows | {"created": when(tenant.create_time), "changed": when(tenant.update_time)})


def build_app() -> typer.Typer:
    """The command with its subcommands."""
    app = typer.Typer(help="Organisations whose people and programs call a gateway.", no_args_is_help=True)
    app.command("create")(create)
    app.command("list")(list_)
    app.command("show")(show)
    app.command("enable")(enable)
    app.command("disable")(disable)
    app.command("delete")(delete)
    return app
