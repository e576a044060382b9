"""Rows of quotas and budgets <-> their records."""

from dataclasses import asdict
from typing import Any, cast

import orjson
from sqlalchemy import RowMapping

from server.tenancy.records import Budget, Quota


def read_quota(row: RowMapping) -> Quota:
    """A quota from its row."""
    return Quota(**cast(dict[str, Any], dict(row)))


def write_quota(quota: Quota) -> dict[str, object]:
    """A row from its quota."""
    return asdict(quota)


def read_budget(row: RowMapping) -> Budget:
    """A budget from its row."""
    values = cast(dict[str, Any], dict(row))
    return Budget(**values | {"thresholds": tuple(orjson.loads(values["thresholds"]))})


def write_budget(budget: Budget) -> dict[str, object]:
    """A row from its budget."""
    return asdict(budget) | {"thresholds": orjson.dumps(budget.thresholds).decode()}
