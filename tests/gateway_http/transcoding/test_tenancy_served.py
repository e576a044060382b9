"""Tenants, users, keys, quotas, budgets and prices over REST, from their making to their end, for operators and a tenant."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import pytest

from tests.gateway_http.serving import ECHO, KEY, Answer, Running, call, running

Json = dict[str, object]


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Running]:
    async with running(tmp_path, ECHO) as started:
        yield started


async def send(gateway: Running, method: str, path: str, body: object = None, key: str = KEY, status: int = 200) -> Answer:
    """An answer of the expected status."""
    answer = await call(gateway.port, method, path, body, key=key)
    assert answer.status == status, answer.body
    return answer


async def household(gateway: Running, tenant: str, **fields: object) -> tuple[Json, str]:
    """Makes a tenant with a user and a key; gives what is known of the key, and the key."""
    await send(gateway, "POST", f"/v1/tenants?tenant_id={tenant}", {"display_name": tenant.title()})
    user = (await send(gateway, "POST", "/v1/users", {"tenant": f"tenants/{tenant}"})).json()
    body = (await send(gateway, "POST", "/v1/api_keys", {"user": user["name"], **fields})).json()
    return cast(Json, body["api_key"]), cast(str, body["key"])


async def test_a_new_key_lets_its_holder_in_and_a_deleted_one_does_not(gateway: Running) -> None:
    known, key = await household(gateway, "acme")
    assert set(known) == {
        *("name", "tenant", "user", "display_name", "prefix", "permissions", "allowed_models", "allowed_providers"),
        *("enabled", "create_time", "update_time", "former_keys"),
    }
    assert (known["tenant"], known["permissions"], known["enabled"]) == ("tenants/acme", ["completion"], True)
    chat = {"model": "echo", "messages": [{"role": "user", "content": "Hi"}]}
    await send(gateway, "POST", "/v1/chat/completions", chat, key=key)
    denied = await send(gateway, "GET", "/v1/users", key=key, status=403)
    assert denied.error["code"] == "insufficient_permissions"


async def test_a_disabled_key_is_refused_and_says_so(gateway: Running) -> None:
    known, key = await household(gateway, "acme")
    changed = await send(gateway, "PATCH", f"/v1/{known['name']}", {"enabled": False})
    assert (changed.json()["enabled"], changed.json()["permissions"]) == (False, ["completion"])
    refused = await send(gateway, "GET", "/v1/models", key=key, status=401)
    assert (refused.error["code"], refused.error["message"]) == ("invalid_api_key", "This API key is disabled.")


async def test_an_update_sets_what_its_mask_names(gateway: Running) -> None:
    known, _ = await household(gateway, "acme", allowed_models=["gpt-*"], expire_time="2100-01-01T00:00:00Z")
    path = f"/v1/{known['name']}"
    changed = (await send(gateway, "PATCH", f"{path}?update_mask=expire_time,allowed_models", {"enabled": False})).json()
    assert ("expire_time" in changed, changed["allowed_models"], changed["enabled"]) == (False, [], True)
    assert (await send(gateway, "GET", path)).json() == changed
    refused = await send(gateway, "PATCH", f"{path}?update_mask=user", {"user": "users/x"}, status=400)
    assert refused.error["param"] == "update_mask"


async def test_an_update_without_a_mask_sets_what_its_body_has_also_where_that_is_empty(gateway: Running) -> None:
    known, _ = await household(gateway, "acme", allowed_models=["gpt-*"], expire_time="2100-01-01T00:00:00Z")
    path = f"/v1/{known['name']}"
    changed = (await send(gateway, "PATCH", path, {"allowed_models": [], "expire_time": None})).json()
    assert ("expire_time" in changed, changed["allowed_models"]) == (False, [])
    quota = {"subject": known["user"], "token_limit": 5, "period": "daily"}
    made = (await send(gateway, "POST", "/v1/quotas", quota)).json()
    assert (await send(gateway, "PATCH", f"/v1/{made['name']}", {"token_limit": 0})).json()["token_limit"] == 0


async def test_an_update_may_send_back_all_that_was_read(gateway: Running) -> None:
    known, _ = await household(gateway, "acme")
    changed = (await send(gateway, "PATCH", f"/v1/{known['name']}", {**known, "display_name": "Desk"})).json()
    assert {**changed, "update_time": ""} == {**known, "display_name": "Desk", "update_time": ""}
    refused = await send(gateway, "PATCH", f"/v1/{known['name']}", {"user": "users/x"}, status=400)
    assert refused.error["param"] == "update_mask"


async def test_a_rotation_gives_another_key_of_the_same_name(gateway: Running) -> None:
    known, old = await household(gateway, "acme")
    body = (await send(gateway, "POST", f"/v1/{known['name']}/rotate", {"overlap": 3600})).json()
    rotated, new = cast(Json, body["api_key"]), cast(str, body["key"])
    assert rotated["name"] == known["name"]
    assert [each["prefix"] for each in cast(list[Json], rotated["former_keys"])] == [known["prefix"]]
    for key in (old, new):
        await send(gateway, "GET", "/v1/models", key=key)


async def test_a_body_that_may_say_nothing_may_be_left_out(gateway: Running) -> None:
    known, old = await household(gateway, "acme")
    path = f"/v1/{known['name']}"
    new = cast(str, (await send(gateway, "POST", f"{path}/rotate")).json()["key"])
    await send(gateway, "GET", "/v1/models", key=new)
    await send(gateway, "GET", "/v1/models", key=old, status=401)
    assert (await send(gateway, "POST", "/v1/tenants?tenant_id=bare")).json()["name"] == "tenants/bare"
    assert (await send(gateway, "POST", "/v1/users", status=400)).error["param"] == "tenant"
    for method, resource in (("PATCH", path), ("PUT", "/v1/providers/echo/model_selection"), ("POST", "/v1/embeddings")):
        assert "JSON" in str((await send(gateway, method, resource, status=400)).error["message"])


async def test_quotas_and_budgets_are_made_changed_and_listed(gateway: Running) -> None:
    known, _ = await household(gateway, "acme")
    quota = {"subject": known["user"], "token_limit": 2**53 + 1, "period": "monthly"}
    made = (await send(gateway, "POST", "/v1/quotas", quota)).json()
    assert {name: made[name] for name in quota} == quota
    assert (await send(gateway, "POST", "/v1/quotas", quota, status=409)).error["code"] == "already_exists"
    for subject in ("global", "models/gpt-4o", "tenants/acme", known["name"]):
        budget = {"subject": subject, "limit_usd_micros": 5_000_000, "period": "daily"}
        made = (await send(gateway, "POST", "/v1/budgets", budget)).json()
        assert (made["subject"], made["enforced"], made["thresholds"]) == (subject, True, [50, 80, 100])
    path = f"/v1/{made['name']}"
    changed = (await send(gateway, "PATCH", path, {"limit_usd_micros": 7, "enforced": False, "thresholds": [90]})).json()
    assert (changed["limit_usd_micros"], changed["enforced"], changed["thresholds"]) == (7, False, [90])
    listed = (await send(gateway, "GET", "/v1/budgets?subject=models/gpt-4o")).json()
    assert len(cast(list[Json], listed["budgets"])) == 1
    await send(gateway, "DELETE", path)
    await send(gateway, "GET", path, status=404)


async def test_prices_are_set_listed_and_ended(gateway: Running) -> None:
    price: Json = {
        "provider": "echo",
        "model": "acme/echo",
        "effective_time": "2026-01-01T00:00:00Z",
        "request": "0.001",
        "rates": {"input": "2.50", "cache_write_1h": "0", "output": "10"},
        "tiers": [{"over_input_tokens": 200_000, "rates": {"input": "5"}}],
    }
    made = (await send(gateway, "POST", "/v1/prices", price)).json()
    path = f"/v1/{made['name']}"
    assert {name: made[name] for name in made if name not in ("name", "create_time")} == price
    assert (await send(gateway, "GET", path)).json() == made
    assert (await send(gateway, "POST", "/v1/prices", price, status=409)).error["code"] == "already_exists"
    await send(gateway, "POST", "/v1/prices", {"model": "other", "rates": {"input": "0"}})
    for query, count in (("", 2), ("?model=acme/echo", 1), ("?provider=echo&model=other", 0), ("?provider=echo", 1)):
        listed = (await send(gateway, "GET", f"/v1/prices{query}")).json()
        assert len(cast(list[Json], listed["prices"])) == count
    await send(gateway, "DELETE", path)
    await send(gateway, "GET", path, status=404)
    entries = cast(list[Json], (await send(gateway, "GET", f"/v1/audit?resource={made['name']}")).json()["audit_entries"])
    assert sorted(cast(str, entry["action"]) for entry in entries) == ["CreatePrice", "DeletePrice"]
    told = [json.loads(cast(str, entry["before"] or entry["after"]))["price"]["input"] for entry in entries]
    assert told == ["2.50", "2.50"]


async def test_a_tenants_admin_sees_the_tenant_alone(gateway: Running) -> None:
    _, admin = await household(gateway, "acme", permissions=["admin"])
    other, _ = await household(gateway, "umbrella")
    for collection, field in (("tenants", "name"), ("users", "tenant"), ("api_keys", "tenant"), ("audit", "tenant")):
        listed = (await send(gateway, "GET", f"/v1/{collection}", key=admin)).json()
        rows = next(cast(list[Json], value) for value in listed.values() if isinstance(value, list))
        assert {row[field] for row in rows} == {"tenants/acme"}
    for name in (other["user"], other["name"], "users/nobody"):
        await send(gateway, "GET", f"/v1/{name}", key=admin, status=404)
        await send(gateway, "PATCH", f"/v1/{name}", {"enabled": False}, key=admin, status=404)
        await send(gateway, "DELETE", f"/v1/{name}", key=admin, status=404)
    await send(gateway, "GET", "/v1/tenants/umbrella", key=admin, status=404)
    await send(gateway, "PATCH", "/v1/tenants/umbrella", {"display_name": "Mine"}, key=admin, status=404)
    await send(gateway, "DELETE", "/v1/tenants/umbrella", key=admin, status=403)
    made = (await send(gateway, "POST", "/v1/users", {"display_name": "New"}, key=admin)).json()
    assert made["tenant"] == "tenants/acme"
    for path in ("/v1/faults", "/v1/config/status", "/v1/prices", "/v1/prices/p-0123456789abcdef"):
        await send(gateway, "GET", path, key=admin, status=403)
    assert (await send(gateway, "GET", "/v1/alerts", key=admin)).json() == {"alerts": [], "next_page_token": ""}
    for path in ("/v1/tenants", "/v1/prices"):
        await send(gateway, "POST", path, {}, key=admin, status=403)


# A full-width space, a joiner that Persian needs, an emoji of several, one that is newer than this Python's tables.
@pytest.mark.parametrize("name", ["田中\u3000太郎", "می\u200cخواهم", "👨\u200d👩\u200d👧", "\U0001fae8"])
async def test_a_name_may_have_any_characters_but_control_characters(gateway: Running, name: str) -> None:
    made = (await send(gateway, "POST", "/v1/tenants?tenant_id=acme", {"display_name": name})).json()
    assert made["display_name"] == name


async def test_pages_lead_through_all_rows(gateway: Running) -> None:
    for number in range(5):
        await send(gateway, "POST", f"/v1/tenants?tenant_id=t-{number}", {})
    seen, token = [], ""
    for _ in range(3):
        body = (await send(gateway, "GET", f"/v1/tenants?page_size=2&page_token={token}")).json()
        seen += [row["name"] for row in cast(list[Json], body["tenants"])]
        token = cast(str, body["next_page_token"])
    assert (sorted(cast(list[str], seen)), token) == ([f"tenants/t-{number}" for number in range(5)], "")


async def test_changes_are_told_with_who_made_them(gateway: Running) -> None:
    known, admin = await household(gateway, "acme", permissions=["admin"])
    changed = await send(gateway, "PATCH", f"/v1/{known['user']}", {"display_name": "Ada"}, key=admin)
    body = (await send(gateway, "GET", f"/v1/audit?resource={known['user']}&page_size=1")).json()
    entry = cast(list[Json], body["audit_entries"])[0]
    assert (entry["actor"], entry["action"], entry["resource"]) == (known["name"], "UpdateUser", known["user"])
    assert entry["request_id"] == changed.headers["x-request-id"]
    assert json.loads(cast(str, entry["after"]))["display_name"] == "Ada"


async def test_a_key_stands_in_no_log_and_no_change(gateway: Running) -> None:
    _, key = await household(gateway, "acme")
    await send(gateway, "GET", "/v1/models", key=key)
    everything = (await send(gateway, "GET", "/v1/audit")).body + (await send(gateway, "GET", "/v1/api_keys")).body
    assert key not in everything.decode() + gateway.log_text()


PRICE: Json = {"model": "m", "rates": {"input": "1"}}
FAULTS: dict[str, tuple[str, Json, str]] = {
    "a tenant's id": ("/v1/tenants?tenant_id=A", {}, "tenant_id"),
    "a name that is too long": ("/v1/tenants", {"display_name": "x" * 201}, "display_name"),
    "a name with a control character": ("/v1/tenants", {"display_name": "a\u0000b"}, "display_name"),
    "a name in two lines": ("/v1/tenants", {"display_name": "a\u2028b"}, "display_name"),
    "a name that turns what follows": ("/v1/tenants", {"display_name": "a\u202eb"}, "display_name"),
    "no tenant": ("/v1/users", {}, "tenant"),
    "no user": ("/v1/api_keys", {}, "user"),
    "a permission": ("/v1/api_keys", {"user": "users/a", "permissions": ["root"]}, "permissions"),
    "a model's pattern": ("/v1/api_keys", {"user": "users/a", "allowed_models": ["ok", "a b"]}, "allowed_models[1]"),
    "a provider's pattern": ("/v1/api_keys", {"user": "users/a", "allowed_providers": [""]}, "allowed_providers[0]"),
    "too many patterns": ("/v1/api_keys", {"user": "users/a", "allowed_models": ["x"] * 101}, "allowed_models"),
    "a time before there were keys": (
        "/v1/api_keys",
        {"user": "users/a", "expire_time": "1960-01-01T00:00:00Z"},
        "expire_time",
    ),
    "a subject": ("/v1/quotas", {"subject": "global", "period": "daily"}, "subject"),
    "a period": ("/v1/quotas", {"subject": "users/a", "token_limit": 1}, "period"),
    "a negative limit": ("/v1/quotas", {"subject": "users/a", "token_limit": -1, "period": "daily"}, "token_limit"),
    "a budget's subject": ("/v1/budgets", {"subject": "models/a b", "period": "daily"}, "subject"),
    "a threshold": ("/v1/budgets", {"subject": "global", "period": "daily", "thresholds": [0]}, "thresholds"),
    "a price's provider": ("/v1/prices", {"provider": "x" * 65, "model": "m", "rates": {"input": "1"}}, "provider"),
    "a price without a model": ("/v1/prices", {"rates": {"input": "1"}}, "model"),
    "a price's model": ("/v1/prices", {"model": "x" * 201, "rates": {"input": "1"}}, "model"),
    "a price's time": ("/v1/prices", {**PRICE, "effective_time": "1960-01-01T00:00:00Z"}, "effective_time"),
    "a price without an amount": ("/v1/prices", {"model": "m"}, "rates"),
    "an empty amount": ("/v1/prices", {"model": "m", "rates": {"output": ""}}, "rates.output"),
    "a negative amount": ("/v1/prices", {"model": "m", "rates": {"output": "-1"}}, "rates.output"),
    "an amount with an exponent": ("/v1/prices", {"model": "m", "rates": {"input": "1e9"}}, "rates.input"),
    "an amount that is no number": ("/v1/prices", {"model": "m", "request": "NaN"}, "request"),
    "too large an amount": ("/v1/prices", {"model": "m", "hour": "1000000000.1"}, "hour"),
    "too fine an amount": ("/v1/prices", {"model": "m", "image": "0.000000000000000000001"}, "image"),
    "an amount of a tier": (
        "/v1/prices",
        {**PRICE, "tiers": [{"over_input_tokens": 1, "rates": {"input": "x"}}]},
        "tiers[0].rates.input",
    ),
    "a tier without an amount": ("/v1/prices", {**PRICE, "tiers": [{"over_input_tokens": 1}]}, "tiers[0].rates"),
    "tiers that do not grow": (
        "/v1/prices",
        {**PRICE, "tiers": [{"over_input_tokens": over, "rates": {"input": "1"}} for over in (5, 5)]},
        "tiers[1].over_input_tokens",
    ),
    "too many tiers": (
        "/v1/prices",
        {**PRICE, "tiers": [{"over_input_tokens": over, "rates": {"input": "1"}} for over in range(21)]},
        "tiers",
    ),
    "an overlap": ("/v1/api_keys/a/rotate", {"overlap": 31 * 24 * 3600}, "overlap"),
}


@pytest.mark.parametrize(("path", "body", "param"), FAULTS.values(), ids=FAULTS)
async def test_what_makes_no_sense_is_refused_with_its_field(gateway: Running, path: str, body: Json, param: str) -> None:
    answer = await send(gateway, "POST", path, body, status=400)
    assert (answer.error["code"], answer.error["param"]) == ("invalid_request", param)
