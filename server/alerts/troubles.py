"""What the gateway's parts tell of their troubles -> alerts, and metrics that are read when somebody asks for them."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Literal, Protocol

import structlog

from server.alerts.alert import Severity
from server.alerts.alerts import Alerts
from server.ledger.ledger import Ledger
from server.limits.budgets import BudgetEvent
from server.limits.counters import CountersError
from server.limits.limits import Limits
from server.telemetry.metrics import Metrics
from server.tenancy.subjects import Subject

LEDGER_DATABASE, LIMITS_REDIS, LIMITS_NOT_SHARED = "ledger_database", "limits_redis", "limits_not_shared"
BUDGET_THRESHOLD, PROVIDER_UNHEALTHY = "budget_threshold", "provider_unhealthy"
"""The rules."""

_TROUBLES: Mapping[tuple[str, str], tuple[Severity, str]] = {
    (LEDGER_DATABASE, "spool"): (
        Severity.ERROR,
        "The database takes no rows of completions. They wait in a local file and arrive later.",
    ),
    (LEDGER_DATABASE, "refuse"): (
        Severity.ERROR,
        "The database takes no rows of completions. Completions are refused.",
    ),
    (LIMITS_REDIS, "fail_open"): (
        Severity.WARNING,
        "The Redis that limits are counted in is out of reach. Requests pass without limits.",
    ),
    (LIMITS_REDIS, "fail_closed"): (
        Severity.ERROR,
        "The Redis that limits are counted in is out of reach. Requests that are limited are refused.",
    ),
    (LIMITS_NOT_SHARED, ""): (
        Severity.ERROR,
        "Another gateway uses the same database, and without Redis each counts limits by itself.",
    ),
}
"""By rule and by what the configuration says of such failures; empty: it does not say."""

_LOOK_S = 5.0
_LOOK_AGAIN_S = 0.5


class RemoteCounters(Protocol):
    """Counters that may be out of reach.

    Attributes:
        on_trouble: told when trouble begins (True) and when it ends (False).
        failures: how many messages failed.
        troubled: whether the last one did.
    """

    on_trouble: Callable[[bool], None]
    failures: int
    troubled: bool


class Troubles:
    """Listens to the parts that may be in trouble.

    Args:
        alerts: what fires.
        metrics: gets what can be counted.
    """

    def __init__(self, alerts: Alerts, metrics: Metrics) -> None:
        self._alerts = alerts
        self._metrics = metrics
        self._budget_events = 0

    def follow_budgets(self, limits: Limits) -> None:
        """Logs and counts what limits tell of budgets."""
        limits.on_budget_event = self._budget_crossed
        self._metrics.add(
            "counter",
            "trunkline_budget_threshold_events_total",
            "Thresholds of budgets that this process was the first to see crossed.",
            lambda: self._budget_events,
        )

    def ledger_teller(self, on_failure: Literal["spool", "refuse"]) -> Callable[[bool], None]:
        """What a ledger tells when its trouble begins and ends."""
        return self._teller(LEDGER_DATABASE, on_failure)

    def sharing_teller(self) -> Callable[[bool], None]:
        """What is told when limits begin to be counted by each gateway alone, and when that ends."""
        return self._teller(LIMITS_NOT_SHARED)

    def follow_ledger(self, ledger: Ledger) -> None:
        """Counts what a ledger can tell of itself."""
        self._metrics.add(
            "gauge",
            "trunkline_ledger_database_up",
            "Whether the database took the last rows of completions, and none waits for it.",
            lambda: not ledger.troubled,
        )
        self._metrics.add(
            "gauge",
            "trunkline_ledger_spooled_rows",
            "Rows of completions of this process that wait for the database.",
            lambda: ledger.waiting,
        )

    async def watch_redis(
        self, counters: RemoteCounters, look: Callable[[], Awaitable[None]], on_failure: Literal["fail_open", "fail_closed"]
    ) -> None:
        """Listens to counters, and looks at them now and then: trouble begins and ends without a request, too.

        Args:
            counters: whose trouble it is.
            look: asks them something; a CountersError is their trouble.
            on_failure: what becomes of requests meanwhile.
        """
        begun, tell = asyncio.Event(), self._teller(LIMITS_REDIS, on_failure)

        def told(troubled: bool) -> None:
            tell(troubled)
            if troubled:
                begun.set()
            else:
                begun.clear()

        counters.on_trouble = told
        self._metrics.add(
            "gauge",
            "trunkline_limits_redis_up",
            "Whether the Redis that limits are counted in answered the last message in time.",
            lambda: not counters.troubled,
        )
        self._metrics.add(
            "counter",
            "trunkline_limits_redis_failures_total",
            "Messages to the Redis that limits are counted in that failed or took too long.",
            lambda: counters.failures,
        )
        while True:
            with suppress(CountersError):
                await look()
            if begun.is_set():
                await asyncio.sleep(_LOOK_AGAIN_S)
                continue
            with suppress(TimeoutError):
                await asyncio.wait_for(begun.wait(), _LOOK_S)

    def provider_checked(self, name: str, healthy: bool) -> None:
        """A provider's health was looked at."""
        labels = {"provider": name}
        if healthy:
            self._alerts.resolve(PROVIDER_UNHEALTHY, labels)
        else:
            text = f"The provider `{name}` fails its checks, or requests are kept from it."
            self._alerts.fire(PROVIDER_UNHEALTHY, Severity.WARNING, text, labels)

    def _teller(self, rule: str, on_failure: str = "") -> Callable[[bool], None]:
        severity, text = _TROUBLES[rule, on_failure]
        labels = {"on_failure": on_failure} if on_failure else {}

        def tell(troubled: bool) -> None:
            if troubled:
                self._alerts.fire(rule, severity, text, labels)
            else:
                self._alerts.resolve(rule, labels)

        return tell

    def _budget_crossed(self, event: BudgetEvent) -> None:
        """Logs it. Its row is what fires: see `BudgetAlerts`."""
        self._budget_events += 1
        budget = event.budget
        structlog.get_logger("trunkline.alerts").warning(
            "alert_fires",
            rule=BUDGET_THRESHOLD,
            budget=f"budgets/{budget.id}",
            subject=Subject(budget.scope, budget.scope_id).name,
            percentage=event.threshold,
            spent_usd_micros=event.spent_micros,
            limit_usd_micros=budget.limit,
        )
