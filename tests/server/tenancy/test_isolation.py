"""Who administers one tenant sees that tenant's rows, and no trace of another's."""

from collections.abc import Awaitable, Callable

import pytest

from server.errors import GatewayError
from server.tenancy.pages import Page
from server.tenancy.rows import Rows
from server.tenancy.subjects import Subject
from server.tenancy.who import Who
from tests.server.tenancy.world import OPERATOR, Household, World
from trunkline.v1.error_reason_pb2 import ErrorReason

ALL = Page(100, None)
NOT_FOUND = ErrorReason.ERROR_REASON_RESOURCE_NOT_FOUND
DENIED = ErrorReason.ERROR_REASON_INSUFFICIENT_PERMISSIONS
KINDS = ("tenants", "users", "api_keys", "quotas", "budgets")


async def limited(world: World, household: Household) -> dict[str, str]:
    """Limits a household's user, and gives the ids of all that is its, by kind."""
    subject = Subject("user", household.user.id)
    quota = await world.tenancy.quotas.create(OPERATOR, subject, 10, "daily")
    budget = await world.tenancy.budgets.create(OPERATOR, subject, 10, "daily")
    ids = (household.tenant.id, household.user.id, household.key.id, quota.id, budget.id)
    return dict(zip(KINDS, ids, strict=True))


async def reason(action: Awaitable[object]) -> ErrorReason | None:
    """Why something is refused; None: it is not."""
    try:
        await action
    except GatewayError as error:
        return error.reason
    return None


Attempt = Callable[["Rows[object]", Who, str], Awaitable[object]]
ATTEMPTS: dict[str, Attempt] = {
    "get": lambda rows, who, id_: rows.get(who, id_),
    "update": lambda rows, who, id_: rows.update(who, id_, {"update_time": 1}),
    "delete": lambda rows, who, id_: rows.delete(who, id_),
}


@pytest.mark.parametrize("attempt", ATTEMPTS)
@pytest.mark.parametrize("kind", KINDS)
async def test_anothers_row_is_as_one_that_is_not_there(small_world: World, kind: str, attempt: str) -> None:
    ids = await limited(small_world, small_world.umbrella)
    rows = getattr(small_world.tenancy, kind)
    errors = []
    for id_ in (ids[kind], "nothing"):
        with pytest.raises(GatewayError) as raised:
            await ATTEMPTS[attempt](rows, small_world.acme.admin, id_)
        errors.append((raised.value.reason, raised.value.message.replace(id_, "ID")))
    assert errors[0] == errors[1]
    assert errors[0][0] == NOT_FOUND
    assert await reason(rows.get(OPERATOR, ids[kind])) is None


@pytest.mark.parametrize("kind", KINDS)
async def test_lists_hold_ones_own(world: World, kind: str) -> None:
    own = await limited(world, world.acme)
    await limited(world, world.umbrella)
    rows = getattr(world.tenancy, kind)
    listed, token = await rows.page(world.acme.admin, ALL)
    assert ([each.id for each in listed], token) == ([own[kind]], "")
    assert len((await rows.page(OPERATOR, ALL))[0]) == 2


async def test_changes_of_others_are_not_told(world: World) -> None:
    entries, _ = await world.tenancy.audit.page(world.acme.admin, ALL)
    assert {entry.tenant_id for entry in entries} == {"acme"}
    assert (await world.tenancy.audit.page(world.acme.admin, ALL, "tenants/umbrella"))[0] == []


async def test_nothing_is_made_within_another_tenant(world: World) -> None:
    who, other, tenancy = world.acme.admin, world.umbrella, world.tenancy
    assert await reason(tenancy.users.create(who, "umbrella", "")) == NOT_FOUND
    assert await reason(tenancy.users.create(who, "nothing", "")) == NOT_FOUND
    assert await reason(tenancy.api_keys.create(who, other.user.id, "", ("completion",))) == NOT_FOUND
    assert await reason(tenancy.api_keys.rotate(who, other.key.id, 0)) == NOT_FOUND
    for subject in (Subject("user", other.user.id), Subject("key", other.key.id), Subject("tenant", "umbrella")):
        assert await reason(tenancy.quotas.create(who, subject, 1, "daily")) == NOT_FOUND
        assert await reason(tenancy.budgets.create(who, subject, 1, "daily")) == NOT_FOUND


async def test_ones_own_users_and_keys_are_ones_own_to_make_and_to_limit(world: World) -> None:
    who, tenancy = world.acme.admin, world.tenancy
    user = await tenancy.users.create(who, "acme", "new")
    key, _ = await tenancy.api_keys.create(who, user.id, "", ("admin",))
    quota = await tenancy.quotas.create(who, Subject("key", key.id), 1, "daily")
    assert (await tenancy.quotas.update(who, quota.id, {"token_limit": 2})).token_limit == 2
    await tenancy.budgets.create(who, Subject("user", user.id), 1, "total")
    await tenancy.api_keys.delete(who, key.id)
    await tenancy.users.delete(who, user.id)


async def test_what_limits_a_tenant_is_for_operators(world: World) -> None:
    who, tenancy, own = world.acme.admin, world.tenancy, Subject("tenant", "acme")
    for subject in (own, Subject("global", ""), Subject("model", "gpt-4o")):
        assert await reason(tenancy.budgets.create(who, subject, 1, "daily")) == DENIED
    assert await reason(tenancy.quotas.create(who, own, 1, "daily")) == DENIED
    quota = await tenancy.quotas.create(OPERATOR, own, 1, "daily")
    budget = await tenancy.budgets.create(OPERATOR, own, 1, "daily")
    assert (await tenancy.quotas.get(who, quota.id), await tenancy.budgets.get(who, budget.id)) == (quota, budget)
    assert await reason(tenancy.quotas.update(who, quota.id, {"token_limit": 9})) == DENIED
    assert await reason(tenancy.quotas.delete(who, quota.id)) == DENIED
    assert await reason(tenancy.budgets.update(who, budget.id, {"limit_micros": 9})) == DENIED
    assert await reason(tenancy.budgets.delete(who, budget.id)) == DENIED


async def test_shared_budgets_are_seen_by_operators_alone(world: World) -> None:
    budget = await world.tenancy.budgets.create(OPERATOR, Subject("global", ""), 1, "daily")
    assert await reason(world.tenancy.budgets.get(world.acme.admin, budget.id)) == NOT_FOUND


async def test_a_tenant_is_for_operators_to_make_enable_and_end(world: World) -> None:
    who, tenants = world.acme.admin, world.tenancy.tenants
    assert await reason(tenants.create(who, "", "another")) == DENIED
    assert await reason(tenants.update(who, "acme", {"enabled": False})) == DENIED
    assert await reason(tenants.delete(who, "acme")) == DENIED
    assert (await tenants.update(who, "acme", {"display_name": "Acme Inc."})).display_name == "Acme Inc."


async def test_ids_are_for_operators_to_choose(world: World) -> None:
    await world.tenancy.users.create(OPERATOR, "umbrella", "", "ada")
    for id_ in ("ada", "free"):
        refused = await reason(world.tenancy.users.create(world.acme.admin, "acme", "", id_))
        assert refused == ErrorReason.ERROR_REASON_INVALID_REQUEST
