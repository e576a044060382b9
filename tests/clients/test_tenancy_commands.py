"""`trunkline tenants`, `users`, `keys`, `quotas`, `budgets`, `prices` and `audit` administer a gateway."""

import json
import os
import re
from typing import cast

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from tests.clients.command import Ended, run
from tests.clients.fake_gateway import Gateway
from trunkline.v1 import admin_service_pb2 as admin
from trunkline.v1.price_pb2 import Price, PriceRates, PriceTier
from trunkline.v1.tenancy_pb2 import ApiKey, FormerKey, Tenant
from trunkline_client import AsyncClient

ESCAPE = "\x1b"
MORE = str(2**63)
"""More than the contract has room for."""


async def ran(gateway: Gateway, *arguments: str) -> Ended:
    """A run that ended well."""
    ended = await run(*arguments, "--target", gateway.target, env={"TRUNKLINE_API_KEY": "k-1"})
    assert (ended.code, ESCAPE in ended.out) == (0, False), ended.err
    return ended


def rows(text: str) -> list[list[str]]:
    """A table's cells."""
    return [re.split("  +", line.strip()) for line in text.splitlines() if line.strip()]


async def test_a_tenant_is_created_shown_disabled_and_deleted(gateway: Gateway) -> None:
    created = await ran(gateway, "tenants", "create", "--id", "acme", "--name", "Acme Inc.")
    assert rows(created.out)[:3] == [["tenant", "tenants/acme"], ["name", "Acme Inc."], ["state", "enabled"]]
    assert gateway.script.calls[0].metadata["authorization"] == "Bearer k-1"
    assert rows((await ran(gateway, "tenants", "list")).out)[1] == ["acme", "Acme Inc.", "enabled", "-"]
    assert ["state", "disabled"] in rows((await ran(gateway, "tenants", "disable", "acme")).out)
    assert ["state", "disabled"] in rows((await ran(gateway, "tenants", "show", "tenants/acme")).out)
    assert ["state", "enabled"] in rows((await ran(gateway, "tenants", "enable", "acme")).out)
    assert (await ran(gateway, "tenants", "delete", "acme")).out == ""
    assert len(rows((await ran(gateway, "tenants", "list")).out)) == 1


async def test_users_are_listed_over_all_pages(gateway: Gateway) -> None:
    for name in ("ada", "bob"):
        await ran(gateway, "users", "create", "--tenant", "acme", "--id", name)
    listed = await ran(gateway, "users", "list", "--tenant", "acme")
    assert [row[0] for row in rows(listed.out)] == ["USER", "ada", "bob"]
    asked = [cast(admin.ListUsersRequest, call.request) for call in gateway.script.calls if call.method == "ListUsers"]
    assert [request.tenant for request in asked] == ["tenants/acme"] * 2


async def test_a_new_key_is_printed_once(gateway: Gateway) -> None:
    created = await ran(gateway, "keys", "create", "--user", "ada", "--model", "gpt-*", "--model", "o3")
    key = "llm_00000000-0000-4000-8000-000000000001"
    assert created.out.splitlines()[-1].strip() == key
    assert created.out.count(key) == 1
    assert "this once" in created.err
    assert ["models", "gpt-*, o3"] in rows(created.out)
    assert key not in (await ran(gateway, "keys", "list")).out + (await ran(gateway, "keys", "show", "a-1")).out


async def test_a_rotated_key_keeps_its_name(gateway: Gateway) -> None:
    await ran(gateway, "keys", "create", "--user", "users/ada")
    rotated = await ran(gateway, "keys", "rotate", "a-1", "--overlap", "3600")
    assert rotated.out.splitlines()[-1].strip() == "llm_00000000-0000-4000-8000-000000000002"
    assert ["key", "api_keys/a-1"] in rows(rotated.out)
    request = cast(admin.RotateApiKeyRequest, gateway.script.calls[-1].request)
    assert (request.name, request.overlap.seconds) == ("api_keys/a-1", 3600)


async def test_what_a_key_may_do_travels(gateway: Gateway) -> None:
    permissions = ("--permission", "admin", "--permission", "models:read")
    await ran(gateway, "keys", "create", "--user", "ada", *permissions, "--expires", "2030-01-02", "--provider", "openai")
    given = cast(admin.CreateApiKeyRequest, gateway.script.calls[-1].request).api_key
    assert (given.user, list(given.permissions)) == ("users/ada", ["admin", "models:read"])
    assert (given.expire_time.ToJsonString(), list(given.allowed_providers)) == ("2030-01-02T00:00:00Z", ["openai"])


async def test_a_key_is_disabled_and_enabled(gateway: Gateway) -> None:
    await ran(gateway, "keys", "create", "--user", "ada")
    assert ["state", "disabled"] in rows((await ran(gateway, "keys", "disable", "a-1")).out)
    assert ["state", "enabled"] in rows((await ran(gateway, "keys", "enable", "a-1")).out)
    assert (await ran(gateway, "keys", "delete", "a-1")).out == ""


@pytest.mark.parametrize(
    "arguments",
    [
        *(("keys", "create"), ("keys", "rotate", "a", "--overlap", "-1"), ("users", "show")),
        ("quotas", "create", "--subject", "users/ada", "--tokens", "1", "--period", "hourly"),
        *(("quotas", "update", "q"), ("budgets", "update", "b"), ("audit", "--most", "-1")),
        *(("audit", "--most", MORE), ("completions", "list", "--most", MORE), ("quotas", "update", "q", "--tokens", MORE)),
        *(("budgets", "update", "b", "--threshold", MORE), ("tenants", "create", "--name", os.fsdecode(b"\xff"))),
        *(("budgets", "update", "b", "--usd", each) for each in ("much", "-1", "NaN", "0.0000001")),
        *(("prices", "set", "--model", "m", "--other", each) for each in ("input", "over=1", "rates=1")),
        *(("prices", "set", "--model", "m", "--tier", each) for each in ("input=1", "5:request=1", "5", "-1:input=1")),
        ("prices", "set", "--input", "1"),
    ],
)
async def test_what_makes_no_sense_is_a_fault_of_usage(arguments: tuple[str, ...]) -> None:
    ended = await run(*arguments)
    assert (ended.code, ended.out) == (2, "")


@pytest.mark.parametrize(
    "command",
    [
        "keys create",
        "keys rotate",
        "users create",
        "tenants create",
        "tenants list",
        "quotas create",
        "budgets update",
        "prices set",
        "audit",
    ],
)
async def test_every_option_has_its_variable_in_the_help(command: str) -> None:
    ended = await run(*command.split(), "--help", env={"COLUMNS": "200"})
    options = [line for line in ended.out.splitlines() if re.match(r"│ +(\* +)?--", line) and "--help" not in line]
    assert ended.code == 0
    assert len(options) >= 5
    assert [line for line in options if "TRUNKLINE_" not in line] == []


async def test_a_quota_is_created_changed_listed_and_deleted(gateway: Gateway) -> None:
    created = await ran(gateway, "quotas", "create", "--subject", "users/ada", "--tokens", "1000", "--period", "daily")
    assert rows(created.out)[:4] == [
        *(["quota", "quotas/q-1"], ["subject", "users/ada"]),
        *(["tokens", "1000"], ["period", "daily"]),
    ]
    assert ["tokens", "5"] in rows((await ran(gateway, "quotas", "update", "q-1", "--tokens", "5")).out)
    assert ["tokens", "0"] in rows((await ran(gateway, "quotas", "update", "quotas/q-1", "--tokens", "0")).out)
    assert ["period", "daily"] in rows((await ran(gateway, "quotas", "show", "q-1")).out)
    listed = rows((await ran(gateway, "quotas", "list", "--subject", "users/ada")).out)
    assert listed == [["QUOTA", "SUBJECT", "TOKENS", "PERIOD", "CREATED"], ["q-1", "users/ada", "0", "daily", "-"]]
    assert cast(admin.ListQuotasRequest, gateway.script.calls[-1].request).subject == "users/ada"
    assert (await ran(gateway, "quotas", "delete", "q-1")).out == ""
    assert len(rows((await ran(gateway, "quotas", "list")).out)) == 1


async def test_a_budget_is_created_changed_listed_and_deleted(gateway: Gateway) -> None:
    what = ("--subject", "global", "--usd", "12.5", "--period", "monthly", "--name", "All of us", "--tracked")
    created = await ran(gateway, "budgets", "create", *what, "--threshold", "50", "--threshold", "90")
    given = cast(admin.CreateBudgetRequest, gateway.script.calls[-1].request).budget
    assert (given.limit_usd_micros, given.enforced, list(given.thresholds)) == (12_500_000, False, [50, 90])
    shown = rows(created.out)
    assert ["usd", "12.5"] in shown
    assert ["told at", "50 %, 90 %"] in shown
    changed = await ran(gateway, "budgets", "update", "b-1", "--usd", "0.000001", "--enforced")
    request = cast(admin.UpdateBudgetRequest, gateway.script.calls[-1].request)
    assert list(request.update_mask.paths) == ["limit_usd_micros", "enforced"]
    assert ["usd", "0.000001"] in rows(changed.out)
    assert rows((await ran(gateway, "budgets", "list")).out)[1][:6] == [
        *("b-1", "All of us", "global", "0.000001", "monthly", "refused"),
    ]
    assert ["name", "All of us"] in rows((await ran(gateway, "budgets", "show", "b-1")).out)
    assert (await ran(gateway, "budgets", "delete", "b-1")).out == ""


async def test_a_price_is_set_shown_listed_and_deleted(gateway: Gateway) -> None:
    what = ("--provider", "openai", "--model", "gpt-4o", "--from", "2026-12-01", "--input", "2.50", "--output", "10")
    more = ("--cached-input", "1.25", "--other", "request=0.001", "--other", "reasoning=12")
    created = await ran(gateway, "prices", "set", *what, *more, "--tier", "200000:input=5,output=22.50")
    given = cast(admin.CreatePriceRequest, gateway.script.calls[-1].request).price
    assert (given.provider, given.model, given.effective_time.ToJsonString()) == ("openai", "gpt-4o", "2026-12-01T00:00:00Z")
    rates = PriceRates(input="2.50", cached_input="1.25", output="10", reasoning="12")
    assert (given.rates, given.request, given.HasField("image")) == (rates, "0.001", False)
    assert list(given.tiers) == [PriceTier(over_input_tokens=200_000, rates=PriceRates(input="5", output="22.50"))]
    shown = rows(created.out)
    assert ["price", "prices/p-1"] in shown
    assert ["cached input", "1.25"] in shown
    assert ["over 200000", "input 5, output 22.50"] in shown
    assert ["input", "2.50"] in rows((await ran(gateway, "prices", "show", "p-1")).out)
    listed = rows((await ran(gateway, "prices", "list", "--model", "gpt-4o", "--provider", "openai")).out)
    assert listed[0] == ["PRICE", "PROVIDER", "MODEL", "FROM", "INPUT", "OUTPUT", "OTHER"]
    assert listed[1][:6] == ["p-1", "openai", "gpt-4o", "2026-12-01 00:00:00", "2.50", "10"]
    asked = cast(admin.ListPricesRequest, gateway.script.calls[-1].request)
    assert (asked.provider, asked.model) == ("openai", "gpt-4o")
    assert (await ran(gateway, "prices", "delete", "prices/p-1")).out == ""
    assert len(rows((await ran(gateway, "prices", "list")).out)) == 1


async def test_a_price_without_a_time_leaves_it_to_the_gateway(gateway: Gateway) -> None:
    await ran(gateway, "prices", "set", "--model", "m", "--input", "0")
    given = cast(admin.CreatePriceRequest, gateway.script.calls[-1].request).price
    assert given == Price(model="m", rates=PriceRates(input="0"))


async def test_who_changed_what_is_listed_newest_first(gateway: Gateway) -> None:
    for name in ("acme", "umbrella"):
        await ran(gateway, "tenants", "create", "--id", name)
    listed = rows((await ran(gateway, "audit", "--actor", "first-key")).out)
    assert listed[0] == ["TIME", "ACTOR", "ACTION", "RESOURCE", "TENANT", "REQUEST"]
    assert [row[1:3] for row in listed[1:]] == [["CreateTenant", "tenants/umbrella"], ["CreateTenant", "tenants/acme"]]
    assert cast(admin.ListAuditEntriesRequest, gateway.script.calls[-1].request).actor == "first-key"
    assert len(rows((await ran(gateway, "audit", "--resource", "tenants/acme")).out)) == 2
    assert len(rows((await ran(gateway, "audit", "--most", "1")).out)) == 2


async def test_json_is_that_of_the_rest_api(gateway: Gateway) -> None:
    create = ("quotas", "create", "--subject", "users/ada", "--tokens", "1000", "--period", "daily", "--json")
    made = json.loads((await ran(gateway, *create)).out)
    assert made == {"name": "quotas/q-1", "subject": "users/ada", "token_limit": 1000, "period": "daily"}
    assert json.loads((await ran(gateway, "quotas", "list", "--json")).out) == [made]
    assert json.loads((await ran(gateway, "quotas", "show", "q-1", "--json")).out) == made
    assert json.loads((await ran(gateway, "audit", "--json")).out)[0]["action"] == "CreateQuota"
    key = json.loads((await ran(gateway, "keys", "create", "--user", "ada", "--json")).out)
    assert (key["key"], key["api_key"]["user"]) == ("llm_00000000-0000-4000-8000-000000000001", "users/ada")
    assert (await ran(gateway, "quotas", "delete", "q-1", "--json")).out == ""


async def test_json_commands_no_terminal(gateway: Gateway, client: AsyncClient) -> None:
    name = "a\x9b2J\x7fé"
    await client.admin.create_tenant(Tenant(display_name=name), tenant_id="acme")
    shown = (await ran(gateway, "tenants", "show", "acme", "--json")).out
    assert json.loads(shown)["display_name"] == name
    assert "a\\u009b2J\\u007fé" in shown


async def test_json_loses_no_letter_to_an_output_that_has_few(gateway: Gateway, client: AsyncClient) -> None:
    await client.admin.create_tenant(Tenant(display_name="Größe 長\U0001f40b"), tenant_id="acme")
    command = ("tenants", "show", "acme", "--json", "--target", gateway.target)
    shown = await run(*command, env={"PYTHONIOENCODING": "ascii"})
    assert json.loads(shown.out)["display_name"] == "Größe 長\U0001f40b"


async def test_a_key_tells_when_it_was_used(gateway: Gateway, client: AsyncClient) -> None:
    await ran(gateway, "keys", "create", "--user", "ada")
    assert ["last used", "never"] in rows((await ran(gateway, "keys", "show", "a-1")).out)
    await client.admin.update_api_key(ApiKey(name="api_keys/a-1", last_use_time=Timestamp(seconds=1_800_000_000)))
    assert ["last used", "2027-01-15 08:00:00"] in rows((await ran(gateway, "keys", "show", "a-1")).out)
    assert rows((await ran(gateway, "keys", "list")).out)[1][-1] == "2027-01-15 08:00:00"


async def test_what_ends_or_begins_with_the_epoch_says_so(gateway: Gateway) -> None:
    epoch = "1970-01-01 00:00:00"
    created = await ran(gateway, "keys", "create", "--user", "ada", "--expires", "1970-01-01")
    assert ["expires", epoch] in rows(created.out)
    assert epoch in rows((await ran(gateway, "keys", "list")).out)[1]
    price = await ran(gateway, "prices", "set", "--model", "m", "--input", "1", "--from", "1970-01-01")
    assert ["from", epoch] in rows(price.out)


async def test_former_keys_that_end_together_are_all_shown(gateway: Gateway, client: AsyncClient) -> None:
    await ran(gateway, "keys", "create", "--user", "ada")
    end = Timestamp(seconds=1_800_000_000)
    former = [FormerKey(prefix=prefix, expire_time=end) for prefix in ("llm_11111111", "llm_22222222")]
    await client.admin.update_api_key(ApiKey(name="api_keys/a-1", former_keys=former))
    shown = rows((await ran(gateway, "keys", "show", "a-1")).out)
    for prefix in ("llm_11111111", "llm_22222222"):
        assert [f"{prefix}...", "until 2027-01-15 08:00:00"] in shown
