"""What is made while that which it belongs to is deleted is not left behind."""

import asyncio

import pytest
from sqlalchemy import delete, insert

from server.errors import GatewayError
from server.storage.database import Database
from server.storage.tables import QUOTAS, TENANTS, USERS
from server.tenancy.pages import Page
from server.tenancy.subjects import Subject
from tests.server.tenancy.world import OPERATOR, World, blocked, settle
from trunkline.v1.error_reason_pb2 import ErrorReason


@pytest.fixture
async def world(postgresql_database: Database) -> World:
    """Two tenants in the database in which several write at a time."""
    return await settle(postgresql_database)


async def test_a_limit_goes_with_its_subject_though_it_is_made_meanwhile(world: World) -> None:
    user = await world.tenancy.users.create(OPERATOR, "acme", "")
    row = {"id": "q", "scope": "user", "scope_id": user.id, "token_limit": 1, "period": "daily"}
    async with world.database.begin() as connection:
        await connection.execute(insert(QUOTAS), [{**row, "create_time": 1, "update_time": 1}])
        making = await blocked(world, world.tenancy.quotas.create(OPERATOR, Subject("user", user.id), 1, "daily"))
        deleting = await blocked(world, world.tenancy.users.delete(OPERATOR, user.id), 1)
        await connection.execute(delete(QUOTAS))
    await asyncio.gather(making, deleting)
    assert (await world.tenancy.quotas.page(OPERATOR, Page(100, None)))[0] == []


async def test_a_user_of_a_tenant_that_is_deleted_meanwhile_has_no_tenant(world: World) -> None:
    tenant = await world.tenancy.tenants.create(OPERATOR, "")
    async with world.database.begin() as connection:
        await connection.execute(delete(TENANTS).where(TENANTS.c.id == tenant.id))
        making = await blocked(world, world.tenancy.users.create(OPERATOR, tenant.id, ""))
    with pytest.raises(GatewayError) as raised:
        await making
    assert raised.value.reason == ErrorReason.ERROR_REASON_RESOURCE_NOT_FOUND


async def test_a_key_of_a_user_that_is_deleted_meanwhile_has_no_user(world: World) -> None:
    user = await world.tenancy.users.create(OPERATOR, "acme", "")
    async with world.database.begin() as connection:
        await connection.execute(delete(USERS).where(USERS.c.id == user.id))
        making = await blocked(world, world.tenancy.api_keys.create(OPERATOR, user.id, "", ("completion",)))
    with pytest.raises(GatewayError) as raised:
        await making
    assert raised.value.reason == ErrorReason.ERROR_REASON_RESOURCE_NOT_FOUND
