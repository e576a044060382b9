"""`trunkline tenants`: organisations whose people and programs call a gateway."""

from collections.abc import Iterable

import typer

from trunkline.v1.tenancy_pb2 import Tenant
from trunkline_cli.options import IdOption, NameOption
from trunkline_cli.records import Group, Kind, id_of, state, when
from trunkline_client import Client

KIND: Kind[Tenant] = Kind(
    "tenants",
    "tenant",
    columns={
        "TENANT": lambda each: id_of(each.name),
        "NAME": lambda each: each.display_name,
        "STATE": state,
        "CREATED": lambda each: when(each, "create_time"),
    },
    rows={
        "tenant": lambda each: each.name,
        "name": lambda each: each.display_name,
        "state": state,
        "created": lambda each: when(each, "create_time"),
        "changed": lambda each: when(each, "update_time"),
    },
)


def create(client: Client, id_: IdOption = "", name: NameOption = "") -> Tenant:
    """Create a tenant."""
    return client.admin.create_tenant(Tenant(display_name=name), tenant_id=id_)


def list_(client: Client) -> Iterable[Tenant]:
    """List the tenants."""
    return client.admin.list_tenants()


def enable(client: Client, name: str, enabled: bool) -> Tenant:
    """Lets its keys in, or not."""
    return client.admin.update_tenant(Tenant(name=name, enabled=enabled))


def build_app() -> typer.Typer:
    """The command with its subcommands."""
    group = Group(KIND, "Organisations whose people and programs call a gateway.")
    group.one("create", create)
    group.many("list", list_)
    group.change("show", lambda client, name: client.admin.get_tenant(name), "Show a tenant.")
    group.switch(enable, "Its keys are refused within two seconds.")
    group.end(
        lambda client, name: client.admin.delete_tenant(name),
        "Delete a tenant. Its users have to be deleted first. What it used stays known.",
    )
    return group.app
