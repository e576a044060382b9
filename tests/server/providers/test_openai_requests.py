"""What each vendor of OpenAI's dialect is sent: body, address and headers."""

from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing

import orjson
import pytest

from server.providers.base import Ask, Operation
from server.providers.errors import Fault, ProviderError
from server.providers.openai.provider import build
from server.providers.openai.request import request_body
from server.providers.openai.vendors import VENDORS, Vendor
from tests.fakes.http1_request import Request
from tests.fakes.vendor import ScriptedVendor
from tests.server.providers.asking import HELLO, chat_ask, chat_batches, context, failure
from trunkline_json import EMBEDDING_REQUEST, IMAGE_REQUEST, TEXT_REQUEST

BY_TYPE = {vendor.type: vendor for vendor in VENDORS}
every_vendor = pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.type)
DEVELOPER: list[object] = [{"role": "developer", "content": "Be brief."}, {"role": "user", "content": "Hi"}]
MAX = {"max_completion_tokens": 7}


def sent(type: str, body: Mapping[str, object], streamed: bool = False) -> dict[str, object]:
    """The body that a chat request becomes, without what every one has."""
    written: dict[str, object] = orjson.loads(request_body(chat_ask(body, streamed=streamed), BY_TYPE[type]))
    assert written.pop("model") == "asked"
    if written.get("messages") == HELLO:
        del written["messages"]
    return written


@every_vendor
def test_what_openai_means_is_sent_as_it_is_where_the_vendor_knows_it(vendor: Vendor) -> None:
    body: dict[str, object] = {
        "temperature": 0.5,
        "top_p": None,
        "stop": ["a", "b"],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "x": [1, {}]}}}],
        "tool_choice": {"type": "function", "function": {"name": "f"}},
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Hi", "cache_control": {"type": "x"}}]}],
        "vendors_own": {"deep": [None, 1.5, "é"]},
    }
    assert sent(vendor.type, body) == body


@every_vendor
def test_an_unstreamed_request_says_nothing_of_streams(vendor: Vendor) -> None:
    assert sent(vendor.type, {"stream_options": {"include_usage": True}, "stream": True}) == {}


@pytest.mark.parametrize(
    ("type", "expected"),
    [
        *((name, {"include_usage": True}) for name in ("openai", "openai_compatible", "azure_openai", "grok", "groq")),
        *((name, {"include_usage": True}) for name in ("blackbox", "deepseek", "vllm")),
        *((name, None) for name in ("openrouter", "mistral", "perplexity")),
    ],
)
def test_a_stream_brings_its_usage_from_whoever_has_to_be_asked(type: str, expected: object) -> None:
    written = sent(type, {}, streamed=True)
    assert (written["stream"], written.get("stream_options")) == (True, expected)


def test_the_callers_other_stream_options_are_kept() -> None:
    options = {"include_usage": False, "include_obfuscation": False}
    assert sent("openai", {"stream_options": options}, streamed=True)["stream_options"] == {**options, "include_usage": True}


@pytest.mark.parametrize(
    ("type", "body", "expected"),
    [
        ("openai", MAX, MAX),
        ("grok", MAX, MAX),
        ("groq", MAX, MAX),
        *((name, MAX, {"max_tokens": 7}) for name in ("mistral", "deepseek", "perplexity", "blackbox")),
        ("mistral", {"seed": 5}, {"random_seed": 5}),
        ("mistral", {"user": "u", "store": True, "logit_bias": {"5": 1}, "logprobs": True, "top_logprobs": 2}, {}),
        ("mistral", {"parallel_tool_calls": False, "n": 2}, {"parallel_tool_calls": False, "n": 2}),
        ("grok", {"logit_bias": {"5": 1}, "seed": 5}, {"seed": 5}),
        ("groq", {"logprobs": True, "top_logprobs": 2, "logit_bias": {"5": 1}, "store": True, "metadata": {"a": "b"}}, {}),
        ("deepseek", {"user": "u"}, {"user_id": "u"}),
        ("perplexity", {"seed": 1, "logit_bias": {"5": 1}, "user": "u", "search_mode": "web"}, {"search_mode": "web"}),
        ("blackbox", {"parallel_tool_calls": True, "top_k": 3}, {"top_k": 3}),
    ],
)  # fmt: skip
def test_a_vendor_gets_its_own_names_and_nothing_that_it_refuses(
    type: str, body: dict[str, object], expected: dict[str, object]
) -> None:
    assert sent(type, body) == expected


@pytest.mark.parametrize(
    ("type", "role"),
    [
        *((name, "developer") for name in ("openai", "openai_compatible", "azure_openai", "openrouter", "groq", "vllm")),
        *((name, "system") for name in ("mistral", "deepseek", "perplexity")),
    ],
)
def test_a_developer_speaks_as_the_system_where_nobody_else_is_known(type: str, role: str) -> None:
    assert sent(type, {"messages": DEVELOPER})["messages"] == [{"role": role, "content": "Be brief."}, DEVELOPER[1]]


def test_a_request_is_the_same_after_a_vendor_got_it() -> None:
    ask = chat_ask({"messages": DEVELOPER, "seed": 1, **MAX}, streamed=True)
    before = ask.request.SerializeToString()
    request_body(ask, BY_TYPE["mistral"])
    assert ask.request.SerializeToString() == before


@pytest.mark.parametrize("messages", ['"text"', "[1]", "{}"])
def test_extra_json_cannot_break_the_writing_of_a_body(messages: str) -> None:
    ask = chat_ask({})
    ask.request.extra_json = f'{{"messages": {messages}}}'
    assert request_body(ask, BY_TYPE["mistral"])


def test_a_field_that_holds_no_json_is_the_callers_fault_and_told_with_its_place() -> None:
    ask = chat_ask({"tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}]})
    ask.request.tools[0].function.parameters_json = "{"  # type: ignore[union-attr]
    with pytest.raises(ProviderError) as raised:
        request_body(ask, BY_TYPE["openai"])
    assert (raised.value.fault, raised.value.param) == (Fault.INVALID_REQUEST, "tools[0].function.parameters")


@pytest.mark.parametrize(
    ("operation", "form", "body"),
    [
        (Operation.TEXT, TEXT_REQUEST, {"prompt": [[1, 2], [3]], "suffix": "x"}),
        (Operation.EMBEDDINGS, EMBEDDING_REQUEST, {"input": ["a", "b"], "dimensions": 8}),
        (Operation.IMAGES, IMAGE_REQUEST, {"prompt": "a cat", "n": 2}),
    ],
)
def test_every_operation_has_its_body(operation: Operation, form: object, body: dict[str, object]) -> None:
    request = form.parse({"model": "alias", **body}, True)  # type: ignore[attr-defined]
    written = orjson.loads(request_body(Ask(operation, request, "asked", streamed=False), BY_TYPE["openai"]))
    assert written == {"model": "asked", **body}


def test_mistrals_embeddings_have_their_own_name_for_dimensions() -> None:
    request = EMBEDDING_REQUEST.parse({"model": "alias", "input": "a", "dimensions": 8}, True)
    written = orjson.loads(request_body(Ask(Operation.EMBEDDINGS, request, "m", streamed=False), BY_TYPE["mistral"]))
    assert written == {"model": "m", "input": "a", "output_dimension": 8}


# Addresses and headers


@pytest.fixture
async def vendor() -> AsyncIterator[ScriptedVendor]:
    async with ScriptedVendor(key="sk-scripted-key") as vendor:
        yield vendor


async def asked(vendor: ScriptedVendor, type: str, path: str, **settings: object) -> Request:
    """The request that a vendor gets whose base URL has this path."""
    row = {"base_url": f"{vendor.url}{path}", "api_key": vendor.key, **settings}
    async with context(type, **row) as given:
        await chat_batches(build(given), chat_ask({}, model="my:model"))
    return vendor.requests[-1]


async def test_a_request_says_who_asks_for_what(vendor: ScriptedVendor) -> None:
    request = await asked(
        vendor, "openai", "/v1/", organization="org-1", project="proj-1", custom_headers={"X-Title": "Tests"}
    )
    headers = {name: request.headers.get(name) for name in ("authorization", "openai-organization", "openai-project")}
    assert request.path == "/v1/chat/completions"
    assert headers == {
        "authorization": "Bearer sk-scripted-key",
        "openai-organization": "org-1",
        "openai-project": "proj-1",
    }
    assert request.headers["content-type"] == "application/json"
    assert request.headers["x-title"] == "Tests"


@pytest.mark.parametrize(
    ("path", "settings", "url"),
    [
        ("/openai/v1", {}, "/openai/v1/chat/completions"),
        ("/openai/v1/", {"api_version": "preview"}, "/openai/v1/chat/completions"),
        ("", {}, "/openai/deployments/my:model/chat/completions"),
        ("/openai", {}, "/openai/deployments/my:model/chat/completions"),
        ("", {"deployment_id": "chat-1"}, "/openai/deployments/chat-1/chat/completions"),
        ("", {"deployments": {"my:model": "chat-2"}, "deployment_id": "x"}, "/openai/deployments/chat-2/chat/completions"),
    ],
)
async def test_azure_is_asked_in_both_its_forms(
    vendor: ScriptedVendor, path: str, settings: dict[str, object], url: str
) -> None:
    request = await asked(vendor, "azure_openai", path, **settings)
    assert request.headers["api-key"] == "sk-scripted-key"
    assert "authorization" not in request.headers
    assert request.path == url


async def test_a_row_with_a_token_of_its_own_does_not_give_azure_the_key() -> None:
    async with ScriptedVendor() as vendor:
        headers = {"authorization": f"Bearer {vendor.key}"}
        request = await asked(vendor, "azure_openai", "/openai/v1", api_key="other", custom_headers=headers)
    assert request.headers["authorization"] == headers["authorization"]
    assert "api-key" not in request.headers


async def test_a_deployment_cannot_leave_its_place_in_the_path(vendor: ScriptedVendor) -> None:
    vendor.expect_violation("Invalid URL")
    with pytest.raises(ProviderError):
        await asked(vendor, "azure_openai", "", deployment_id="../chat")
    assert vendor.requests[0].target.startswith("/openai/deployments/..%2Fchat/chat/completions?")


async def test_azures_deployments_are_asked_in_a_version(vendor: ScriptedVendor) -> None:
    assert (await asked(vendor, "azure_openai", "")).query["api-version"] == "2024-10-21"
    request = await asked(vendor, "azure_openai", "", api_version="2025-01-01-preview")
    assert request.query["api-version"] == "2025-01-01-preview"


async def test_a_vendor_without_a_key_gets_none() -> None:
    async with ScriptedVendor() as vendor, context("vllm", base_url=f"{vendor.url}/v1") as given:
        assert (await failure(build(given), chat_ask({}))).fault is Fault.AUTHENTICATION
        assert "authorization" not in vendor.requests[0].headers


@pytest.mark.parametrize(
    ("operation", "form", "body", "path"),
    [
        (Operation.TEXT, TEXT_REQUEST, {"prompt": "a"}, "/v1/completions"),
        (Operation.EMBEDDINGS, EMBEDDING_REQUEST, {"input": "a"}, "/v1/embeddings"),
        (Operation.IMAGES, IMAGE_REQUEST, {"prompt": "a"}, "/v1/images/generations"),
    ],
)
async def test_every_operation_has_its_path_and_one_batch(
    vendor: ScriptedVendor, operation: Operation, form: object, body: dict[str, object], path: str
) -> None:
    request = form.parse({"model": "alias", **body}, True)  # type: ignore[attr-defined]
    async with context("openai", base_url=f"{vendor.url}/v1", api_key=vendor.key) as given:
        ask = Ask(operation, request, "dall-e-2" if operation is Operation.IMAGES else "m", streamed=False)
        async with aclosing(build(given).stream(ask)) as batches:
            assert len([batch async for batch in batches]) == 1
    assert vendor.requests[0].path == path
