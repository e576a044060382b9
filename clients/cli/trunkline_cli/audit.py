"""`trunkline audit`: who changed which tenants, users, keys, quotas, budgets and prices."""

from collections.abc import Iterable
from itertools import islice
from typing import Annotated

import typer

from trunkline.v1.tenancy_pb2 import AuditEntry
from trunkline_cli.connected import asking
from trunkline_cli.options import MostOption
from trunkline_cli.records import Kind, id_of, when
from trunkline_client import Client

KIND: Kind[AuditEntry] = Kind(
    "audit",
    "change",
    columns={
        "TIME": lambda each: when(each, "create_time"),
        "ACTOR": lambda each: each.actor,
        "ACTION": lambda each: each.action,
        "RESOURCE": lambda each: each.resource,
        "TENANT": lambda each: id_of(each.tenant) or "-",
        "REQUEST": lambda each: each.request_id,
    },
    rows={},
)
ResourceOption = Annotated[
    str,
    typer.Option("--resource", envvar="TRUNKLINE_RESOURCE", help="Only changes of it, as tenants/acme.", show_default=False),
]
ActorOption = Annotated[
    str,
    typer.Option(
        "--actor",
        envvar="TRUNKLINE_ACTOR",
        help="Only changes by it: api_keys/ID, or the name of a key of the configuration.",
        show_default=False,
    ),
]


def _audit(
    client: Client, resource: ResourceOption = "", actor: ActorOption = "", most: MostOption = 100
) -> Iterable[AuditEntry]:
    """List who changed what, newest first. What was there before and after is in the JSON."""
    return islice(client.admin.list_audit_entries(resource=resource, actor=actor), most or None)


audit = asking(_audit, KIND.show_all)
