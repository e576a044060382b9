"""What holds for every dialect there is, found as the server finds them."""

import importlib
import pkgutil
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from types import ModuleType
from typing import cast

import pytest
from msgspec.structs import replace

import server.providers
from server.config.provider_kind import ProviderKind, find_kind
from server.config.provider_settings import ProviderSettings
from server.providers.base import Operation, Provider
from server.providers.errors import Fault, ProviderError
from server.providers.loader import build_provider, provider_kinds
from tests.fakes.answers import Raw, Status, Text
from tests.fakes.bedrock_frames import event
from tests.fakes.faults import BlankLines, Stall
from tests.fakes.vendor import ScriptedVendor
from tests.server.providers.asking import chat_ask, chat_batches, completion, context, failure
from trunkline.v1.chat_pb2 import ChatCompletionRequest

KINDS = provider_kinds()
every_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.type)
every_wired_kind = pytest.mark.parametrize(
    "kind", [kind for kind in KINDS if kind.needs_base_url], ids=lambda kind: kind.type
)
BARE = ("anthropic", "azure_openai", "bedrock", "ollama")
"""Types whose addresses do not end in `/v1`; at `ollama` that would be OpenAI's dialect."""

DIALECTS = [
    module
    for found in pkgutil.iter_modules(server.providers.__path__)
    for module in [importlib.import_module(f"server.providers.{found.name}")]
    if hasattr(module, "KINDS")
]


@asynccontextmanager
async def speaking(vendor: ScriptedVendor, kind: ProviderKind) -> AsyncIterator[Provider]:
    """The provider of a row of the kind, at the vendor's address."""
    base_url = vendor.url if kind.type in BARE else f"{vendor.url}/v1"
    async with context(kind.type, base_url=base_url, api_key=vendor.key) as given:
        assert vendor.key not in repr(given)
        yield build_provider(given)


def test_every_dialect_is_found() -> None:
    assert {kind.type for module in DIALECTS for kind in module.KINDS} == {kind.type for kind in KINDS}


@pytest.mark.parametrize("module", DIALECTS, ids=lambda module: module.__name__)
def test_every_dialect_has_a_way_to_build_it(module: ModuleType) -> None:
    assert callable(importlib.import_module(f"{module.__name__}.provider").build)


def test_every_name_of_a_kind_means_one_kind() -> None:
    names = [name for kind in KINDS for name in (kind.type, *kind.aliases)]
    assert len(names) == len(set(names))
    assert [find_kind(KINDS, name) for name in ("xai", "grok")] == [find_kind(KINDS, "grok")] * 2


@every_kind
def test_a_kind_has_its_fields(kind: ProviderKind) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9_]*", kind.type)
    assert kind.base_url is None or re.fullmatch(r"https://[a-z0-9./-]+|http://127\.0\.0\.1:\d+(/v1)?", kind.base_url)
    assert all(re.fullmatch(r"[A-Z][A-Z0-9_]*", name) for name in kind.api_key_env)
    assert bool(kind.api_key_env) or not kind.needs_key


@every_kind
def test_a_kind_serves_models_that_a_row_may_name(kind: ProviderKind) -> None:
    row = ProviderSettings.model_validate({"name": "row", "type": kind.type, "models": list(kind.models)})
    assert row.models == kind.models


@every_kind
async def test_a_kind_builds_and_can_do_something(kind: ProviderKind) -> None:
    async with context(kind.type, base_url=kind.base_url or "http://127.0.0.1:1/v1", api_key="sk-of-a-test") as given:
        provider = build_provider(given)
    assert provider.operations
    assert provider.operations <= set(Operation)


@every_wired_kind
@pytest.mark.parametrize("status", [401, 429, 500], ids=str)
async def test_a_refusal_is_a_provider_error_that_hides_the_key(
    vendor: ScriptedVendor, kind: ProviderKind, status: int
) -> None:
    vendor.add(Status(status, message="No."))
    async with speaking(vendor, kind) as provider:
        error = await failure(provider, chat_ask({}, model="some-model"))
    assert (error.status, error.message) == (status, "No.")


@every_wired_kind
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "stream"])
async def test_an_answer_begins_with_its_role_and_ends_with_a_reason(
    vendor: ScriptedVendor, kind: ProviderKind, streamed: bool
) -> None:
    async with speaking(vendor, kind) as provider:
        batches = await chat_batches(provider, chat_ask({}, model="some-model", streamed=streamed))
    choices = [choice for batch in batches for chunk in batch.chunks for choice in chunk.choices]
    assert choices[0].delta.role == "assistant"
    assert [choice.finish_reason for choice in choices if choice.HasField("finish_reason")] == ["stop"]
    assert all(batch.chunks or batch.HasField("usage") for batch in batches)
    assert batches[-1].finishing


@every_wired_kind
async def test_a_connection_is_kept_after_a_stream(vendor: ScriptedVendor, kind: ProviderKind) -> None:
    async with speaking(vendor, kind) as provider:
        for _ in range(3):
            await chat_batches(provider, chat_ask({}, model="some-model", streamed=True))
    assert {request.connection for request in vendor.requests} == {1}


@every_wired_kind
async def test_blank_lines_before_an_unstreamed_answer_are_nothing(vendor: ScriptedVendor, kind: ProviderKind) -> None:
    vendor.add(Text("Hello").with_fault(BlankLines()))
    async with speaking(vendor, kind) as provider:
        answer = await completion(provider, chat_ask({}, model="some-model"))
    assert answer.choices[0].message.content == "Hello"


@every_wired_kind
@pytest.mark.parametrize("depth", [300, 5000])
@pytest.mark.parametrize("status", [200, 400])
async def test_json_that_is_nested_too_deeply_is_a_provider_error(
    vendor: ScriptedVendor, kind: ProviderKind, status: int, depth: int
) -> None:
    body = b'{"error":{"message":%b},"a":%b}' % ((b'{"a":' * depth + b"{}" + b"}" * depth,) * 2)
    vendor.add(Raw(status, {"content-type": "application/json"}, body))
    async with speaking(vendor, kind) as provider:
        error = await failure(provider, chat_ask({}, model="some-model"))
    assert error.fault in ((Fault.INVALID_REQUEST,) if status == 400 else (Fault.PROTOCOL, Fault.SERVER))


@every_wired_kind
async def test_a_stream_of_json_that_is_nested_too_deeply_is_a_provider_error(
    vendor: ScriptedVendor, kind: ProviderKind
) -> None:
    deep = b'{"type":"message_start","a":%b}' % (b"[" * 5000 + b"]" * 5000)
    sse = "text/event-stream", b"event: message_start\ndata: " + deep + b"\n\n"
    form, read = {
        "bedrock": ("application/vnd.amazon.eventstream", event("messageStart", deep)),
        "ollama": ("application/x-ndjson", deep + b"\n"),
    }.get(kind.type, sse)
    vendor.add(Raw(200, {"content-type": form}, (read,)))
    async with speaking(vendor, kind) as provider:
        assert (await failure(provider, chat_ask({}, "some-model", streamed=True))).fault is Fault.PROTOCOL


@every_wired_kind
@pytest.mark.parametrize(
    "schema",
    [
        f'{{"type":"object","examples":{"[" * 300}{"]" * 300}}}',
        f'{{"type":"object","enum":{"[" * 300}{"]" * 300}}}',
        '{"type":"object","format":["date"],"properties":{"a":0}}',
    ],
    ids=["deep in examples", "deep in an enum", "odd"],
)
async def test_a_schema_that_nobody_checked_is_sent_or_refused(
    vendor: ScriptedVendor, kind: ProviderKind, schema: str
) -> None:
    tool = {"type": "function", "function": {"name": "f", "strict": True}}
    form = {"type": "json_schema", "json_schema": {"name": "w", "schema": {}}}
    for body in ({"tools": [tool]}, {"response_format": form}):
        ask = chat_ask(body, "some-claude-sonnet-4-5")
        request = cast(ChatCompletionRequest, ask.request)
        for function in request.tools:
            function.function.parameters_json = schema
        if "response_format" in body:
            request.response_format.json_schema.schema_json = schema
        async with speaking(vendor, kind) as provider:
            with suppress(ProviderError):
                await chat_batches(provider, ask)


@every_wired_kind
async def test_a_vendor_that_is_not_there_is_a_connection_error(kind: ProviderKind) -> None:
    async with ScriptedVendor() as vendor:
        pass
    async with speaking(vendor, kind) as provider:
        assert (await failure(provider, chat_ask({}, model="some-model"))).fault is Fault.CONNECTION


@every_wired_kind
async def test_an_answer_that_takes_too_long_is_a_timeout(vendor: ScriptedVendor, kind: ProviderKind) -> None:
    vendor.add(Text("Hello").with_fault(Stall()))
    async with speaking(vendor, kind) as provider:
        late = replace(chat_ask({}, model="some-model"), timeout_s=0.05)
        assert (await failure(provider, late)).fault is Fault.TIMEOUT


def test_a_kind_is_found_by_each_of_its_names() -> None:
    assert find_kind(KINDS, "nobody") is None


@pytest.mark.parametrize("name", ["anthropic", "bedrock", "cohere", "gemini", "ollama"])
async def test_functions_in_the_form_before_tools_are_refused_where_only_tools_are_known(
    vendor: ScriptedVendor, name: str
) -> None:
    kind = find_kind(KINDS, name)
    assert kind is not None
    async with speaking(vendor, kind) as provider:
        error = await failure(provider, chat_ask({"functions": [{"name": "weather"}]}, model="some-model"))
    assert (error.fault, error.param) == (Fault.UNSUPPORTED, "functions")
    assert not vendor.requests
