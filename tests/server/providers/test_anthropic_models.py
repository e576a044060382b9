"""What the provider of Anthropic's dialect tells of its models, and how it goes on from the beginning of an answer."""

from collections.abc import AsyncIterator

import pytest

from server.providers.anthropic.provider import build
from server.providers.anthropic.seam import Seam
from server.providers.base import Ask, ListedModel, Provider
from server.providers.errors import Fault, ProviderError
from tests.fakes.answers import Status, Text
from tests.fakes.faults import BadJson, ErrorOn200, Stall
from tests.fakes.vendor import ScriptedVendor
from tests.server.providers.anthropic_asking import NEWER, OLDER, TOOLS
from tests.server.providers.asking import chat_ask, completion, context

MODELS = ("claude-opus-5-5", "claude-haiku-4-5")
LIST = "/v1/models"
SUPPORTED, LACKING = {"supported": True}, {"supported": False}


@pytest.fixture
async def vendor() -> AsyncIterator[ScriptedVendor]:
    async with ScriptedVendor(models=(*MODELS, OLDER)) as vendor:
        yield vendor


@pytest.fixture
async def provider(vendor: ScriptedVendor) -> AsyncIterator[Provider]:
    async with context("anthropic", base_url=vendor.url, api_key=vendor.key) as given:
        yield build(given)


def page(*models: dict[str, object], more: bool = False, last: str | None = "last") -> Status:
    return Status(200, body={"data": list(models), "has_more": more, "first_id": None, "last_id": last})


async def listing_failure(provider: Provider) -> ProviderError:
    with pytest.raises(ProviderError) as raised:
        await provider.models(timeout_s=5)
    return raised.value


async def test_the_list_tells_names_and_limits(provider: Provider) -> None:
    found = await provider.models(timeout_s=5)
    assert [model.id for model in found] == [*MODELS, OLDER]
    assert found[0] == ListedModel(
        MODELS[0], 1_763_000_000, "anthropic", 200_000, 64_000, capabilities=frozenset({"chat", "tools"})
    )


async def test_the_list_is_read_to_its_last_page(vendor: ScriptedVendor, provider: Provider) -> None:
    vendor.add(page({"id": "a"}, more=True, last="a/b&c"), page({"id": "b"}), path=LIST)
    assert [model.id for model in await provider.models(timeout_s=5)] == ["a", "b"]
    assert [request.query for request in vendor.requests] == [{"limit": "1000"}, {"limit": "1000", "after_id": "a/b&c"}]
    assert vendor.requests[0].headers["anthropic-version"] == "2026-10-21"


async def test_capabilities_are_told_by_the_list(vendor: ScriptedVendor, provider: Provider) -> None:
    seeing = {"image_input": SUPPORTED, "thinking": {**SUPPORTED, "types": {}}, "structured_outputs": LACKING, "effort": 5}
    writing = {"structured_outputs": SUPPORTED, "image_input": "news", "thinking": None}
    vendor.add(page({"id": "a", "capabilities": seeing}, {"id": "b", "capabilities": writing}), path=LIST)
    one, other = await provider.models(timeout_s=5)
    assert one.capabilities == {"chat", "tools", "vision", "reasoning"}
    assert other.capabilities == {"chat", "tools", "json_schema"}
    assert (one.created, one.context_window, one.max_output_tokens) == (None, None, None)


async def test_retired_models_are_left_out(vendor: ScriptedVendor, provider: Provider) -> None:
    vendor.add(page({"id": "a", "lifecycle": "retired"}, {"id": "b", "lifecycle": "deprecated"}), path=LIST)
    assert [model.id for model in await provider.models(timeout_s=5)] == ["b"]


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Status(401), Fault.AUTHENTICATION),
        (Status(529), Fault.OVERLOADED),
        (Status(200, body={"data": [{"name": "nameless"}]}), Fault.PROTOCOL),
        (Status(200, body=b"[]"), Fault.PROTOCOL),
        (BadJson(), Fault.PROTOCOL),
        (ErrorOn200(status=529), Fault.OVERLOADED),
    ],
)
async def test_a_list_that_does_not_come_is_an_error(
    vendor: ScriptedVendor, provider: Provider, answer: Status, kind: Fault
) -> None:
    vendor.add(answer, path=LIST)
    assert (await listing_failure(provider)).fault is kind


async def test_a_list_that_repeats_itself_is_an_error(vendor: ScriptedVendor, provider: Provider) -> None:
    vendor.add(*[page({"id": "a"}, more=True)] * 50, path=LIST)
    assert (await listing_failure(provider)).fault is Fault.PROTOCOL


async def test_a_list_that_takes_too_long_is_a_timeout(vendor: ScriptedVendor, provider: Provider) -> None:
    vendor.add(Stall(), path=LIST)
    with pytest.raises(ProviderError) as raised:
        await provider.models(timeout_s=0.05)
    assert raised.value.fault is Fault.TIMEOUT


async def test_a_check_asks_for_one_line_of_the_list(vendor: ScriptedVendor, provider: Provider) -> None:
    await provider.check(timeout_s=5)
    assert [request.target for request in vendor.requests] == ["/v1/models?limit=1"]


async def test_a_check_fails_as_a_request_would(vendor: ScriptedVendor) -> None:
    async with context("anthropic", base_url=vendor.url, api_key="sk-wrong") as given:
        with pytest.raises(ProviderError) as raised:
            await build(given).check(timeout_s=5)
    assert raised.value.fault is Fault.AUTHENTICATION


@pytest.mark.parametrize(
    ("model", "continues"),
    [
        ("claude-3-5-haiku-20241022", True),
        ("claude-opus-4-1", True),
        ("claude-sonnet-4-5-20250929", True),
        ("claude-opus-4-5", True),
        ("claude-opus-4-6", False),
        ("claude-sonnet-4-6", False),
        ("claude-opus-5-5", False),
        ("claude-sonnet-5", False),
        ("claude-fable-5", False),
        ("claude-something-new", False),
        ("another-vendors-model", False),
    ],
)
async def test_only_models_known_to_go_on_from_a_beginning_are_asked_to(
    provider: Provider, model: str, continues: bool
) -> None:
    assert provider.continues(model) is continues


def going_on(prefix: str, body: dict[str, object] | None = None, streamed: bool = False, model: str = OLDER) -> Ask:
    ask = chat_ask(body or {}, model, streamed)
    ask.prefix = prefix
    return ask


@pytest.mark.parametrize("streamed", [False, True])
async def test_an_answer_goes_on_from_its_beginning(vendor: ScriptedVendor, provider: Provider, streamed: bool) -> None:
    vendor.add(Text(" \n\nthere, you", pieces=(" ", "\n\nthe", "re, you")))
    answer = await completion(provider, going_on("Hello \n", streamed=streamed))
    assert answer.choices[0].message.content == "\nthere, you"
    assert vendor.requests[0].body["messages"][-1] == {
        "role": "assistant",
        "content": [{"type": "text", "text": "Hello"}],
    }


async def test_a_beginning_of_blanks_alone_is_not_sent(vendor: ScriptedVendor, provider: Provider) -> None:
    vendor.add(Text("\n Hello"))
    assert (await completion(provider, going_on("\n"))).choices[0].message.content == " Hello"
    assert [message["role"] for message in vendor.requests[0].body["messages"]] == ["user"]


async def test_what_the_vendor_refuses_beside_a_beginning_is_left_out(vendor: ScriptedVendor, provider: Provider) -> None:
    schema = {"type": "json_schema", "json_schema": {"name": "s", "schema": {"type": "object"}}}
    asked: dict[str, object] = {
        "reasoning_effort": "high",
        "response_format": schema,
        "tools": TOOLS,
        "tool_choice": "required",
    }
    await completion(provider, going_on("Hello", asked))
    body = vendor.requests[0].body
    assert body.keys().isdisjoint({"thinking", "output_config"})
    assert body["tool_choice"] == {"type": "auto"}


async def test_a_model_that_cannot_go_on_is_not_asked_to(provider: Provider) -> None:
    with pytest.raises(ProviderError) as raised:
        await completion(provider, going_on("Hello", model=NEWER))
    assert raised.value.fault is Fault.UNSUPPORTED


@pytest.mark.parametrize(
    ("prefix", "pieces", "text"),
    [
        ("Hello", (" there",), " there"),
        ("Hello ", (" there",), "there"),
        ("Hello ", ("there",), "there"),
        ("Hello\n", ("\n\nthere",), "\nthere"),
        ("Hello \n", ("", " ", "", "\n", "\n", " there \n"), "\n there \n"),
        ("Hello\n", (" there\n",), " there\n"),
        ("", ("\nthere",), "\nthere"),
    ],
)
def test_no_blank_is_lost_or_said_twice_at_the_seam(prefix: str, pieces: tuple[str, ...], text: str) -> None:
    seam = Seam(prefix)
    assert "".join(seam.close(piece) for piece in pieces) == text
