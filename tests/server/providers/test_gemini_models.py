"""Gemini's list of models, page by page, and the cheapest thing to ask."""

import pytest

from server.providers.base import ListedModel, Provider
from server.providers.errors import Fault, ProviderError
from server.providers.gemini.models import listed_models
from server.providers.gemini.provider import build
from tests.fakes.answers import Raw, Status
from tests.fakes.vendor import ScriptedVendor
from tests.server.providers.asking import context

PATH = "/v1beta/models"
CHATS = {"chat", "vision", "tools", "json_schema", "reasoning"}


async def test_models_are_listed_with_what_they_can_do() -> None:
    async with (
        ScriptedVendor(models=["gemini-2.5-pro", "gemini-embedding-001"]) as vendor,
        context("gemini", base_url=vendor.url, api_key=vendor.key) as given,
    ):
        pro, embedding = await build(given).models(5)
    limits = {"context_window": 1_048_576, "max_output_tokens": 65_536, "owned_by": "google"}
    assert pro == ListedModel("gemini-2.5-pro", capabilities=frozenset(CHATS), **limits)  # type: ignore[arg-type]
    assert embedding == ListedModel("gemini-embedding-001", capabilities=frozenset({"embeddings"}), **limits)  # type: ignore[arg-type]


async def test_pages_are_followed_to_the_last() -> None:
    names = [f"gemini-{number}" for number in range(2100)]
    async with (
        ScriptedVendor(models=names) as vendor,
        context("gemini", base_url=vendor.url, api_key=vendor.key) as given,
    ):
        models = await build(given).models(5)
        targets = [request.target for request in vendor.requests]
    assert [model.id for model in models] == names
    assert targets == [f"{PATH}?pageSize=1000", *(f"{PATH}?pageSize=1000&pageToken={n}000" for n in (1, 2))]


async def test_a_list_without_end_is_an_error() -> None:
    page = Raw(200, {"content-type": "application/json"}, b'{"models": [], "nextPageToken": "again"}')
    async with ScriptedVendor() as vendor, context("gemini", base_url=vendor.url, api_key=vendor.key) as given:
        vendor.add(*(page for _ in range(200)), path=PATH)
        assert (await failure(build(given))).fault is Fault.PROTOCOL


async def failure(provider: Provider) -> ProviderError:
    with pytest.raises(ProviderError) as raised:
        await provider.models(5)
    return raised.value


async def test_a_list_that_is_refused_is_an_error() -> None:
    async with ScriptedVendor() as vendor, context("gemini", base_url=vendor.url, api_key=vendor.key) as given:
        told = b'{"error": {"code": 403, "message": "No.", "status": "PERMISSION_DENIED"}}'
        vendor.add(Status(503), Raw(200, {}, b"oops"), Raw(200, {}, told), path=PATH)
        faults = [(await failure(build(given))).fault for _ in range(3)]
    assert faults == [Fault.OVERLOADED, Fault.PROTOCOL, Fault.AUTHENTICATION]


async def test_the_check_asks_for_one_model_alone() -> None:
    async with (
        ScriptedVendor(models=["gemini-a", "gemini-b"]) as vendor,
        context("gemini", base_url=vendor.url, api_key=vendor.key) as given,
    ):
        await build(given).check(5)
        assert [request.target for request in vendor.requests] == [f"{PATH}?pageSize=1"]


async def test_the_check_fails_with_a_wrong_key() -> None:
    async with ScriptedVendor() as vendor, context("gemini", base_url=vendor.url, api_key="sk-wrong") as given:
        with pytest.raises(ProviderError) as raised:
            await build(given).check(5)
    assert raised.value.fault is Fault.AUTHENTICATION


CAPABILITIES: dict[str, tuple[str, str, set[str]]] = {
    "one that draws": ("gemini-2.5-flash-image", '["generateContent"]', {"chat", "vision", "images"}),
    "one that speaks": ("gemini-2.5-flash-preview-tts", '["generateContent"]', {"chat"}),
    "another family": ("gemma-3-27b-it", '["generateContent"]', {"chat"}),
    "images": ("imagen-4.0-generate-001", '["predict"]', {"images"}),
    "videos": ("veo-3.0-generate-001", '["predictLongRunning"]', {"videos"}),
    "something else": ("aqa", '["generateAnswer"]', set()),
}


@pytest.mark.parametrize(("name", "methods", "capabilities"), CAPABILITIES.values(), ids=CAPABILITIES)
def test_capabilities_are_told_from_methods_and_names(name: str, methods: str, capabilities: set[str]) -> None:
    body = f'{{"models":[{{"name":"models/{name}","supportedGenerationMethods":{methods}}}]}}'
    assert listed_models(body.encode()) == ([ListedModel(name, owned_by="google", capabilities=frozenset(capabilities))], "")
