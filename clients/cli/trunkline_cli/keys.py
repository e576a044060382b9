"""`trunkline keys`: the keys that let callers in. A key is printed once, when it is created or rotated."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated

import typer

from gateway_http.transcoding.json_rules import to_json
from trunkline.v1.admin_service_pb2 import CreateApiKeyResponse, RotateApiKeyResponse
from trunkline.v1.tenancy_pb2 import ApiKey
from trunkline_cli.options import NameOption, OfTenantOption
from trunkline_cli.records import Group, Kind, full_name, id_of, show_json, state, when
from trunkline_cli.terminal import open_console, print_line
from trunkline_client import Client

KIND: Kind[ApiKey] = Kind(
    "api_keys",
    "key",
    columns={
        "KEY": lambda each: id_of(each.name),
        "NAME": lambda each: each.display_name,
        "BEGINS WITH": lambda each: each.prefix,
        "USER": lambda each: id_of(each.user),
        "TENANT": lambda each: id_of(each.tenant),
        "PERMISSIONS": lambda each: ", ".join(each.permissions),
        "STATE": state,
        "EXPIRES": lambda each: when(each, "expire_time", "never"),
        "LAST USED": lambda each: when(each, "last_use_time", "never"),
    },
    rows={
        "key": lambda each: each.name,
        "tenant": lambda each: each.tenant,
        "user": lambda each: each.user,
        "name": lambda each: each.display_name,
        "begins with": lambda each: each.prefix,
        "permissions": lambda each: ", ".join(each.permissions),
        "models": lambda each: ", ".join(each.allowed_models) or "all",
        "providers": lambda each: ", ".join(each.allowed_providers) or "all",
        "state": state,
        "expires": lambda each: when(each, "expire_time", "never"),
        "last used": lambda each: when(each, "last_use_time", "never"),
        "created": lambda each: when(each, "create_time"),
        "changed": lambda each: when(each, "update_time"),
    },
    more=lambda each: {f"{former.prefix}...": f"until {when(former, 'expire_time')}" for former in each.former_keys},
    argument="The key's id; never the key itself.",
)
UserOption = Annotated[
    str,
    typer.Option("--user", envvar="TRUNKLINE_USER", help="The id of the user in whose name it calls.", show_default=False),
]
OfUserOption = Annotated[
    str, typer.Option("--user", envvar="TRUNKLINE_USER", help="Only those of this user.", show_default=False)
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


def create(
    client: Client,
    user: UserOption,
    name: NameOption = "",
    permission: PermissionOption = None,
    model: ModelOption = None,
    provider: ProviderOption = None,
    expires: ExpiresOption = None,
) -> CreateApiKeyResponse:
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
    return client.admin.create_api_key(given)


def list_(client: Client, tenant: OfTenantOption = "", user: OfUserOption = "") -> Iterable[ApiKey]:
    """List the keys."""
    return client.admin.list_api_keys(tenant=full_name("tenants", tenant), user=full_name("users", user))


def enable(client: Client, name: str, enabled: bool) -> ApiKey:
    """Lets whoever calls with it in, or not."""
    return client.admin.update_api_key(ApiKey(name=name, enabled=enabled))


def rotate(client: Client, record: str, overlap: OverlapOption = 0) -> RotateApiKeyResponse:
    """Replace a key by a new one, and print that, this once. The name stays, and so does what it may do."""
    return client.admin.rotate_api_key(full_name(KIND.collection, record), overlap_s=overlap)


def build_app() -> typer.Typer:
    """The command with its subcommands."""
    group = Group(KIND, "The keys that let callers in.")
    group.add("create", create, _show_new)
    group.many("list", list_)
    group.change("show", lambda client, name: client.admin.get_api_key(name), "Show a key.")
    group.switch(enable, "Whoever calls with it is refused within two seconds.")
    group.add("rotate", rotate, _show_new)
    group.end(
        lambda client, name: client.admin.delete_api_key(name),
        "Delete a key. Whoever calls with it is refused within two seconds. What it used stays known.",
    )
    return group.app


def _show_new(made: CreateApiKeyResponse | RotateApiKeyResponse, as_json: bool) -> None:
    """Shows what is known of a key, and the key itself."""
    if as_json:
        show_json(to_json(made))
        return
    KIND.show(made.api_key)
    print_line(open_console(), made.key)
    print_line(open_console(stderr=True), "This is the key. It is shown this once: keep it.", "yellow")
