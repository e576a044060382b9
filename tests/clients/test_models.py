"""The library's calls about providers' models and what is selected of them, from asyncio and from threads."""

import asyncio
from typing import cast

import pytest

from tests.clients.fake_gateway import Gateway
from trunkline.v1.models_service_pb2 import ModelSelection, UpdateModelSelectionRequest
from trunkline_client import AsyncClient, Client, NotFoundError

CHOSEN = ModelSelection(selected_model="gpt-5", max_tokens=5)


def update(gateway: Gateway) -> UpdateModelSelectionRequest:
    """The update that the gateway was asked for last."""
    return cast(UpdateModelSelectionRequest, gateway.script.calls[-1].request)


async def test_one_providers_models_are_told(client: AsyncClient) -> None:
    assert [model.id async for model in client.models.list_provider_models("openai")] == ["gpt-5"]
    assert (await client.models.get_provider_model("openai", "gpt-5")).context_window == 272_000
    assert (await client.models.refresh_provider_models("echo")).list.refresh_error == "unsupported"
    with pytest.raises(NotFoundError):
        await client.models.get_provider_model("openai", "gpt-9")


async def test_a_selection_says_for_which_provider_it_is(gateway: Gateway, client: AsyncClient) -> None:
    made = await client.models.update_model_selection(CHOSEN, provider="openai")
    assert made.name == "providers/openai/model_selection"
    assert not update(gateway).HasField("update_mask")
    assert CHOSEN.name == ""
    named = ModelSelection(name="providers/echo/model_selection", priority=3)
    await client.models.update_model_selection(named, update_mask=["priority"])
    assert update(gateway).model_selection == named
    assert list(update(gateway).update_mask.paths) == ["priority"]
    assert (await client.models.get_model_selection("openai")).selected_model == "gpt-5"
    await client.models.delete_model_selection("openai")
    assert gateway.script.calls[-1].method == "DeleteModelSelection"


async def test_threads_have_the_same_calls(gateway: Gateway) -> None:
    def call() -> list[object]:
        with Client(gateway.target) as client:
            models = client.models
            models.delete_model_selection("openai")
            return [
                [model.id for model in models.list_provider_models("openai")],
                models.get_provider_model("openai", "gpt-5").id,
                models.refresh_provider_models("openai").list.refresh_error,
                models.get_model_selection("openai").selected_model,
                models.update_model_selection(CHOSEN, provider="openai").max_tokens,
            ]

    assert await asyncio.to_thread(call) == [["gpt-5"], "gpt-5", "", "gpt-5", 5]
