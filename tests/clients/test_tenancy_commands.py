"""`trunkline tenants`, `users` and `keys` administer a gateway."""

import re
from typing import cast

import pytest

from tests.clients.command import Ended, run
from tests.clients.fake_gateway import Gateway
from trunkline.v1 import admin_service_pb2 as admin

ESCAPE = "\x1b"


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


@pytest.mark.parametrize("arguments", [("keys", "create"), ("keys", "rotate", "a", "--overlap", "-1"), ("users", "show")])
async def test_what_makes_no_sense_is_a_fault_of_usage(arguments: tuple[str, ...]) -> None:
    ended = await run(*arguments)
    assert (ended.code, ended.out) == (2, "")


@pytest.mark.parametrize("command", ["keys create", "keys rotate", "users create", "tenants create", "tenants list"])
async def test_every_option_has_its_variable_in_the_help(command: str) -> None:
    ended = await run(*command.split(), "--help", env={"COLUMNS": "200"})
    options = [line for line in ended.out.splitlines() if re.match(r"│ +(\* +)?--", line) and "--help" not in line]
    assert ended.code == 0
    assert len(options) >= 5
    assert [line for line in options if "TRUNKLINE_" not in line] == []
