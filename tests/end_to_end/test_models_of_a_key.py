"""A key is shown the models that it may ask for, and no others: by REST and by gRPC."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import cast

import aiohttp
import pytest

from tests.end_to_end.running import Running, config, row, run_gateway
from tests.end_to_end.test_accounts import CHAT, body, calling, new_key
from tests.fakes.answers import Status
from tests.fakes.vendor import ScriptedVendor
from trunkline_client import AsyncClient, NotFoundError, PermissionDeniedError

NAMES = ("fast", "gpt-4o", "gpt-4o-mini", "hidden", "solo")
ROUTING = {"aliases": {"fast": "gpt-4o-mini", "hidden": "gpt-4o-mini"}, "fallbacks": {"solo": ["gpt-4o-mini"]}}
KEYS = {
    "a model": (
        {"allowed_models": ["gpt-4o-mini"]},
        [("fast", "first"), ("gpt-4o-mini", "first"), ("hidden", "first")],
    ),
    "an alias": ({"allowed_models": ["fast"]}, [("fast", "first")]),
    "a provider": ({"allowed_providers": ["second"]}, [("gpt-4o", "second"), ("solo", "second")]),
    "the provider of a fallback": (
        {"allowed_providers": ["fir*"]},
        [(name, "first") for name in NAMES],
    ),
    "both": ({"allowed_models": ["gpt-*"], "allowed_providers": ["second"]}, [("gpt-4o", "second")]),
    "addresses": (
        {"allowed_models": ["first/*", "second/solo", "second/hidden"]},
        [(name, name.partition("/")[0]) for name in ("first/gpt-4o", "first/gpt-4o-mini", "second/hidden", "second/solo")],
    ),
    "a model and its address": (
        {"allowed_models": ["*gpt-4o"]},
        [("gpt-4o", "first"), ("gpt-4o", "second")],
    ),
    "nothing that there is": ({"allowed_models": ["gpt-5"]}, []),
}

Json = dict[str, object]


@pytest.fixture
async def gateway(vendor: ScriptedVendor, second_vendor: ScriptedVendor, tmp_path: Path) -> AsyncIterator[Running]:
    """A gateway with two providers, which share one model; an alias hides one of the second's."""
    rows = [row("first", vendor, ["gpt-4o", "gpt-4o-mini"]), row("second", second_vendor, ["gpt-4o", "hidden", "solo"])]
    async with run_gateway(tmp_path, config(rows, routing=ROUTING), "whole") as running:
        yield running


async def key_of(gateway: Running, **fields: object) -> str:
    async with calling(gateway) as admin:
        key, _ = await new_key(admin, **fields)
    return key


async def get(session: aiohttp.ClientSession, path: str) -> tuple[int, Json]:
    async with session.get(path) as response:
        return response.status, cast(Json, await response.json())


def listed(answer: Json) -> list[tuple[object, object]]:
    return [(model["id"], model["provider"]) for model in cast(list[Json], answer["data"])]


def asked_first(answer: Json) -> object:
    return cast(list[Json], answer["steps"])[0]["provider"]


@pytest.mark.parametrize(("fields", "expected"), KEYS.values(), ids=KEYS)
async def test_over_rest_a_key_sees_what_it_may_ask_for(
    gateway: Running, fields: Json, expected: Sequence[tuple[str, str]]
) -> None:
    async with calling(gateway, await key_of(gateway, **fields)) as session:
        assert listed((await get(session, "/v1/models"))[1]) == expected
        for name in {*NAMES, *dict(expected)}:
            provider = dict(reversed(expected)).get(name)
            async with session.post(CHAT, json=body(model=name)) as response:
                assert (response.status == 200) == (provider is not None)
                refused = (await response.json()).get("error")
            status, found = await get(session, f"/v1/models/{name}")
            explained, route = await get(session, f"/v1/routes/{name}")
            if provider is None:
                assert (status, cast(Json, found["error"])["code"]) == (404, "model_not_found")
                assert (explained, route["error"]) == (403, refused)
            else:
                assert (status, found["provider"]) == (200, provider)
                assert (explained, asked_first(route)) == (200, provider)


@pytest.mark.parametrize(("fields", "expected"), KEYS.values(), ids=KEYS)
async def test_over_grpc_a_key_sees_what_it_may_ask_for(
    gateway: Running, fields: Json, expected: Sequence[tuple[str, str]]
) -> None:
    async with AsyncClient(gateway.target, api_key=await key_of(gateway, **fields)) as client:
        assert [(model.id, model.provider) async for model in client.models.list_models()] == expected
        for name, provider in dict(reversed(expected)).items():
            assert (await client.models.get_model(name)).provider == provider
            assert (await client.models.explain_route(name)).steps[0].provider == provider
        for name in set(NAMES) - set(dict(expected)):
            with pytest.raises(NotFoundError, match=rf"No provider serves the model `{name}`\."):
                await client.models.get_model(name)
            with pytest.raises(PermissionDeniedError):
                await client.models.explain_route(name)


PROVIDER_MODELS = {
    "a model": ({"allowed_models": ["gpt-4o-mini"]}, ["gpt-4o-mini"], []),
    "an alias": ({"allowed_models": ["fast"]}, [], []),
    "a provider": ({"allowed_providers": ["second"]}, [], ["gpt-4o", "solo"]),
}


@pytest.mark.parametrize(("fields", "first", "second"), PROVIDER_MODELS.values(), ids=PROVIDER_MODELS)
async def test_of_a_provider_a_key_sees_what_it_may_ask_for(
    gateway: Running, fields: Json, first: Sequence[str], second: Sequence[str]
) -> None:
    key = await key_of(gateway, **fields)
    async with calling(gateway, key) as session, AsyncClient(gateway.target, api_key=key) as client:
        for provider, expected in (("first", first), ("second", second)):
            _, answer = await get(session, f"/v1/providers/{provider}/models")
            assert [name for name, _ in listed(answer) if name in NAMES] == expected
            assert answer["total"] == len(listed(answer))
            assert [each.id async for each in client.models.list_provider_models(provider) if each.id in NAMES] == expected
            for name in expected:
                assert (await get(session, f"/v1/providers/{provider}/models/{name}"))[0] == 200
                assert (await client.models.get_provider_model(provider, name)).id == name
            for name in {*NAMES, "nobody-has-it"} - set(expected):
                status, refused = await get(session, f"/v1/providers/{provider}/models/{name}")
                assert (status, cast(Json, refused["error"])["code"]) == (404, "model_not_found")
                with pytest.raises(NotFoundError, match=rf"No provider serves the model `{name}`\."):
                    await client.models.get_provider_model(provider, name)


PROVIDERS = {
    "none": ({}, {"first": ["gpt-4o", "gpt-4o-mini"], "second": ["gpt-4o", "hidden", "solo"], "any": ["gpt-*", "o3"]}),
    "a provider": ({"allowed_providers": ["second"]}, {"second": ["gpt-4o", "hidden", "solo"]}),
    "a model": ({"allowed_models": ["gpt-4o"]}, {"first": ["gpt-4o"], "second": ["gpt-4o"], "any": ["gpt-4o"]}),
    "a pattern": (
        {"allowed_models": ["gpt-4o-*", "o*"]},
        {"first": ["gpt-4o-mini"], "second": [], "any": ["o3", "gpt-4o-*"]},
    ),
    "an address": ({"allowed_models": ["first/*"]}, {"first": ["gpt-4o", "gpt-4o-mini"], "second": [], "any": []}),
    "both": (
        {"allowed_models": ["gpt-*"], "allowed_providers": ["first", "any"]},
        {"first": ["gpt-4o", "gpt-4o-mini"], "any": ["gpt-*"]},
    ),
    "nothing that there is": ({"allowed_providers": ["third"]}, {}),
}


@pytest.mark.parametrize(("fields", "expected"), PROVIDERS.values(), ids=PROVIDERS)
async def test_a_key_sees_the_providers_that_may_be_asked_for_it(
    vendor: ScriptedVendor, second_vendor: ScriptedVendor, tmp_path: Path, fields: Json, expected: Json
) -> None:
    rows = [
        row("first", vendor, ["gpt-4o", "gpt-4o-mini"]),
        row("second", second_vendor, ["gpt-4o", "hidden", "solo"]),
        row("any", vendor, ["gpt-*", "o3"]),
    ]
    async with run_gateway(tmp_path, config(rows), "whole") as gateway:
        key = await key_of(gateway, **fields)
        async with calling(gateway, key) as session, AsyncClient(gateway.target, api_key=key) as client:
            _, answer = await get(session, "/providers")
            shown = {provider["id"]: provider["models"] for provider in cast(list[Json], answer["providers"])}
            assert shown == expected
            assert {each.id: list(each.models) async for each in client.metrics.list_providers()} == expected


async def test_of_a_provider_a_key_of_its_address_sees_what_it_may_ask_for(gateway: Running) -> None:
    key = await key_of(gateway, allowed_models=["first/gpt-4o*"])
    async with calling(gateway, key) as session, AsyncClient(gateway.target, api_key=key) as client:
        _, answer = await get(session, "/v1/providers/first/models")
        assert {name for name, _ in listed(answer)} == {"gpt-4o", "gpt-4o-mini"}  # its own names for them
        addresses = {each.id async for each in client.models.list_provider_models("first")}
        assert addresses == {"first/gpt-4o", "first/gpt-4o-mini"}
        assert (await get(session, "/v1/providers/first/models/gpt-4o"))[0] == 200
        assert listed((await get(session, "/v1/providers/second/models"))[1]) == []


async def test_a_route_leaves_out_providers_that_a_key_may_not_use(gateway: Running) -> None:
    async with calling(gateway, await key_of(gateway, allowed_providers=["second"])) as session:
        _, route = await get(session, "/v1/routes/gpt-4o")
    assert [(step["place"], step["provider"]) for step in cast(list[Json], route["steps"])] == [(1, "second")]


async def test_a_fallback_that_a_key_may_not_ask_for_is_not_asked(
    gateway: Running, vendor: ScriptedVendor, second_vendor: ScriptedVendor
) -> None:
    second_vendor.add(Status(500))
    async with calling(gateway, await key_of(gateway, allowed_models=["solo"])) as session:
        async with session.post(CHAT, json=body(model="solo")) as response:
            assert response.status in (502, 503)
        _, route = await get(session, "/v1/routes/solo")
    assert not vendor.requests
    assert second_vendor.requests
    assert [(step["provider"], step["purpose"]) for step in cast(list[Json], route["steps"]) if step["place"]] == [
        ("second", "model")
    ]
