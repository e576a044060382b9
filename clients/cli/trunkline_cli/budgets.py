"""`trunkline budgets`: how much money may be spent."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Annotated

import typer

from trunkline.v1.tenancy_pb2 import Budget
from trunkline_cli.options import NameOption, OfSubjectOption, PeriodOption, SubjectOption
from trunkline_cli.quotas import period_value
from trunkline_cli.records import Group, Kind, full_name, id_of, period, when
from trunkline_client import Client


def _dollars(text: str) -> Decimal:
    """An amount in US dollars, to the millionth."""
    try:
        dollars = Decimal(text)
        if dollars.is_finite() and 0 <= dollars <= 10**12 and dollars == round(dollars, 6):
            return dollars
    except ArithmeticError:
        pass
    raise typer.BadParameter("must be an amount like 12.50, with 6 decimals at most")


_MICROS = 1_000_000
KIND: Kind[Budget] = Kind(
    "budgets",
    "budget",
    columns={
        "BUDGET": lambda each: id_of(each.name),
        "NAME": lambda each: each.display_name,
        "SUBJECT": lambda each: each.subject,
        "USD": lambda each: _money(each),
        "PERIOD": lambda each: period(each.period),
        "WHEN SPENT": lambda each: _effect(each),
        "CREATED": lambda each: when(each, "create_time"),
    },
    rows={
        "budget": lambda each: each.name,
        "name": lambda each: each.display_name,
        "subject": lambda each: each.subject,
        "usd": lambda each: _money(each),
        "period": lambda each: period(each.period),
        "when spent": lambda each: _effect(each),
        "told at": lambda each: ", ".join(f"{threshold} %" for threshold in each.thresholds) or "-",
        "created": lambda each: when(each, "create_time"),
        "changed": lambda each: when(each, "update_time"),
    },
)
_USD = typer.Option(
    "--usd", envvar="TRUNKLINE_USD", parser=_dollars, metavar="AMOUNT", help="How many US dollars.", show_default=False
)
UsdOption = Annotated[Decimal, _USD]
NewUsdOption = Annotated[Decimal | None, _USD]
EnforcedOption = Annotated[
    bool | None,
    typer.Option(
        "--enforced/--tracked",
        envvar="TRUNKLINE_ENFORCED",
        help="Whether what would exceed it is refused, or only told. Without one a new one is enforced.",
        show_default=False,
    ),
]
ThresholdOption = Annotated[
    list[int] | None,
    typer.Option(
        "--threshold",
        envvar="TRUNKLINE_THRESHOLD",
        min=1,
        max=1000,
        help="At what percentage of it being spent is told; may be repeated. Without one a new one has 50, 80 and 100.",
        show_default=False,
    ),
]


def create(
    client: Client,
    subject: SubjectOption,
    usd: UsdOption,
    period: PeriodOption,
    name: NameOption = "",
    enforced: EnforcedOption = None,
    threshold: ThresholdOption = None,
) -> Budget:
    """Create a budget."""
    given = Budget(
        subject=subject,
        limit_usd_micros=int(usd * _MICROS),
        period=period_value(period),
        display_name=name,
        enforced=enforced,
        thresholds=threshold or [],
    )
    return client.admin.create_budget(given)


def list_(client: Client, subject: OfSubjectOption = "") -> Iterable[Budget]:
    """List the budgets."""
    return client.admin.list_budgets(subject=subject)


def update(
    client: Client,
    record: str,
    usd: NewUsdOption = None,
    name: NameOption = "",
    enforced: EnforcedOption = None,
    threshold: ThresholdOption = None,
) -> Budget:
    """Change a budget: what is given."""
    given = Budget(name=full_name(KIND.collection, record), display_name=name, enforced=enforced, thresholds=threshold or [])
    wanted = {"limit_usd_micros": usd, "display_name": name, "enforced": enforced, "thresholds": threshold}
    paths = [path for path, value in wanted.items() if value not in (None, "", [])]
    if not paths:
        raise typer.BadParameter("there is nothing to change")
    if usd is not None:
        given.limit_usd_micros = int(usd * _MICROS)
    return client.admin.update_budget(given, update_mask=paths)


def build_app() -> typer.Typer:
    """The command with its subcommands."""
    group = Group(KIND, "How much money may be spent.")
    group.one("create", create)
    group.many("list", list_)
    group.change("show", lambda client, name: client.admin.get_budget(name), "Show a budget.")
    group.one("update", update)
    group.end(lambda client, name: client.admin.delete_budget(name), "Delete a budget.")
    return group.app


def _money(budget: Budget) -> str:
    return f"{Decimal(budget.limit_usd_micros) / _MICROS:.6f}".rstrip("0").rstrip(".")


def _effect(budget: Budget) -> str:
    return "refused" if budget.enforced else "told"
