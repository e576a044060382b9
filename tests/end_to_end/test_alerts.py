"""What an operator sees when Redis or the database fails and when money runs out: alerts over gRPC and REST, and metrics."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import asyncpg
import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import insert, update

from server.ledger.writer import FileWriter
from server.storage.database import Database
from server.storage.tables import API_KEYS, BUDGETS
from tests.end_to_end.command import LIMIT_S
from tests.end_to_end.holders import TIMES, add_holder
from tests.end_to_end.running import COMPLETION_KEY, KEY, Running, config, row, run_gateway
from tests.end_to_end.test_database_trouble import frozen
from tests.fakes.answers import Status, Text, Usage
from tests.fakes.faults import Stall
from tests.fakes.stores import Postgresql, run_redis
from tests.fakes.vendor import ScriptedVendor
from trunkline.v1.alerts_service_pb2 import ALERT_SEVERITY_ERROR, ALERT_SEVERITY_WARNING, Alert, AlertSeverity
from trunkline_client import AsyncClient, PermissionDeniedError, UnavailableError, open_channel

CHAT, METRICS = "/v1/chat/completions", "/metrics/prometheus"
CONFIGURED = "path"
"""The label of alerts that are remarks about the configuration."""

PRICE = {"cost_per_1k_input_tokens": 0, "cost_per_1k_output_tokens": 0.1}
MICROS = 100_000
"""What an answer costs."""


@dataclass(frozen=True, slots=True)
class Operator:
    """Somebody with a key.

    Attributes:
        gateway: whom they ask.
        key: theirs.
    """

    gateway: Running
    key: str = KEY

    async def alerts(self, severity: AlertSeverity = AlertSeverity.ALERT_SEVERITY_UNSPECIFIED) -> list[Alert]:
        """What fires, over gRPC, without what the configuration's own remarks are."""
        async with open_channel(self.gateway.target, retries=None) as channel:
            listed = AsyncClient(channel, api_key=self.key).alerts.list_alerts(severity=severity)
            return [alert async for alert in listed if CONFIGURED not in alert.labels]

    async def rest(self, path: str) -> tuple[int, str]:
        """Status and body of an answer of REST."""
        headers = {"Authorization": f"Bearer {self.key}"}
        async with aiohttp.ClientSession(headers=headers) as session, session.get(self.gateway.url + path) as response:
            return response.status, await response.text()

    async def ask(self, count: int = 1) -> list[int]:
        """Asks for completions, one after the other; gives their statuses."""
        statuses = []
        body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 1000}
        async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {self.key}"}) as session:
            for _ in range(count):
                async with session.post(self.gateway.url + CHAT, json=body) as response:
                    await response.read()
                    statuses.append(response.status)
        return statuses

    async def metrics(self) -> Mapping[tuple[str, ...], float]:
        """The metrics, by name and labels' values."""
        status, text = await self.rest(METRICS)
        assert status == 200, text
        samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
        return {(sample.name, *sample.labels.values()): sample.value for sample in samples}

    async def fire(self, *rules: str) -> None:
        """Returns once alerts of these rules fire, and no others."""
        async with asyncio.timeout(LIMIT_S):
            while True:
                if sorted(alert.rule for alert in await self.alerts()) == sorted(rules):
                    return
                await asyncio.sleep(0.05)


@pytest.fixture
async def vendor() -> AsyncIterator[ScriptedVendor]:
    async with ScriptedVendor(default=lambda _: Text("Hi", usage=Usage(1, 1000))) as scripted:
        yield scripted


@pytest.mark.parametrize(
    ("on_failure", "severity", "status"),
    [("fail_open", ALERT_SEVERITY_WARNING, 200), ("fail_closed", ALERT_SEVERITY_ERROR, 503)],
)
async def test_a_redis_that_is_gone_is_an_alert_until_it_is_back(
    vendor: ScriptedVendor, tmp_path: Path, on_failure: str, severity: AlertSeverity, status: int
) -> None:
    with ExitStack() as redis:
        url = redis.enter_context(run_redis(tmp_path))
        document = config(
            [row("first", vendor, ["gpt-4o"])],
            redis={"url": url, "on_failure": on_failure, "timeout": 1},
            rate_limit={"requests_per_window": 1000},
        )
        async with run_gateway(tmp_path, document, "whole") as gateway:
            operator = Operator(gateway)
            assert await operator.ask() == [200]
            assert await operator.alerts() == []
            metrics = await operator.metrics()
            assert (metrics["trunkline_limits_redis_up",], metrics["trunkline_limits_redis_failures_total",]) == (1, 0)

            redis.close()
            assert await operator.ask() == [status]
            (alert,) = await operator.alerts()
            assert (alert.rule, alert.severity, dict(alert.labels)) == ("limits_redis", severity, {"on_failure": on_failure})
            assert "limits_redis" in (await operator.rest("/v1/alerts"))[1]
            metrics = await operator.metrics()
            assert metrics["trunkline_limits_redis_up",] == 0
            assert metrics["trunkline_limits_redis_failures_total",] >= 1
            name = AlertSeverity.Name(severity).removeprefix("ALERT_SEVERITY_").lower()
            assert metrics["trunkline_alerts_firing", "limits_redis", name] == 1

            redis.enter_context(run_redis(tmp_path))
            await operator.fire()
            assert (await operator.metrics())["trunkline_limits_redis_up",] == 1
            assert await operator.ask() == [200]


async def test_a_redis_that_goes_is_noticed_without_a_request(vendor: ScriptedVendor, tmp_path: Path) -> None:
    with ExitStack() as redis:
        document = config([row("first", vendor, ["gpt-4o"])], redis={"url": redis.enter_context(run_redis(tmp_path))})
        async with run_gateway(tmp_path, document, "whole") as gateway:
            redis.close()
            await Operator(gateway).fire("limits_redis")


async def test_a_provider_that_fails_its_checks_is_an_alert_until_it_is_back(vendor: ScriptedVendor, tmp_path: Path) -> None:
    vendor.add(*[Status(500)] * 3, Stall(), path="/v1/models")
    document = config([row("first", vendor, ["gpt-4o"])], health_check={"interval": 0.01, "timeout": 60})
    async with run_gateway(tmp_path, document, "whole") as gateway:
        operator = Operator(gateway)
        await vendor.stalled()
        (alert,) = await operator.alerts(ALERT_SEVERITY_WARNING)
        assert dict(alert.labels) == {"provider": "first"}
        vendor.release()
        await operator.fire()


Fault = Callable[[Running], AbstractAsyncContextManager[None]]


@dataclass(frozen=True, slots=True)
class Store:
    """A database, and how to make it take nothing."""

    url: str
    read_only: Fault


@asynccontextmanager
async def sqlite_read_only(gateway: Running) -> AsyncIterator[None]:
    core = gateway.gateways[0]._core
    assert core is not None
    assert core._governance is not None
    assert core._governance._ledger is not None
    writer = core._governance._ledger._writer
    assert isinstance(writer, FileWriter)
    await writer.tell("PRAGMA query_only=ON")
    yield
    await writer.tell("PRAGMA query_only=OFF")


def postgresql_read_only(server: Postgresql, name: str) -> Fault:
    async def tell(change: str) -> None:
        connection = await asyncpg.connect(server.url("postgres"))
        await connection.execute(f"ALTER DATABASE {name} {change}")
        await connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name)
        await connection.close()

    @asynccontextmanager
    async def read_only(gateway: Running) -> AsyncIterator[None]:
        await tell("SET default_transaction_read_only = on")
        try:
            yield
        finally:
            await tell("RESET default_transaction_read_only")

    return read_only


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest) -> Store:
    """A database of each kind in turn."""
    url = str(request.getfixturevalue(f"{request.param}_url"))
    if request.param == "sqlite":
        return Store(url, sqlite_read_only)
    name = url.partition("@/")[2].partition("?")[0]
    return Store(url, postgresql_read_only(request.getfixturevalue("postgresql"), name))


async def test_a_database_that_is_read_only_is_an_alert_while_rows_wait(
    vendor: ScriptedVendor, store: Store, tmp_path: Path
) -> None:
    document = config([row("first", vendor, ["gpt-4o"])], storage={"url": store.url})
    async with run_gateway(tmp_path, document, "whole") as gateway:
        operator = Operator(gateway)
        assert await operator.ask() == [200]
        assert (await operator.metrics())["trunkline_ledger_database_up",] == 1
        async with store.read_only(gateway):
            assert await operator.ask(2) == [200, 200]
            (alert,) = await operator.alerts(ALERT_SEVERITY_ERROR)
            assert (alert.rule, dict(alert.labels)) == ("ledger_database", {"on_failure": "spool"})
            status, body = await operator.rest("/v1/alerts?severity=error")
            assert (status, "ledger_database" in body) == (200, True)
            metrics = await operator.metrics()
            assert metrics["trunkline_ledger_database_up",] == 0
            assert metrics["trunkline_ledger_spooled_rows",] >= 2
            assert metrics["trunkline_alerts_firing", "ledger_database", "error"] == 1
        await operator.fire()
        metrics = await operator.metrics()
        assert (metrics["trunkline_ledger_database_up",], metrics["trunkline_ledger_spooled_rows",]) == (1, 0)
        assert ("trunkline_alerts_firing", "ledger_database", "error") not in metrics


async def test_a_database_that_hangs_is_told_by_what_needs_none(
    vendor: ScriptedVendor, postgresql: Postgresql, postgresql_url: str, tmp_path: Path
) -> None:
    document = config([row("first", vendor, ["gpt-4o"])], storage={"url": postgresql_url})
    async with run_gateway(tmp_path, document, "whole") as gateway:
        operator = Operator(gateway)
        with frozen(postgresql):
            assert await operator.ask() == [200]
            await operator.fire("ledger_database", "budgets_unreadable")
            assert (await operator.metrics())["trunkline_alerts_firing", "budgets_unreadable", "warning"] == 1
        await operator.fire()


async def add_money(database: Database, id: str, limit: int, scope: str = "key", whose: str | None = None) -> None:
    money = {"display_name": "", "limit_micros": limit, "enforced": True, "thresholds": "[50, 80, 100]", "period": "monthly"}
    subject = {"id": id, "scope": scope, "scope_id": id if whose is None else whose}
    async with database.begin() as connection:
        await connection.execute(insert(BUDGETS), {**subject, **money, **TIMES})


async def add_holders(url: str, *ids: str) -> None:
    """Adds keys that may complete, administer their tenant and read metrics, each with ten answers' money."""
    database = await Database.open(url, None)
    async with database.begin() as connection:
        for id in ids:
            await add_holder(connection, id, f"llm_{id}")
        await connection.execute(update(API_KEYS).values(permissions='["completion", "admin", "metrics:read"]'))
    for id in ids:
        await add_money(database, id, 10 * MICROS)
    await add_money(database, "everybody", 100 * MICROS, "global", "")
    await database.close()


def shown(alerts: Sequence[Alert]) -> list[tuple[str, str, AlertSeverity]]:
    found = [(alert.labels["budget"], int(alert.labels["percentage"]), alert.severity) for alert in alerts]
    return [(budget, f"{percentage} %", severity) for budget, percentage, severity in sorted(found)]


async def test_each_threshold_of_a_budget_is_an_alert_until_the_budget_is_raised(
    vendor: ScriptedVendor, database_url: str, tmp_path: Path
) -> None:
    await add_holders(database_url, "acme", "umbrella")
    document = config([row("first", vendor, ["gpt-4o"], **PRICE)], storage={"url": database_url})
    async with run_gateway(tmp_path, document, "whole") as gateway:
        operator, acme, umbrella = Operator(gateway), Operator(gateway, "llm_acme"), Operator(gateway, "llm_umbrella")
        assert await acme.ask(4) == [200] * 4
        assert await operator.alerts() == []
        for count, thresholds in ((1, 1), (3, 2), (2, 3)):
            assert await acme.ask(count) == [200] * count
            await operator.fire(*["budget_threshold"] * thresholds)
        assert (
            shown(await operator.alerts())
            == shown(await acme.alerts())
            == [
                ("budgets/acme", "50 %", ALERT_SEVERITY_WARNING),
                ("budgets/acme", "80 %", ALERT_SEVERITY_WARNING),
                ("budgets/acme", "100 %", ALERT_SEVERITY_ERROR),
            ]
        )
        assert len(await operator.alerts(ALERT_SEVERITY_ERROR)) == 1
        assert await umbrella.alerts() == []
        metrics = await operator.metrics()
        assert metrics["trunkline_budget_threshold_events_total",] == 3
        assert metrics["trunkline_alerts_firing", "budget_threshold", "warning"] == 2
        assert metrics["trunkline_alerts_firing", "budget_threshold", "error"] == 1
    async with run_gateway(tmp_path, document, "whole") as gateway:
        operator = Operator(gateway)
        assert len(await operator.alerts()) == 3
        change = {"limit_usd_micros": 15 * MICROS}
        headers = {"Authorization": f"Bearer {KEY}"}
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.patch(f"{gateway.url}/v1/budgets/acme", json=change) as response,
        ):
            assert response.status == 200, await response.text()
        assert [alert.labels["percentage"] for alert in await operator.alerts()] == []


async def test_who_has_no_permission_sees_neither(vendor: ScriptedVendor, sqlite_url: str, tmp_path: Path) -> None:
    await add_holders(sqlite_url, "acme")
    document = config([row("first", vendor, ["gpt-4o"])], storage={"url": sqlite_url})
    async with run_gateway(tmp_path, document, "whole") as gateway:
        for key, path, status in (
            (COMPLETION_KEY, "/v1/alerts", 403),
            (COMPLETION_KEY, METRICS, 403),
            ("llm_acme", "/v1/alerts", 200),
            ("llm_acme", METRICS, 403),  # they are about all tenants
            (KEY, METRICS, 200),
        ):
            assert (key, path, (await Operator(gateway, key).rest(path))[0]) == (key, path, status)
        with pytest.raises(PermissionDeniedError):
            await Operator(gateway, COMPLETION_KEY).alerts()


async def test_a_tenant_is_told_that_its_alerts_are_not_known(
    vendor: ScriptedVendor, postgresql: Postgresql, postgresql_url: str, tmp_path: Path
) -> None:
    await add_holders(postgresql_url, "acme")
    document = config([row("first", vendor, ["gpt-4o"])], storage={"url": postgresql_url})
    async with run_gateway(tmp_path, document, "whole") as gateway:
        acme = Operator(gateway, "llm_acme")
        assert await acme.alerts() == []
        with frozen(postgresql), pytest.raises(UnavailableError):
            await acme.alerts()
