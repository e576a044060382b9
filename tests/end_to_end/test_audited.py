"""Changes of what is not in the database are in the audit log as well: selections, and faults made while running."""

import asyncio
import fcntl
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import aiohttp
import pytest

from tests.end_to_end.running import KEY, config, run_gateway

SELECTION, FAULTS = "/v1/providers/echo/model_selection", "/v1/faults"


@pytest.fixture
async def http(tmp_path: Path) -> AsyncIterator[aiohttp.ClientSession]:
    async with (
        run_gateway(tmp_path, config([{"name": "echo", "type": "echo"}]), "whole", tmp_path / "data") as gateway,
        aiohttp.ClientSession(gateway.url, headers={"X-API-Key": KEY}) as session,
    ):
        yield session


async def changes(http: aiohttp.ClientSession, resource: str) -> list[tuple[str, str, object, object]]:
    """The RPC, who called it, and what the resource was before and after; the latest first."""
    async with http.get("/v1/audit", params={"resource": resource}) as response:
        entries = cast(list[dict[str, str]], (await response.json())["audit_entries"])
    return [(each["action"], each["actor"], _read(each["before"]), _read(each["after"])) for each in entries]


def _read(text: str) -> object:
    found = json.loads(text) if text else None
    return found and {name: value for name, value in found.items() if not name.endswith("_time")}


async def test_selections_are_audited(http: aiohttp.ClientSession) -> None:
    for body in ({"selected_model": "echo", "max_tokens": 5}, {"selected_model": "echo", "priority": 2}):
        async with http.put(SELECTION, json=body) as response:
            assert response.status == 200
    async with http.delete(SELECTION) as response:
        assert response.status == 200

    unset = {"model": "echo", "editable": True, "priority": None, "max_tokens": None, "temperature": None}
    assert await changes(http, "providers/echo/model_selection") == [
        ("DeleteModelSelection", "all", {**unset, "priority": 2}, None),
        ("UpdateModelSelection", "all", {**unset, "max_tokens": 5}, {**unset, "priority": 2}),
        ("UpdateModelSelection", "all", None, {**unset, "max_tokens": 5}),
    ]


async def test_a_selection_of_a_caller_who_left_is_audited_as_well(http: aiohttp.ClientSession, tmp_path: Path) -> None:
    with (tmp_path / "data" / ".model_selections.json.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1), http.put(SELECTION, json={"selected_model": "echo", "max_tokens": 5}):
                pass
    async with http.put(SELECTION, json={"selected_model": "echo", "priority": 2}) as response:
        assert response.status == 200

    made = list(reversed(await changes(http, "providers/echo/model_selection")))
    assert [each[2] for each in made] == [None, *(each[3] for each in made[:-1])]


async def test_faults_made_while_running_are_audited(http: aiohttp.ClientSession) -> None:
    async with http.post(FAULTS, json={"type": "delay", "probability": 0.5, "match": {"model": "no-*"}}) as response:
        name = (await response.json())["name"]
    async with http.delete(f"/v1/{name}") as response:
        assert response.status == 200

    ended, made = await changes(http, name)
    assert (made[0], made[2], ended[0], ended[3]) == ("CreateFault", None, "DeleteFault", None)
    assert made[3] == ended[2]
    known = cast(dict[str, object], made[3])
    assert (known["type"], known["probability"], known["match"]) == ("delay", 0.5, {"model": "no-*", "percentage": 100})


async def test_what_is_refused_is_not_audited(http: aiohttp.ClientSession) -> None:
    async with http.delete(f"{FAULTS}/none") as response:
        assert response.status == 404
    async with http.put(SELECTION, json={"selected_model": "echo", "temperature": 7}) as response:
        assert response.status == 400

    assert await changes(http, "faults/none") == []
    assert await changes(http, "providers/echo/model_selection") == []
