"""What the vendors of OpenAI's dialect list, and how each is asked after its health."""

from decimal import Decimal

import orjson
import pytest

from server.providers.base import ListedModel
from server.providers.errors import Fault, ProviderError
from server.providers.openai.provider import build
from server.providers.openai.vendors import VENDORS
from tests.fakes.answers import Raw
from tests.fakes.vendor import ScriptedVendor
from tests.server.providers.asking import context

JSON = {"content-type": "application/json"}


async def listed(vendor: ScriptedVendor, type: str, entries: object, base: str = "/v1", path: str = "/v1/models") -> object:
    """What a vendor lists who answers with these entries."""
    vendor.add(Raw(200, JSON, orjson.dumps(entries if isinstance(entries, dict) else {"data": entries})), path=path)
    async with context(type, base_url=vendor.url + base, api_key=vendor.key) as given:
        return await build(given).models(20)


@pytest.mark.parametrize(
    ("type", "entry", "expected"),
    [
        (
            "openai",
            {"id": "gpt-5", "object": "model", "created": 1790000000, "owned_by": "system"},
            ListedModel("gpt-5", 1790000000, "system"),
        ),
        (
            "openrouter",
            {
                "id": "acme/large",
                "created": 1790000000,
                "context_length": 200000,
                "architecture": {"input_modalities": ["text", "image"], "output_modalities": ["text"]},
                "pricing": {"prompt": "0.0000025", "completion": "0.00001", "request": "0"},
                "top_provider": {"context_length": 128000, "max_completion_tokens": 16384, "is_moderated": True},
                "supported_parameters": ["tools", "temperature", "structured_outputs"],
            },
            ListedModel(
                "acme/large",
                1790000000,
                "",
                128000,
                16384,
                frozenset({"chat", "vision", "tools", "json_schema"}),
                Decimal("2.5"),
                Decimal(10),
            ),
        ),
        (
            "openrouter",
            {"id": "openrouter/auto", "context_length": 2000000, "pricing": {"prompt": "-1", "completion": "-1"}},
            ListedModel("openrouter/auto", context_window=2000000),
        ),
        (
            "openrouter",
            {"id": "acme/free", "pricing": {"prompt": "0", "completion": "0"}, "top_provider": {}},
            ListedModel("acme/free", input_price=Decimal(0), output_price=Decimal(0)),
        ),
        (
            "grok",
            {
                "id": "grok-4",
                "created": 1752019200,
                "owned_by": "xai",
                "context_length": 256000,
                "prompt_text_token_price": 30000,
                "completion_text_token_price": 150000,
            },
            ListedModel("grok-4", 1752019200, "xai", 256000, None, frozenset(), Decimal(3), Decimal(15)),
        ),
        (
            "groq",
            {"id": "openai/gpt-oss-120b", "active": True, "context_window": 131072, "max_completion_tokens": 65536},
            ListedModel("openai/gpt-oss-120b", context_window=131072, max_output_tokens=65536),
        ),
        (
            "mistral",
            {
                "id": "mistral-large-latest",
                "max_context_length": 131072,
                "capabilities": {"completion_chat": True, "function_calling": True, "vision": False, "fine_tuning": True},
            },
            ListedModel("mistral-large-latest", context_window=131072, capabilities=frozenset({"chat", "tools"})),
        ),
        ("deepseek", {"id": "deepseek-v4-pro", "owned_by": "deepseek"}, ListedModel("deepseek-v4-pro", owned_by="deepseek")),
        ("vllm", {"id": "/models/qwen3", "max_model_len": 32768}, ListedModel("/models/qwen3", context_window=32768)),
        ("blackbox", {"id": "blackboxai/a/b", "owned_by": "openai"}, ListedModel("blackboxai/a/b", owned_by="openai")),
        ("openai_compatible", {"id": "m", "max_model_len": 4096}, ListedModel("m", context_window=4096)),
    ],
)  # fmt: skip
async def test_a_list_tells_what_the_vendor_tells(
    vendor: ScriptedVendor, type: str, entry: dict[str, object], expected: ListedModel
) -> None:
    assert await listed(vendor, type, [entry]) == (expected,)
    assert vendor.requests[0].headers["authorization"] == f"Bearer {vendor.key}"


@pytest.mark.parametrize(("base", "path"), [("", "/openai/models"), ("/openai/v1", "/openai/v1/models")])
async def test_azure_lists_what_may_be_deployed(vendor: ScriptedVendor, base: str, path: str) -> None:
    entry = {"id": "gpt-4o", "created_at": 1790000000, "capabilities": {"chat_completion": True, "embeddings": False}}
    models = await listed(vendor, "azure_openai", [entry], base, path)
    assert models == (ListedModel("gpt-4o", 1790000000, capabilities=frozenset({"chat"})),)
    assert vendor.requests[0].headers["api-key"] == vendor.key


async def test_entries_that_make_no_sense_are_left_out(vendor: ScriptedVendor) -> None:
    odd = [None, 1, {}, {"id": 5}, {"id": ""}, {"id": "x" * 201}, {"id": "off", "active": False}]
    wrong = {"id": "a", "created": "now", "owned_by": 1, "context_window": "8k", "max_completion_tokens": -1}
    assert await listed(vendor, "groq", [*odd, wrong, {"id": "a"}]) == (ListedModel("a"),)


@pytest.mark.parametrize("price", ["-1", "free", "NaN", "Infinity", "1e400", None, True, [], "9" * 50])
async def test_a_price_that_is_none_is_not_told(vendor: ScriptedVendor, price: object) -> None:
    entry = {"id": "a", "pricing": {"prompt": price, "completion": price}}
    assert await listed(vendor, "openrouter", [entry]) == (ListedModel("a"),)


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (b"<html>", Fault.PROTOCOL),
        (b'{"data":1}', Fault.PROTOCOL),
        (b"5", Fault.PROTOCOL),
        (b'{"error":{"message":"No.","code":401}}', Fault.AUTHENTICATION),
    ],
)
async def test_a_list_that_is_none_is_a_fault(vendor: ScriptedVendor, body: bytes, fault: Fault) -> None:
    vendor.add(Raw(200, JSON, body), path="/v1/models")
    async with context("openai", base_url=f"{vendor.url}/v1", api_key=vendor.key) as given:
        with pytest.raises(ProviderError) as raised:
            await build(given).models(20)
    assert raised.value.fault is fault


async def test_a_wrong_key_gets_no_list(vendor: ScriptedVendor) -> None:
    async with context("openai", base_url=f"{vendor.url}/v1", api_key="wrong") as given:
        with pytest.raises(ProviderError) as raised:
            await build(given).models(20)
    assert raised.value.fault is Fault.AUTHENTICATION


async def test_perplexity_has_neither_a_list_nor_a_free_word_on_its_health(vendor: ScriptedVendor) -> None:
    async with context("perplexity", base_url=vendor.url, api_key=vendor.key) as given:
        for told in (build(given).models(20), build(given).check(20)):
            with pytest.raises(ProviderError) as raised:
                await told
            assert raised.value.fault is Fault.UNSUPPORTED
    assert not vendor.requests


HEALTHY = [
    ("openai", "/v1", "/v1/models", b'{"object":"list","data":[]}'),
    ("openrouter", "/api/v1", "/api/v1/key", b'{"data":{"limit":null,"usage":0}}'),
    ("openrouter", "/api/v1", "/api/v1/key", b'{"data":{"limit":10,"limit_remaining":0.5,"usage":9.5}}'),
    ("openrouter", "/api/v1", "/api/v1/key", b'{"data":{"limit":null,"limit_remaining":null}}'),
    ("grok", "/v1", "/v1/api-key", b'{"api_key_blocked":false,"api_key_disabled":false,"team_blocked":false}'),
    ("deepseek", "", "/user/balance", b'{"is_available":true,"balance_infos":[]}'),
    ("deepseek", "/v1", "/user/balance", b'{"is_available":true,"balance_infos":[]}'),
    ("vllm", "/v1", "/health", b""),
    ("mistral", "/v1", "/v1/models", b'{"object":"list","data":[]}'),
    ("groq", "/openai/v1", "/openai/v1/models", b'{"object":"list","data":[]}'),
    ("blackbox", "", "/models", b'{"object":"list","data":[]}'),
    ("azure_openai", "", "/openai/models", b'{"object":"list","data":[]}'),
]


@pytest.mark.parametrize(("type", "base", "path", "body"), HEALTHY)
async def test_a_vendor_is_asked_for_the_cheapest_thing(
    vendor: ScriptedVendor, type: str, base: str, path: str, body: bytes
) -> None:
    vendor.add(Raw(200, JSON, body), path=path)
    async with context(type, base_url=vendor.url + base, api_key=vendor.key) as given:
        await build(given).check(20)
    assert [(request.method, request.path) for request in vendor.requests] == [("GET", path)]


@pytest.mark.parametrize(
    ("type", "path", "status", "body", "fault"),
    [
        ("grok", "/v1/api-key", 200, b'{"api_key_blocked":true}', Fault.AUTHENTICATION),
        ("grok", "/v1/api-key", 200, b'{"team_blocked":true}', Fault.AUTHENTICATION),
        ("grok", "/v1/api-key", 200, b"<html>", Fault.PROTOCOL),
        ("deepseek", "/user/balance", 200, b'{"is_available":false}', Fault.AUTHENTICATION),
        ("openrouter", "/v1/key", 401, b'{"error":{"code":401,"message":"No."}}', Fault.AUTHENTICATION),
        ("openrouter", "/v1/key", 200, b'{"error":{"code":402,"message":"No."}}', Fault.AUTHENTICATION),
        ("openrouter", "/v1/key", 200, b'{"data":{"limit":10,"limit_remaining":0}}', Fault.AUTHENTICATION),
        ("openrouter", "/v1/key", 200, b'{"data":{"limit":10,"limit_remaining":-0.2}}', Fault.AUTHENTICATION),
        ("vllm", "/health", 503, b"", Fault.OVERLOADED),
        ("openai", "/v1/models", 500, b"", Fault.SERVER),
    ],
)
async def test_a_vendor_that_would_not_answer_is_not_healthy(
    vendor: ScriptedVendor, type: str, path: str, status: int, body: bytes, fault: Fault
) -> None:
    vendor.add(Raw(status, JSON, body), path=path)
    async with context(type, base_url=f"{vendor.url}/v1", api_key=vendor.key) as given:
        with pytest.raises(ProviderError) as raised:
            await build(given).check(20)
    assert raised.value.fault is fault


@pytest.mark.parametrize(
    ("type", "model", "continues"),
    [
        *((vendor.type, "any", vendor.type in ("mistral", "vllm")) for vendor in VENDORS if vendor.type != "ollama"),
        ("mistral", "magistral-medium-latest", False),
    ],
)
async def test_few_go_on_from_the_beginning_of_an_answer(type: str, model: str, continues: bool) -> None:
    async with context(type, base_url="http://127.0.0.1:1/v1", api_key="sk-of-a-test") as given:
        assert build(given).continues(model) is continues
