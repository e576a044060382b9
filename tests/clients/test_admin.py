"""The clients administer a gateway's tenants: both say the same to it, and get the same."""

import asyncio

import grpc
import pytest

from tests.clients.fake_gateway import Failure, Gateway, error_info
from trunkline.v1.price_pb2 import Price, PriceRates
from trunkline.v1.tenancy_pb2 import (
    LIMIT_PERIOD_DAILY,
    ApiKey,
    Budget,
    Quota,
    Tenant,
    User,
)
from trunkline_client import AsyncClient, Client, NotFoundError

LEFT = {
    "tenants": ["tenants/acme"],
    "users": ["users/ada", "users/bob"],
    "quotas": [],
    "budgets": ["budgets/b-4"],
    "prices": ["prices/p-6"],
}
QUOTA = Quota(subject="users/ada", token_limit=1, period=LIMIT_PERIOD_DAILY)
PRICE = Price(provider="openai", model="gpt-4o", rates=PriceRates(input="2.50"))
BUDGET = Budget(subject="global", limit_usd_micros=1, period=LIMIT_PERIOD_DAILY)


async def administer(client: AsyncClient) -> dict[str, list[str]]:
    """Makes some, changes some, ends some, and gives the names that are left."""
    admin = client.admin
    await admin.create_tenant(Tenant(), tenant_id="acme")
    for name in ("ada", "bob"):
        await admin.create_user(User(tenant="tenants/acme"), user_id=name)
    budget = await admin.create_budget(BUDGET)
    quota = await admin.create_quota(QUOTA)
    await admin.update_tenant(Tenant(name="tenants/acme", display_name="Acme"), update_mask=["display_name"])
    assert (await admin.get_tenant("tenants/acme")).display_name == "Acme"
    assert (await admin.update_quota(Quota(name=quota.name, token_limit=2))).token_limit == 2
    assert (await admin.get_quota(quota.name)).token_limit == 2
    assert (await admin.update_budget(Budget(name=budget.name, enforced=False))).subject == "global"
    assert (await admin.get_budget(budget.name)).subject == "global"
    prices = [await admin.create_price(PRICE) for _ in range(2)]
    assert (await admin.get_price(prices[0].name)).rates.input == "2.50"
    await admin.delete_price(prices[1].name)
    await admin.delete_quota(quota.name)
    created = await admin.create_api_key(ApiKey(user="users/ada"))
    assert (await admin.get_api_key(created.api_key.name)).prefix == created.key[:12]
    await admin.delete_api_key(created.api_key.name)
    assert [each.name async for each in admin.list_api_keys()] == []
    assert [each.action async for each in admin.list_audit_entries(resource=quota.name)] == ["UpdateQuota", "CreateQuota"]
    assert (await admin.get_user("users/ada")).tenant == "tenants/acme"
    return {
        "tenants": [each.name async for each in admin.list_tenants()],
        "users": [each.name async for each in admin.list_users(tenant="tenants/acme", page_size=1)],
        "quotas": [each.name async for each in admin.list_quotas(subject="users/ada")],
        "budgets": [each.name async for each in admin.list_budgets()],
        "prices": [each.name async for each in admin.list_prices(provider="openai", model="gpt-4o")],
    }


def administer_sync(target: str) -> dict[str, list[str]]:
    """The same from a thread."""
    with Client(target) as client:
        admin = client.admin
        admin.create_tenant(Tenant(), tenant_id="acme")
        for name in ("ada", "bob"):
            admin.create_user(User(tenant="tenants/acme"), user_id=name)
        budget, quota = admin.create_budget(BUDGET), admin.create_quota(QUOTA)
        admin.update_tenant(Tenant(name="tenants/acme", display_name="Acme"), update_mask=["display_name"])
        assert admin.get_tenant("tenants/acme").display_name == "Acme"
        assert admin.update_quota(Quota(name=quota.name, token_limit=2)).token_limit == 2
        assert admin.get_quota(quota.name).token_limit == 2
        assert admin.update_budget(Budget(name=budget.name, enforced=False)).subject == "global"
        assert admin.get_budget(budget.name).subject == "global"
        prices = [admin.create_price(PRICE) for _ in range(2)]
        assert admin.get_price(prices[0].name).rates.input == "2.50"
        admin.delete_price(prices[1].name)
        admin.delete_quota(quota.name)
        created = admin.create_api_key(ApiKey(user="users/ada"))
        assert admin.get_api_key(created.api_key.name).prefix == created.key[:12]
        admin.delete_api_key(created.api_key.name)
        assert list(admin.list_api_keys()) == []
        assert [each.action for each in admin.list_audit_entries(resource=quota.name)] == ["UpdateQuota", "CreateQuota"]
        assert admin.get_user("users/ada").tenant == "tenants/acme"
        return {
            "tenants": [each.name for each in admin.list_tenants()],
            "users": [each.name for each in admin.list_users(tenant="tenants/acme", page_size=1)],
            "quotas": [each.name for each in admin.list_quotas(subject="users/ada")],
            "budgets": [each.name for each in admin.list_budgets()],
            "prices": [each.name for each in admin.list_prices(provider="openai", model="gpt-4o")],
        }


async def test_what_is_made_can_be_changed_listed_and_ended(gateway: Gateway, client: AsyncClient) -> None:
    assert await administer(client) == LEFT


async def test_threads_do_the_same(gateway: Gateway) -> None:
    assert await asyncio.to_thread(administer_sync, gateway.target) == LEFT


async def test_what_is_not_there_is_told(gateway: Gateway, client: AsyncClient) -> None:
    gateway.script.failures.append(Failure(grpc.StatusCode.NOT_FOUND, "No.", (error_info("RESOURCE_NOT_FOUND"),)))
    with pytest.raises(NotFoundError):
        await client.admin.get_user("users/nobody")


async def test_an_option_that_there_is_not_is_refused(client: AsyncClient) -> None:
    with pytest.raises(TypeError):
        await client.admin.get_user("users/ada", timeout=5)  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        assert [each async for each in client.admin.list_users(timeout=5)]  # type: ignore[call-arg]


async def test_a_call_has_its_own_metadata(gateway: Gateway, client: AsyncClient) -> None:
    assert [each async for each in client.admin.list_users(metadata=(("x-beside", "1"),), timeout_s=20)] == []
    assert gateway.script.calls[-1].metadata["x-beside"] == "1"
