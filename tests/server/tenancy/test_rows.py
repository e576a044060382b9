"""Tenants, users, keys, quotas and budgets are kept, changed, told in pages, and every change is written down."""

import orjson
import pytest
from sqlalchemy import func, select, text

from server.errors import GatewayError
from server.storage.tables import API_KEYS, AUDIT
from server.tenancy.audit import Audit
from server.tenancy.pages import Page
from server.tenancy.subjects import Subject, read_subject
from server.tenancy.who import Who, read_name
from tests.server.tenancy.world import OPERATOR, World, acting
from trunkline.v1.error_reason_pb2 import ErrorReason

ALL = Page(100, None)


async def changes(world: World, who: Who = OPERATOR, resource: str = "") -> list[tuple[str, str, str]]:
    """Who did what to what, newest first."""
    entries, _ = await world.tenancy.audit.page(who, ALL, resource)
    return [(entry.actor, entry.action, entry.resource) for entry in entries]


async def audit_count(world: World) -> int:
    async with world.database.read() as connection:
        count: int = (await connection.execute(select(func.count()).select_from(AUDIT))).scalar_one()
    return count


async def test_what_is_made_is_there(world: World) -> None:
    acme = world.acme
    assert await world.tenancy.tenants.get(OPERATOR, "acme") == acme.tenant
    assert await world.tenancy.users.get(OPERATOR, acme.user.id) == acme.user
    assert await world.tenancy.api_keys.get(OPERATOR, acme.key.id) == acme.key
    assert acme.key.tenant_id == "acme"
    assert acme.plain.startswith(acme.key.prefix)


async def test_a_key_is_kept_as_its_digest_alone(world: World) -> None:
    async with world.database.read() as connection:
        for table in (API_KEYS, AUDIT):
            everything = (await connection.execute(select(table))).all()
            assert world.acme.plain not in str(everything)
        row = (await connection.execute(select(API_KEYS).where(API_KEYS.c.id == world.acme.key.id))).mappings().one()
    assert bytes(row["digest"]) == world.acme.digest
    assert world.acme.digest.hex() not in str(everything)


async def test_a_change_is_written_down_with_what_was_before_and_after(world: World) -> None:
    world.clock.time += 5
    who = acting(world.acme.admin, "UpdateUser")
    changed = await world.tenancy.users.update(who, world.acme.user.id, {"enabled": False})
    entries, _ = await world.tenancy.audit.page(OPERATOR, ALL, f"users/{world.acme.user.id}")
    entry = entries[0]
    assert (entry.actor, entry.request_id, entry.action) == ("admin of acme", "req_2", "UpdateUser")
    assert (entry.tenant_id, entry.create_time) == ("acme", changed.update_time)
    before, after = orjson.loads(entry.before), orjson.loads(entry.after)
    assert {name for name in after if after[name] != before[name]} == {"enabled", "update_time"}
    assert [each.before for each in entries] == [entry.before, ""]


async def test_a_change_that_changes_nothing_is_none(world: World) -> None:
    count = await audit_count(world)
    assert await world.tenancy.users.update(OPERATOR, world.acme.user.id, {"enabled": True}) == world.acme.user
    assert await world.tenancy.users.update(OPERATOR, world.acme.user.id, {}) == world.acme.user
    assert await audit_count(world) == count


async def test_what_is_refused_leaves_no_trace(world: World) -> None:
    count = await audit_count(world)
    for refused in (
        world.tenancy.tenants.create(OPERATOR, "Another", "acme"),
        world.tenancy.users.create(OPERATOR, "nobody", ""),
        world.tenancy.api_keys.create(OPERATOR, "nobody", "", ("completion",)),
        world.tenancy.tenants.delete(OPERATOR, "acme"),
        world.tenancy.users.delete(OPERATOR, world.acme.user.id),
        world.tenancy.quotas.create(OPERATOR, Subject("user", "nobody"), 1, "daily"),
    ):
        with pytest.raises(GatewayError):
            await refused
    assert await audit_count(world) == count


async def test_a_change_and_its_trace_come_together_or_not_at_all(world: World) -> None:
    async with world.database.begin() as connection:
        await connection.execute(text("ALTER TABLE audit RENAME TO elsewhere"))
    with pytest.raises(GatewayError) as raised:
        await world.tenancy.users.update(OPERATOR, world.acme.user.id, {"enabled": False})
    assert raised.value.reason == ErrorReason.ERROR_REASON_OVERLOADED
    assert (await world.tenancy.users.get(OPERATOR, world.acme.user.id)).enabled
    async with world.database.begin() as connection:
        await connection.execute(text("ALTER TABLE elsewhere RENAME TO audit"))


async def test_ids_are_taken_once(world: World) -> None:
    await world.tenancy.users.create(OPERATOR, "acme", "", "ada")
    for taken in (
        world.tenancy.tenants.create(OPERATOR, "", "acme"),
        world.tenancy.users.create(OPERATOR, "umbrella", "", "ada"),
    ):
        with pytest.raises(GatewayError) as raised:
            await taken
        assert raised.value.reason == ErrorReason.ERROR_REASON_ALREADY_EXISTS


async def test_a_subject_has_one_quota_of_each_period(world: World) -> None:
    subject = Subject("key", world.acme.key.id)
    await world.tenancy.quotas.create(OPERATOR, subject, 1, "daily")
    await world.tenancy.quotas.create(OPERATOR, subject, 1, "monthly")
    with pytest.raises(GatewayError) as raised:
        await world.tenancy.quotas.create(OPERATOR, subject, 2, "daily")
    assert raised.value.reason == ErrorReason.ERROR_REASON_ALREADY_EXISTS


async def test_what_limits_something_goes_with_it(world: World) -> None:
    tenancy, key, user = world.tenancy, world.acme.key, world.acme.user
    for subject in (Subject("key", key.id), Subject("user", user.id), Subject("tenant", "acme")):
        await tenancy.quotas.create(OPERATOR, subject, 1, "daily")
        await tenancy.budgets.create(OPERATOR, subject, 1, "daily")
    await tenancy.quotas.create(OPERATOR, Subject("tenant", "umbrella"), 1, "daily")
    await tenancy.api_keys.delete(acting(OPERATOR, "DeleteApiKey"), key.id)
    await tenancy.users.delete(acting(OPERATOR, "DeleteUser"), user.id)
    await tenancy.tenants.delete(acting(OPERATOR, "DeleteTenant"), "acme")
    assert [quota.scope_id for quota in (await tenancy.quotas.page(OPERATOR, ALL))[0]] == ["umbrella"]
    assert (await tenancy.budgets.page(OPERATOR, ALL))[0] == []
    ended = [action for _, action, resource in await changes(world) if action.startswith("Delete")]
    assert {action: ended.count(action) for action in ended} == {"DeleteTenant": 3, "DeleteUser": 3, "DeleteApiKey": 3}


async def test_pages_hold_each_row_once_whatever_is_made_meanwhile(world: World) -> None:
    for number in range(5):
        await world.tenancy.users.create(OPERATOR, "acme", f"{number}")
    seen, token = [], ""
    for size in (2, 2, 2, 2):
        users, token = await world.tenancy.users.page(OPERATOR, Page.read(size, token))
        seen += [user.display_name for user in users]
        world.clock.time += 1
        await world.tenancy.users.create(OPERATOR, "umbrella", "late")
    assert seen[:2] == ["acme's user", "umbrella's user"]
    assert sorted(seen[2:7]) == ["0", "1", "2", "3", "4"]
    assert token


async def test_changes_are_told_newest_first_in_pages(world: World) -> None:
    audit: Audit = world.tenancy.audit
    everything, token = await audit.page(OPERATOR, ALL)
    assert token == ""
    first, token = await audit.page(OPERATOR, Page.read(4, ""))
    rest, end = await audit.page(OPERATOR, Page.read(4, token))
    assert ([*first, *rest], end) == (everything, "")
    times = [entry.create_time for entry in everything]
    assert times == sorted(times, reverse=True)
    assert (await audit.page(OPERATOR, ALL, actor="nobody"))[0] == []


@pytest.mark.parametrize("token", ["1", "x.y", "1.", ".a", "1.A", "1.'; DROP TABLE users", "f" * 20 + ".a", "1.a\n"])
def test_a_token_of_somebody_else_is_refused(token: str) -> None:
    with pytest.raises(GatewayError) as raised:
        Page.read(0, token)
    assert raised.value.metadata == {"param": "page_token"}


@pytest.mark.parametrize(
    "name", ["", "acme", "tenants/", "users/acme", "tenants/A", "tenants/a/b", "tenants/a-", "tenants/é"]
)
def test_a_malformed_name_is_refused(name: str) -> None:
    with pytest.raises(GatewayError) as raised:
        read_name(name, "tenants")
    assert raised.value.reason == ErrorReason.ERROR_REASON_INVALID_REQUEST


@pytest.mark.parametrize("name", ["tenants/a", "users/a", "api_keys/a", "models/openai/gpt-4o", "global"])
def test_a_subject_is_read_as_it_is_written(name: str) -> None:
    assert read_subject(name, shared=True).name == name


@pytest.mark.parametrize("name", ["global", "models/x", "", "tenants/", "quotas/a"])
def test_a_quota_is_nobody_elses(name: str) -> None:
    with pytest.raises(GatewayError) as raised:
        read_subject(name, shared=False)
    assert raised.value.metadata == {"param": "subject"}
