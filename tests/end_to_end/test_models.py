"""The catalogue from the outside: all models, one provider's, refreshes and selections, over REST and gRPC."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import aiohttp
import pytest

from tests.end_to_end.running import COMPLETION_KEY, KEY, Running, Topology, config, row, run_gateway
from tests.fakes.answers import Status
from tests.fakes.dialect import CREATED
from tests.fakes.faults import Stall
from tests.fakes.openai_schema import validate
from tests.fakes.vendor import ScriptedVendor
from trunkline.v1.models_service_pb2 import ModelSelection
from trunkline_client import AsyncClient, NotFoundError, PermissionDeniedError

LIST, ONE = "/v1/models", "/v1/providers/first/models"
REFRESH, SELECTION = f"{ONE}/refresh", "/v1/providers/first/model_selection"
ALIASES = {"fast": "gpt-4o-mini", "nowhere": "nobody-has-it"}
LISTED = ("gpt-4o", "gpt-4o-mini", "whisper-1")
Json = dict[str, object]


@pytest.fixture
async def vendor() -> AsyncIterator[ScriptedVendor]:
    """A vendor with a list of its own."""
    async with ScriptedVendor(models=LISTED) as running:
        yield running


@pytest.fixture
async def gateway(
    vendor: ScriptedVendor, second_vendor: ScriptedVendor, tmp_path: Path, topology: Topology
) -> AsyncIterator[Running]:
    """A gateway with a provider by patterns, one by an address, one that names its models, and one that is turned off."""
    claude: Json = {"name": "claude", "type": "anthropic", "base_url": vendor.url, "api_key": vendor.key}
    rows = [
        row("first", vendor, ["gpt-*", "fine-tuned"], priority=1),
        row("second", second_vendor, ["gpt-4o"], priority=2, forced=True),
        {**claude, "models": ["claude/*"]},
        row("off", second_vendor, ["gpt-4o", "m-*"], enabled=False),
    ]
    async with run_gateway(tmp_path, config(rows, routing={"aliases": ALIASES}), topology) as running:
        yield running


async def get(http: aiohttp.ClientSession, path: str, status: int = 200) -> Json:
    async with http.get(path) as response:
        assert response.status == status
        return dict(await response.json())


async def send(http: aiohttp.ClientSession, verb: str, path: str, body: object = None, status: int = 200) -> Json:
    async with http.request(verb, path, json=body) as response:
        assert response.status == status, await response.text()
        return dict(await response.json())


def error(body: Json) -> tuple[object, object]:
    told = body["error"]
    assert isinstance(told, dict)
    return told["type"], told["code"]


def data(body: Json) -> list[Json]:
    models = body["data"]
    assert isinstance(models, list)
    return models


def ids(body: Json) -> list[tuple[object, object]]:
    return [(model["id"], model["provider"]) for model in data(body)]


async def test_all_models_that_can_be_asked_for_are_listed(http: aiohttp.ClientSession) -> None:
    body = await get(http, LIST)
    validate("ListModelsResponse", body)
    assert ids(body) == [
        ("claude/gpt-4o", "claude"),
        ("claude/gpt-4o-mini", "claude"),
        ("claude/whisper-1", "claude"),
        ("fast", "first"),
        ("fine-tuned", "first"),
        ("gpt-4o", "second"),
        ("gpt-4o", "first"),
        ("gpt-4o-mini", "first"),
    ]


async def test_a_listed_model_tells_all_that_is_known(http: aiohttp.ClientSession) -> None:
    body = await get(http, LIST)
    model = next(each for each in data(body) if (each["id"], each["provider"]) == ("gpt-4o", "first"))
    assert model == {
        "id": "gpt-4o",
        "object": "model",
        "created": CREATED,
        "owned_by": "scripted",
        "provider": "first",
        "provider_type": "openai",
        "status": "healthy",
        "enabled": True,
        "forced": False,
        "context_window": 128_000,
        "max_tokens": 16_384,
    }


async def test_every_listed_model_is_found_and_can_be_asked(http: aiohttp.ClientSession) -> None:
    names = {str(model["id"]) for model in data(await get(http, LIST))} - {"fine-tuned"}
    for name in sorted(names):
        assert (await get(http, f"{LIST}/{name}"))["id"] == name
        await send(http, "POST", "/v1/chat/completions", {"model": name, "messages": [{"role": "user", "content": "Hi"}]})


async def test_an_alias_is_the_gateways_own(http: aiohttp.ClientSession) -> None:
    found = await get(http, f"{LIST}/fast")
    assert (found["owned_by"], found["provider"], found["max_tokens"]) == ("trunkline", "first", 16_384)


async def test_a_vendor_that_fails_leaves_the_names_of_its_row(vendor: ScriptedVendor, http: aiohttp.ClientSession) -> None:
    vendor.add(Status(500), Status(500), path=LIST)
    assert ids(await get(http, LIST)) == [("fast", "first"), ("fine-tuned", "first"), ("gpt-4o", "second")]


async def test_a_vendor_that_is_silent_holds_nobody_up(vendor: ScriptedVendor, http: aiohttp.ClientSession) -> None:
    vendor.add(Status(200, body={}).with_fault(Stall()), Status(200, body={}).with_fault(Stall()), path=LIST)
    for _ in range(2):
        assert ("gpt-4o", "second") in ids(await get(http, LIST))
    vendor.release(2)


async def test_one_providers_models_have_the_documents_form(http: aiohttp.ClientSession) -> None:
    body = await get(http, ONE)
    assert [(model["id"], model["model"]) for model in data(body)] == [
        ("fine-tuned", "fine-tuned"),
        ("gpt-4o", "gpt-4o"),
        ("gpt-4o-mini", "gpt-4o-mini"),
        ("whisper-1", "first/whisper-1"),
    ]
    assert data(body)[1] == {
        "id": "gpt-4o",
        "object": "model",
        "created": CREATED,
        "owned_by": "scripted",
        "provider": "first",
        "model": "gpt-4o",
        "status": "active",
        "capabilities": ["text_generation", "chat", "json_schema", "tools", "vision"],
        "context_window": 128_000,
        "max_tokens": 16_384,
        "pricing": {"input_per_million_tokens": 2.5, "output_per_million_tokens": 10.0, "currency": "USD"},
    }
    told = {name: body[name] for name in ("object", "provider", "total", "cached", "refresh_error")}
    assert told == {"object": "list", "provider": "first", "total": 4, "cached": False, "refresh_error": None}
    assert isinstance(body["last_refresh"], int)


async def test_the_next_one_gets_the_list_that_is_kept(vendor: ScriptedVendor, http: aiohttp.ClientSession) -> None:
    first, second = await get(http, ONE), await get(http, ONE)
    assert (first["cached"], second["cached"]) == (False, True)
    assert first["last_refresh"] == second["last_refresh"]
    assert len(vendor.requests) == 1


async def test_a_refresh_asks_the_vendor(vendor: ScriptedVendor, http: aiohttp.ClientSession) -> None:
    await get(http, ONE)
    vendor.add(Status(200, body={"object": "list", "data": [{"id": "gpt-9", "object": "model"}]}), path=LIST)
    body = await send(http, "POST", REFRESH)
    assert (body["cached"], body["refreshed"], body["total"]) == (False, True, 2)
    assert ("gpt-9", "first") in ids(await get(http, LIST))


async def test_a_refresh_that_fails_keeps_the_list_and_says_so(vendor: ScriptedVendor, http: aiohttp.ClientSession) -> None:
    before = await get(http, ONE)
    vendor.add(Status(401), path=LIST)
    body = await send(http, "POST", REFRESH)
    assert (body["refreshed"], body["refresh_error"], body["cached"]) == (False, "authentication_error", True)
    assert (body["data"], body["last_refresh"]) == (before["data"], before["last_refresh"])


@pytest.mark.parametrize("model", ["gpt-4o", "fine-tuned", "first/gpt-4o", "first%2Fgpt-4o"])
async def test_one_model_of_a_provider_is_found(http: aiohttp.ClientSession, model: str) -> None:
    found = await get(http, f"{ONE}/{model}")
    assert (found["id"], found["object"]) == (model.split("/")[-1].removeprefix("first%2F"), "model")


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/v1/providers/nobody/models", "not_found"),
        ("/v1/providers/nobody/models/gpt-4o", "not_found"),
        ("/v1/providers/nobody/model_selection", "not_found"),
        ("/v1/providers/with%20space/models", "not_found"),
        (SELECTION, "not_found"),
        (f"{ONE}/gpt-1", "model_not_found"),
    ],
)
async def test_what_is_not_there_is_not_found(http: aiohttp.ClientSession, path: str, code: str) -> None:
    assert error(await get(http, path, status=404)) == ("invalid_request_error", code)


async def test_a_provider_that_is_turned_off_is_told_as_it_is(
    second_vendor: ScriptedVendor, http: aiohttp.ClientSession
) -> None:
    body = await get(http, "/v1/providers/off/models")
    assert [(model["id"], model["status"]) for model in data(body)] == [("gpt-4o", "disabled")]
    assert (body["refresh_error"], body["last_refresh"], second_vendor.requests) == ("not_in_use", None, [])


CHOSEN = {"selected_model": "gpt-4o", "editable": True, "priority": 5, "max_tokens": 2000, "temperature": 0.7}


async def test_a_selection_is_made_changed_and_taken_back(http: aiohttp.ClientSession) -> None:
    made = await send(http, "PUT", SELECTION, CHOSEN)
    assert isinstance(made.pop("updated"), float)
    assert made == {"object": "model_selection", "provider": "first", **CHOSEN}
    again = await send(http, "PUT", SELECTION, {"selected_model": "first/gpt-4o-mini"})
    assert again["selected_model"] == "gpt-4o-mini"
    assert (again["editable"], again["priority"], again["max_tokens"], again["temperature"]) == (True, None, None, None)
    assert await get(http, SELECTION) == again
    assert await send(http, "DELETE", SELECTION) == {}
    await get(http, SELECTION, status=404)


async def test_a_mask_says_what_changes(http: aiohttp.ClientSession) -> None:
    await send(http, "PUT", SELECTION, CHOSEN)
    changed = await send(http, "PUT", f"{SELECTION}?update_mask=priority,max_tokens", {"priority": 7})
    assert (changed["selected_model"], changed["priority"], changed["max_tokens"]) == ("gpt-4o", 7, None)
    assert changed["temperature"] == 0.7


async def test_a_locked_selection_changes_only_with_the_key_to_it(http: aiohttp.ClientSession) -> None:
    await send(http, "PUT", SELECTION, {**CHOSEN, "editable": False})
    refused = await send(http, "PUT", SELECTION, {"selected_model": "gpt-4o-mini"}, status=400)
    assert error(refused) == ("invalid_request_error", "invalid_request")
    await send(http, "DELETE", SELECTION, status=400)
    assert (await send(http, "PUT", SELECTION, CHOSEN))["editable"] is True
    await send(http, "DELETE", SELECTION)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "selected_model"),
        ({"selected_model": ""}, "selected_model"),
        ({"selected_model": "a b"}, "selected_model"),
        ({**CHOSEN, "priority": 1_000_001}, "priority"),
        ({**CHOSEN, "max_tokens": 0}, "max_tokens"),
        ({**CHOSEN, "temperature": 2.5}, "temperature"),
        ({**CHOSEN, "temperature": "warm"}, "temperature"),
        ({**CHOSEN, "model": "gpt-4o"}, "model"),
    ],
    ids=str,
)
async def test_a_selection_that_makes_no_sense_is_refused(
    http: aiohttp.ClientSession, body: Mapping[str, object], param: str
) -> None:
    refused = await send(http, "PUT", SELECTION, body, status=400)
    told = refused["error"]
    assert isinstance(told, dict)
    assert told["param"] == param
    await get(http, SELECTION, status=404)


async def test_a_selected_priority_decides_who_is_asked_first(tmp_path: Path, vendor: ScriptedVendor) -> None:
    rows = [row("first", vendor, ["gpt-4o"], priority=1), row("other", vendor, ["gpt-4o"], priority=2)]
    async with (
        run_gateway(tmp_path, config(rows), "whole") as running,
        aiohttp.ClientSession(running.url, headers={"X-API-Key": KEY}) as http,
    ):
        assert (await get(http, f"{LIST}/gpt-4o"))["provider"] == "first"
        await send(http, "PUT", SELECTION, {"selected_model": "gpt-4o", "priority": 3})
        assert (await get(http, f"{LIST}/gpt-4o"))["provider"] == "other"
        providers = (await get(http, "/providers"))["providers"]
        assert isinstance(providers, list)
        assert [(provider["id"], provider["priority"]) for provider in providers] == [("other", 2), ("first", 3)]
        await send(http, "DELETE", SELECTION)
        assert (await get(http, f"{LIST}/gpt-4o"))["provider"] == "first"


@pytest.mark.parametrize(("verb", "path"), [("POST", REFRESH), ("PUT", SELECTION), ("DELETE", SELECTION)])
async def test_changing_needs_the_permission_of_operators(gateway: Running, verb: str, path: str) -> None:
    async with aiohttp.ClientSession(gateway.url, headers={"X-API-Key": COMPLETION_KEY}) as http:
        body = await send(http, verb, path, CHOSEN if verb == "PUT" else None, status=403)
        assert error(body) == ("permission_error", "insufficient_permissions")
        await get(http, ONE)


async def test_the_library_has_it_all(gateway: Running, client: AsyncClient) -> None:
    assert [model.provider_model async for model in client.models.list_provider_models("first", page_size=2)] == [
        "fine-tuned",
        *LISTED,
    ]
    assert (await client.models.get_provider_model("first", "gpt-4o")).input_usd_micros_per_million_tokens == 2_500_000
    assert (await client.models.refresh_provider_models("first")).list.total_size == 4
    selection = ModelSelection(selected_model="gpt-4o", max_tokens=5)
    assert (await client.models.update_model_selection(selection, provider="first")).max_tokens == 5
    assert (await client.models.get_model_selection("first")).selected_model == "gpt-4o"
    changed = await client.models.update_model_selection(
        ModelSelection(priority=1), provider="first", update_mask=["priority"]
    )
    assert (changed.priority, changed.max_tokens) == (1, 5)
    await client.models.delete_model_selection("first")
    with pytest.raises(NotFoundError):
        await client.models.get_model_selection("first")


async def test_the_library_tells_who_may_not(gateway: Running) -> None:
    async with AsyncClient(gateway.target, api_key=COMPLETION_KEY) as client:
        with pytest.raises(PermissionDeniedError):
            await client.models.refresh_provider_models("first")
