"""Asking where a request would go: by REST on two paths, and by gRPC."""

from typing import cast

import aiohttp
import pytest

from tests.end_to_end.running import KEY, Running
from tests.fakes.vendor import ScriptedVendor
from trunkline_client import AsyncClient

HEADERS = {"Authorization": f"Bearer {KEY}"}


def brief(told: dict[str, object]) -> list[tuple[object, object]]:
    return [(step["place"], step["provider"]) for step in cast(list[dict[str, object]], told["steps"])]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/v1/chat/completions?explain", [(1, "first"), (2, "second")]),
        ("/v1/chat/completions?explain=1&x=y", [(1, "first"), (2, "second")]),
        ("/v1/embeddings?explain", [(1, "first"), (2, "second")]),
    ],
)
async def test_a_completions_path_explains_instead_of_answering(
    gateway: Running, vendor: ScriptedVendor, path: str, expected: list[tuple[int, str]]
) -> None:
    async with (
        aiohttp.ClientSession(headers=HEADERS) as session,
        session.post(f"{gateway.url}{path}", json={"model": "gpt-4o"}) as response,
    ):
        told = await response.json()
    assert (response.status, brief(told)) == (200, expected)
    assert (told["model"], told["strategy"]) == ("gpt-4o", "priority")
    assert vendor.requests == []


async def test_a_route_is_a_resource_too(gateway: Running) -> None:
    async with (
        aiohttp.ClientSession(headers=HEADERS) as session,
        session.get(f"{gateway.url}/v1/routes/meta-llama/llama-4:free") as response,
    ):
        told = await response.json()
    assert brief(told) == [(1, "first"), (0, "second")]
    assert told["steps"][1]["reason"] == "it does not serve the model"


async def test_grpc_explains_the_same(gateway: Running) -> None:
    async with AsyncClient(gateway.target, api_key=KEY) as client:
        route = await client.models.explain_route("solo")
    assert [(step.place, step.provider, step.model) for step in route.steps] == [(1, "first", "solo"), (0, "second", "")]


@pytest.mark.parametrize(("body", "status"), [({}, 400), ({"model": 5}, 400), ({"model": "nobody-has-it"}, 404)])
async def test_a_model_that_there_is_not_is_refused(gateway: Running, body: dict[str, object], status: int) -> None:
    async with (
        aiohttp.ClientSession(headers=HEADERS) as session,
        session.post(f"{gateway.url}/v1/chat/completions?explain", json=body) as response,
    ):
        assert response.status == status
        assert (await response.json())["error"]["param"] == "model"
