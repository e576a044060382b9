"""`trunkline users`: people and programs of tenants, in whose name keys call."""

from collections.abc import Iterable
from typing import Annotated

import typer

from trunkline.v1.tenancy_pb2 import User
from trunkline_cli.options import IdOption, NameOption, OfTenantOption
from trunkline_cli.records import Group, Kind, full_name, id_of, state, when
from trunkline_client import Client

KIND: Kind[User] = Kind(
    "users",
    "user",
    columns={
        "USER": lambda each: id_of(each.name),
        "NAME": lambda each: each.display_name,
        "TENANT": lambda each: id_of(each.tenant),
        "STATE": state,
        "CREATED": lambda each: when(each, "create_time"),
    },
    rows={
        "user": lambda each: each.name,
        "tenant": lambda each: each.tenant,
        "name": lambda each: each.display_name,
        "state": state,
        "created": lambda each: when(each, "create_time"),
        "changed": lambda each: when(each, "update_time"),
    },
)
TenantOption = Annotated[
    str,
    typer.Option(
        "--tenant", envvar="TRUNKLINE_TENANT", help="The tenant's id. Without one: the key's own.", show_default=False
    ),
]


def create(client: Client, tenant: TenantOption = "", id_: IdOption = "", name: NameOption = "") -> User:
    """Create a user of a tenant."""
    return client.admin.create_user(User(tenant=full_name("tenants", tenant), display_name=name), user_id=id_)


def list_(client: Client, tenant: OfTenantOption = "") -> Iterable[User]:
    """List the users."""
    return client.admin.list_users(tenant=full_name("tenants", tenant))


def enable(client: Client, name: str, enabled: bool) -> User:
    """Lets its keys in, or not."""
    return client.admin.update_user(User(name=name, enabled=enabled))


def build_app() -> typer.Typer:
    """The command with its subcommands."""
    group = Group(KIND, "People and programs of tenants, in whose name keys call.")
    group.one("create", create)
    group.many("list", list_)
    group.change("show", lambda client, name: client.admin.get_user(name), "Show a user.")
    group.switch(enable, "Its keys are refused within two seconds.")
    group.end(
        lambda client, name: client.admin.delete_user(name),
        "Delete a user. Its keys have to be deleted first. What it used stays known.",
    )
    return group.app
