"""Thresholds of budgets as alerts, from rows of both kinds of database."""

from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import delete, insert, update

from server.alerts.alert import Alert, Severity
from server.alerts.alerts import Alerts
from server.alerts.budget_alerts import BudgetAlerts
from server.alerts.listing import BUDGETS_UNREADABLE, AlertList
from server.errors import GatewayError
from server.limits.allowances import Allowance, Unit
from server.limits.budgets import BudgetEvent, record_event
from server.limits.periods import Period, find_span
from server.storage.database import Database
from server.storage.tables import BUDGETS, TENANTS, USERS
from server.tenancy.pages import Page
from tests.server.limits.rows import add_budget
from tests.server.limits.turned_clock import TurnedClock

FIRST = Page.read(0, "")
DAY_S = 86_400.0
MICROS = 1_000_000

Cross = Callable[..., Awaitable[bool]]


@pytest.fixture
def clock() -> TurnedClock:
    return TurnedClock()


@pytest.fixture
def budgets(database: Database, clock: TurnedClock) -> BudgetAlerts:
    return BudgetAlerts(database, clock)


@pytest.fixture
def cross(database: Database, clock: TurnedClock) -> Cross:
    """Writes the event of a budget's threshold."""

    async def write(
        id: str, threshold: int, spent: int, period: Period = Period.MONTHLY, scope: str = "tenant", whose: str = "acme"
    ) -> bool:
        budget = Allowance(id, Unit.MICROS, scope, whose, MICROS, period)
        span = find_span(period, clock.microseconds())
        return await record_event(database, BudgetEvent(budget, span.start, threshold, spent), clock.microseconds())

    return write


def shown(alerts: list[Alert]) -> list[tuple[str, str]]:
    return [(alert.labels["percentage"], alert.severity) for alert in alerts]


async def change(database: Database, id: str, **values: object) -> None:
    async with database.begin() as connection:
        await connection.execute(update(BUDGETS).where(BUDGETS.c.id == id).values(**values))


async def test_each_threshold_that_is_crossed_is_an_alert(
    database: Database, budgets: BudgetAlerts, clock: TurnedClock, cross: Cross
) -> None:
    id = await add_budget(database, MICROS, thresholds="[50, 80, 100]")
    await cross(id, 50, 500_000)
    clock.time += 1
    await cross(id, 100, MICROS)
    first, second = await budgets.find("", FIRST, None)
    assert (first.rule, first.severity, second.severity) == ("budget_threshold", "warning", "error")
    assert first.message == "50 % of the monthly budget of tenants/acme is spent: $0.5 of $1."
    assert first.labels == {
        "budget": f"budgets/{id}",
        "subject": "tenants/acme",
        "scope": "tenant",
        "period": "monthly",
        "percentage": "50",
        "spent_usd_micros": "500000",
        "limit_usd_micros": "1000000",
    }
    assert await budgets.count() == {"warning": 1, "error": 1}


async def test_a_budget_that_is_only_told_is_a_warning(database: Database, budgets: BudgetAlerts, cross: Cross) -> None:
    id = await add_budget(database, MICROS, thresholds="[120]", enforced=False)
    await cross(id, 120, 2 * MICROS)
    assert shown(await budgets.find("", FIRST, None)) == [("120", "warning")]


@pytest.mark.parametrize(
    ("severity", "found"),
    [
        (Severity.WARNING, [("50", "warning")]),
        (Severity.ERROR, [("100", "error")]),
        (Severity.INFO, []),
        (Severity.CRITICAL, []),
    ],
)
async def test_one_severity_may_be_asked_for(
    database: Database, budgets: BudgetAlerts, cross: Cross, severity: Severity, found: list[tuple[str, str]]
) -> None:
    id = await add_budget(database, MICROS, thresholds="[50,100]")
    for threshold in (50, 100):
        await cross(id, threshold, MICROS)
    assert shown(await budgets.find("", FIRST, severity)) == found


@pytest.mark.parametrize(
    ("period", "after_s"), [(Period.DAILY, DAY_S), (Period.WEEKLY, 7 * DAY_S), (Period.MONTHLY, 31 * DAY_S)]
)
async def test_it_ends_with_the_period(
    database: Database, budgets: BudgetAlerts, clock: TurnedClock, cross: Cross, period: Period, after_s: float
) -> None:
    id = await add_budget(database, MICROS, period=period.value, thresholds="[50]")
    await cross(id, 50, MICROS, period)
    assert shown(await budgets.find("", FIRST, None)) == [("50", "warning")]
    clock.time += after_s
    assert await budgets.find("", FIRST, None) == []
    assert await budgets.count() == {"warning": 0, "error": 0}


async def test_a_budget_in_total_has_no_end(
    database: Database, budgets: BudgetAlerts, clock: TurnedClock, cross: Cross
) -> None:
    id = await add_budget(database, MICROS, period="total", thresholds="[50]")
    await cross(id, 50, MICROS, Period.TOTAL)
    clock.time += 3650 * DAY_S
    assert shown(await budgets.find("", FIRST, None)) == [("50", "warning")]


async def test_it_ends_when_the_budget_is_raised_and_fires_when_it_is_crossed_again(
    database: Database, budgets: BudgetAlerts, cross: Cross
) -> None:
    id = await add_budget(database, MICROS, thresholds="[50]")
    assert await cross(id, 50, MICROS // 2)
    await change(database, id, limit_micros=2 * MICROS)
    assert await budgets.find("", FIRST, None) == []
    assert not await cross(id, 50, MICROS)
    (alert,) = await budgets.find("", FIRST, None)
    assert alert.labels["spent_usd_micros"] == str(MICROS)


async def test_it_ends_with_its_threshold_and_with_its_budget(
    database: Database, budgets: BudgetAlerts, cross: Cross
) -> None:
    id = await add_budget(database, MICROS, thresholds="[50, 80]")
    for threshold in (50, 80):
        await cross(id, threshold, MICROS)
    await change(database, id, thresholds="[5, 80]")
    assert shown(await budgets.find("", FIRST, None)) == [("80", "warning")]
    async with database.begin() as connection:
        await connection.execute(delete(BUDGETS))
    assert await budgets.find("", FIRST, None) == []


async def test_a_budget_of_any_size_can_be_listed(database: Database, budgets: BudgetAlerts, cross: Cross) -> None:
    id = await add_budget(database, 2**63 - 1, thresholds="[1000]")
    await cross(id, 1000, 1)
    assert await budgets.find("", FIRST, None) == []
    assert await budgets.count() == {"warning": 0, "error": 0}


async def test_a_tenant_sees_its_own_budgets_alone(database: Database, budgets: BudgetAlerts, cross: Cross) -> None:
    same = {"display_name": "", "enabled": True, "create_time": 1, "update_time": 1}
    async with database.begin() as connection:
        await connection.execute(insert(TENANTS), [{"id": id, **same} for id in ("acme", "umbrella")])
        await connection.execute(insert(USERS), {"id": "jo", "tenant_id": "acme", **same})
    ids = {}
    for scope, whose in (("tenant", "acme"), ("user", "jo"), ("tenant", "umbrella"), ("model", "gpt"), ("global", "")):
        ids[whose] = await add_budget(database, MICROS, scope, whose, thresholds="[50]")
        await cross(ids[whose], 50, MICROS, scope=scope, whose=whose)
    seen = {alert.labels["budget"] for alert in await budgets.find("acme", FIRST, None)}
    assert seen == {f"budgets/{ids[whose]}" for whose in ("acme", "jo")}
    assert len(await budgets.find("", FIRST, None)) == 5


async def test_pages_lead_through_all_alerts_oldest_first(
    database: Database, budgets: BudgetAlerts, clock: TurnedClock, cross: Cross
) -> None:
    alerts = Alerts(clock)
    listed = AlertList(alerts, budgets, list)
    id = await add_budget(database, MICROS, thresholds="[1, 2, 3, 4]")
    for threshold in (1, 2, 3, 4):
        await cross(id, threshold, MICROS)
        alerts.fire("own", Severity.INFO, "Something.", {"number": str(threshold)})
        clock.time += 1
    seen: list[Alert] = []
    token = ""
    for _ in range(3):
        page, token = await listed.page("", Page.read(3, token), None)
        seen += page
    assert (len(seen), len({alert.id for alert in seen}), token) == (8, 8, "")
    assert [alert.start_time for alert in seen] == sorted(alert.start_time for alert in seen)


async def test_while_the_database_fails_operators_see_what_is_known_and_tenants_are_told(clock: TurnedClock) -> None:
    database = await Database.open("sqlite://", None, migrations=None)  # it has no tables
    alerts = Alerts(clock)
    listed = AlertList(alerts, BudgetAlerts(database, clock), list)
    alerts.fire("own", Severity.ERROR, "Something.")
    page, token = await listed.page("", FIRST, None)
    assert ({alert.rule for alert in page}, token) == ({"own", BUDGETS_UNREADABLE}, "")
    assert await listed.count() == {("own", "error"): 1, (BUDGETS_UNREADABLE, "warning"): 1}
    with pytest.raises(GatewayError) as caught:
        await listed.page("acme", FIRST, None)
    assert caught.value.code.name == "UNAVAILABLE"
    await database.close()
