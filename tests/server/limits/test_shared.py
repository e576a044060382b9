"""Limits of several processes need counters that they share."""

import pytest
from sqlalchemy import insert, update

from server.config.schema import Settings
from server.limits.shared import UnsharedLimitsError, check_shared, find_unshared
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


async def test_a_budget_that_is_only_tracked_keeps_no_workers_from_starting(sqlite_database: Database) -> None:
    settings = Settings.model_validate({"server": {"workers": 2}})
    budget = {"display_name": "", "scope": "global", "scope_id": "", "limit_micros": 1, "period": "total"}
    row = {"id": "b", **budget, "enforced": False, "thresholds": "[]", "create_time": 1, "update_time": 1}
    async with sqlite_database.begin() as connection:
        await connection.execute(insert(BUDGETS), row)
    await check_shared(settings, sqlite_database)
    async with sqlite_database.begin() as connection:
        await connection.execute(update(BUDGETS).values(enforced=True))
    with pytest.raises(UnsharedLimitsError):
        await check_shared(settings, sqlite_database)
