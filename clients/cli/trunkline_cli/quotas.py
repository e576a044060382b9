"""`trunkline quotas`: how many tokens tenants, users and keys may use."""

from collections.abc import Iterable
from typing import Annotated, cast

import typer

from trunkline.v1.tenancy_pb2 import LimitPeriod, Quota
from trunkline_cli.options import OfSubjectOption, Period, PeriodOption, SubjectOption
from trunkline_cli.records import Group, Kind, full_name, id_of, period, when
from trunkline_client import Client

KIND: Kind[Quota] = Kind(
    "quotas",
    "quota",
    columns={
        "QUOTA": lambda each: id_of(each.name),
        "SUBJECT": lambda each: each.subject,
        "TOKENS": lambda each: str(each.token_limit),
        "PERIOD": lambda each: period(each.period),
        "CREATED": lambda each: when(each, "create_time"),
    },
    rows={
        "quota": lambda each: each.name,
        "subject": lambda each: each.subject,
        "tokens": lambda each: str(each.token_limit),
        "period": lambda each: period(each.period),
        "created": lambda each: when(each, "create_time"),
        "changed": lambda each: when(each, "update_time"),
    },
)
TokensOption = Annotated[
    int,
    typer.Option(
        "--tokens",
        envvar="TRUNKLINE_TOKENS",
        min=0,
        max=2**63 - 1,
        help="How many tokens, input and output together.",
        show_default=False,
    ),
]


def create(client: Client, subject: SubjectOption, tokens: TokensOption, period: PeriodOption) -> Quota:
    """Create a quota. A subject has one of each period."""
    return client.admin.create_quota(Quota(subject=subject, token_limit=tokens, period=period_value(period)))


def list_(client: Client, subject: OfSubjectOption = "") -> Iterable[Quota]:
    """List the quotas."""
    return client.admin.list_quotas(subject=subject)


def update(client: Client, record: str, tokens: TokensOption) -> Quota:
    """Change how much a quota allows."""
    given = Quota(name=full_name(KIND.collection, record), token_limit=tokens)
    return client.admin.update_quota(given, update_mask=["token_limit"])


def period_value(chosen: Period) -> LimitPeriod:
    """The contract's value of a period."""
    return cast(LimitPeriod, LimitPeriod.Value(f"LIMIT_PERIOD_{chosen.name}"))


def build_app() -> typer.Typer:
    """The command with its subcommands."""
    group = Group(KIND, "How many tokens tenants, users and keys may use.")
    group.one("create", create)
    group.many("list", list_)
    group.change("show", lambda client, name: client.admin.get_quota(name), "Show a quota.")
    group.one("update", update)
    group.end(
        lambda client, name: client.admin.delete_quota(name), "Delete a quota: its subject has no such limit any more."
    )
    return group.app
