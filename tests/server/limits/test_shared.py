"""Limits of several processes need counters that they share."""

import pytest
from sqlalchemy import insert, update

from server.config.schema import Settings
from server.errors import GatewayError
from server.limits.shared import Sharing, find_unshared
from server.limits.unheld import UnheldLimitsError
from server.storage.database import Database
from server.storage.tables import BUDGETS

PROVIDER = {"name": "a", "type": "echo", "rate_limit": 5}
REDIS = {"url": "redis://127.0.0.1"}


@pytest.mark.parametrize(
    ("settings", "rows", "named"),
    [
        pytest.param({"rate_limit": {}}, 0, "rate_limit", id="rates"),
        pytest.param({"providers": [PROVIDER]}, 0, "providers.a.rate_limit", id="a provider's rate"),
        pytest.param({}, 3, "quotas and budgets", id="rows"),
    ],
)
def test_several_workers_with_limits_need_redis(settings: dict[str, object], rows: int, named: str) -> None:
    fault = find_unshared(Settings.model_validate(settings), 2, rows)
    assert fault is not None
    assert named in fault
    assert "redis.url" in fault
    assert find_unshared(Settings.model_validate(settings), 1, rows) is None
    assert find_unshared(Settings.model_validate({**settings, "redis": REDIS}), 2, rows) is None


@pytest.mark.parametrize(
    "settings", [{}, {"rate_limit": {"enabled": False}}, {"providers": [{**PROVIDER, "enabled": False}]}]
)
def test_several_workers_without_limits_need_nothing(settings: dict[str, object]) -> None:
    assert find_unshared(Settings.model_validate(settings), 4) is None


class Neighbourhood:
    """Other gateways, as many as a test says, of which one leaves at each look."""

    def __init__(self, others: int) -> None:
        self.left = others

    async def others(self) -> bool:
        self.left = max(0, self.left - 1)
        return self.left > 0

    async def close(self) -> None:
        self.left = 0


async def add_budget(database: Database, enforced: bool) -> None:
    budget = {"display_name": "", "scope": "global", "scope_id": "", "limit_micros": 1, "period": "total"}
    row = {"id": "b", **budget, "enforced": enforced, "thresholds": "[]", "create_time": 1, "update_time": 1}
    async with database.begin() as connection:
        await connection.execute(insert(BUDGETS), row)


async def test_a_budget_that_is_only_tracked_keeps_no_workers_from_starting(sqlite_database: Database) -> None:
    sharing = Sharing(Settings.model_validate({"server": {"workers": 2}}), None, ignore)
    await add_budget(sqlite_database, enforced=False)
    await sharing.check(sqlite_database)
    async with sqlite_database.begin() as connection:
        await connection.execute(update(BUDGETS).values(enforced=True))
    with pytest.raises(UnheldLimitsError, match="2 workers"):
        await sharing.check(sqlite_database)


async def test_a_gateway_that_just_ends_is_waited_for(database: Database) -> None:
    await add_budget(database, enforced=True)
    neighbourhood = Neighbourhood(3)
    await Sharing(Settings(), neighbourhood, ignore).check(database)
    assert neighbourhood.left == 0


async def test_beside_another_gateway_limits_are_refused_and_reported(database: Database) -> None:
    told: list[bool] = []
    first = await Sharing.begin(Settings(), database, told.append)
    first.require()
    second = await Sharing.begin(Settings(), database, ignore)  # nothing is limited yet
    for each in (first, second):
        await each.refresh(limited=False)
        with pytest.raises(GatewayError, match="Several gateways on one database"):
            each.require()
    assert told == []
    await first.refresh(limited=True)
    await first.refresh(limited=True)
    assert told == [True]
    await second.close()
    await first.refresh(limited=True)
    first.require()
    assert told == [True, False]
    await first.close()


async def test_with_redis_gateways_need_not_know_each_other(database: Database) -> None:
    settings = Settings.model_validate({"redis": REDIS, "rate_limit": {}})
    both = [await Sharing.begin(settings, database, ignore) for _ in range(2)]
    for each in both:
        each.require()
        await each.close()


def ignore(troubled: bool) -> None:
    """Nobody is told."""
