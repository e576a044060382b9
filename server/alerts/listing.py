"""All alerts that fire: this process's own, and those of budgets, which all processes see."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import structlog

from server.alerts.alert import Alert, Severity
from server.alerts.alerts import Alerts
from server.alerts.budget_alerts import BudgetAlerts
from server.alerts.troubles import BUDGET_THRESHOLD
from server.storage.errors import StorageError
from server.tenancy.failing import failing
from server.tenancy.pages import Page, token_of

BUDGETS_UNREADABLE = "budgets_unreadable"
"""The rule of the alert that stands for those of budgets while nobody knows them."""


class AlertList:
    """Lists and counts alerts.

    Args:
        alerts: this process's.
        budgets: those of budgets.
        standing: gives further ones that fire all the time.
    """

    def __init__(self, alerts: Alerts, budgets: BudgetAlerts, standing: Callable[[], Sequence[Alert]]) -> None:
        self._alerts = alerts
        self._budgets = budgets
        self._standing = standing

    async def page(self, tenant_id: str, page: Page, severity: Severity | None) -> tuple[list[Alert], str]:
        """One page, oldest first, and the token of the next one; empty where there is none.

        Args:
            tenant_id: whose budgets' alerts alone are meant; empty: all alerts are.
            page: which page.
            severity: only these; None: all.

        Raises:
            GatewayError: OVERLOADED for a tenant when the database fails; others are told so by an alert.
        """
        if tenant_id:
            with failing():
                found = await self._budgets.find(tenant_id, page, severity)
        else:
            found = await self._find_all(page, severity)
        listed = found[: page.size]
        return listed, token_of(listed[-1].start_time, listed[-1].id) if len(found) > page.size else ""

    async def count(self) -> Mapping[tuple[str, ...], float]:
        """How many fire, by rule and severity; those of budgets are left out while the database fails."""
        counts: Counter[tuple[str, ...]] = Counter()
        try:
            found = await self._budgets.count()
        except StorageError as error:
            self._unreadable(error)
        else:
            self._alerts.resolve(BUDGETS_UNREADABLE)
            for severity, count in found.items():
                counts[BUDGET_THRESHOLD, severity.value] = count
        counts.update((alert.rule, alert.severity.value) for alert in self._own())
        return dict(counts)

    async def _find_all(self, page: Page, severity: Severity | None) -> list[Alert]:
        found: list[Alert] = []
        try:
            found += await self._budgets.find("", page, severity)
        except StorageError as error:
            self._unreadable(error)
        else:
            self._alerts.resolve(BUDGETS_UNREADABLE)
        for alert in self._own():
            if severity in (None, alert.severity) and (page.after is None or _place(alert) > page.after):
                found.append(alert)
        return sorted(found, key=_place)

    def _own(self) -> list[Alert]:
        return [*self._standing(), *self._alerts.firing]

    def _unreadable(self, error: StorageError) -> None:
        structlog.get_logger("trunkline.alerts").debug("budgets_unreadable", error=str(error))
        text = "The database does not answer, so nobody knows which thresholds of budgets are crossed."
        self._alerts.fire(BUDGETS_UNREADABLE, Severity.WARNING, text)


def _place(alert: Alert) -> tuple[int, str]:
    return alert.start_time, alert.id
