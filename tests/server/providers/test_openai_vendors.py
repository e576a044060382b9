"""Each vendor of OpenAI's dialect gets a long conversation with every parameter, and finds nothing in it to refuse."""

import pytest

from server.providers.base import Ask, Operation
from server.providers.errors import Fault, ProviderError
from server.providers.openai.provider import build
from tests.fakes.answers import Text, ToolCall
from tests.fakes.http1_request import JsonObject
from tests.fakes.vendor import ScriptedVendor
from tests.server.providers.asking import chat_ask, chat_batches, completion, context
from trunkline_json import IMAGE_REQUEST, VIDEO_REQUEST

VENDORS = {
    "openai": ("/v1", "o4-mini"),
    "azure_openai": ("/openai/v1", "gpt-5"),
    "openrouter": ("/openrouter/v1", "acme/large"),
    "perplexity": ("/perplexity/v1", "sonar-pro"),
    "grok": ("/grok/v1", "grok-4"),
    "blackbox": ("/blackbox/v1", "blackboxai/acme/large"),
    "mistral": ("/mistral/v1", "mistral-large-latest"),
    "groq": ("/groq/v1", "llama-3.3-70b-versatile"),
    "deepseek": ("/deepseek/v1", "deepseek-v4-pro"),
    "vllm": ("/vllm/v1", "qwen3"),
}
every_vendor = pytest.mark.parametrize("type", VENDORS)
CALL: JsonObject = {"id": "call_0123456789", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
TALK: list[object] = [
    {"role": "developer", "content": "Be brief."},
    {"role": "user", "content": "Hi", "name": "ann"},
    {"role": "user", "content": [{"type": "text", "text": "What is the weather?"}], "name": "bob"},
    {"role": "assistant", "content": None, "tool_calls": [CALL], "reasoning_content": "Look it up."},
    {"role": "tool", "tool_call_id": CALL["id"], "content": "rain"},
    {"role": "user", "content": "And tomorrow?"},
    {"role": "assistant", "content": "Sun.", "refusal": None, "reasoning": "A guess."},
    {"role": "system", "content": "Answer in JSON."},
    {"role": "user", "content": "Sure?"},
]
EVERYTHING: JsonObject = {
    "messages": TALK,
    "temperature": 0.3,
    "top_p": 0.9,
    "presence_penalty": 0.5,
    "frequency_penalty": 0,
    "stop": ["END"],
    "seed": 4,
    "logit_bias": {"5": 1},
    "logprobs": True,
    "top_logprobs": 2,
    "max_completion_tokens": 99,
    "reasoning_effort": "minimal",
    "response_format": {"type": "json_object"},
    "user": "u-1",
    "store": False,
    "metadata": {"a": "b"},
    "service_tier": "auto",
    "verbosity": "low",
    "safety_identifier": "s-1",
    "parallel_tool_calls": False,
    "tools": [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}],
}


async def asked(
    vendor: ScriptedVendor, type: str, body: JsonObject, streamed: bool = False, **settings: object
) -> JsonObject:
    """The body that a vendor got, and did not refuse."""
    path, model = VENDORS[type]
    async with context(type, base_url=vendor.url + path, api_key=vendor.key, **settings) as given:
        await chat_batches(build(given), chat_ask(body, model=model, streamed=streamed))
    return vendor.requests[-1].body


@every_vendor
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "stream"])
async def test_a_long_conversation_is_taken(vendor: ScriptedVendor, type: str, streamed: bool) -> None:
    body = await asked(vendor, type, EVERYTHING, streamed)
    assert body["messages"][-1]["content"].endswith("Sure?")
    assert not vendor.violations


@every_vendor
@pytest.mark.parametrize("format", ["json_object", "json_schema"])
async def test_a_form_of_answer_is_asked_for_as_the_vendor_can(vendor: ScriptedVendor, type: str, format: str) -> None:
    schema = {"name": "s", "schema": {"type": "object", "properties": {"a": {"type": "string"}}}}
    wanted: JsonObject = {"type": format} | ({"json_schema": schema} if format == "json_schema" else {})
    body = await asked(vendor, type, {"messages": [{"role": "user", "content": "JSON, please."}], "response_format": wanted})
    theirs = {"perplexity": "json_schema", "deepseek": "json_object"}.get(type, format)
    assert body["response_format"]["type"] == theirs
    if theirs == "json_object" and format == "json_schema":
        assert '"properties":{"a"' in body["messages"][0]["content"]


@pytest.mark.parametrize(
    ("type", "param"),
    [
        ("openai", "temperature"),
        ("azure_openai", "temperature"),
        ("grok", "presence_penalty"),
        ("groq", "logprobs"),
        ("mistral", "logit_bias"),
        ("perplexity", "logit_bias"),
    ],
)
async def test_what_a_vendor_cannot_honour_is_refused_where_the_settings_say_so(
    vendor: ScriptedVendor, type: str, param: str
) -> None:
    body: JsonObject = {"store": True, param: EVERYTHING[param]}
    with pytest.raises(ProviderError) as raised:
        await asked(vendor, type, body, unsupported_parameters="reject")
    assert (raised.value.fault, raised.value.param) == (Fault.UNSUPPORTED, param)
    assert param not in await asked(vendor, type, body, unsupported_parameters="drop")


async def test_a_parameter_that_asks_for_nothing_is_not_refused(vendor: ScriptedVendor) -> None:
    body: JsonObject = {"presence_penalty": 0, "frequency_penalty": 0, "user": "u"}
    assert "presence_penalty" not in await asked(vendor, "grok", body, unsupported_parameters="reject")


@pytest.mark.parametrize("type", ["groq", "deepseek"])
async def test_several_choices_are_refused_where_there_is_only_one(vendor: ScriptedVendor, type: str) -> None:
    with pytest.raises(ProviderError) as raised:
        await asked(vendor, type, {"n": 2})
    assert (raised.value.fault, raised.value.param) == (Fault.UNSUPPORTED, "n")


async def test_mistral_gets_reasoning_as_parts_and_its_own_ids(vendor: ScriptedVendor) -> None:
    messages = (await asked(vendor, "mistral", {"messages": TALK}))["messages"]
    [call] = messages[3]["tool_calls"]
    assert messages[3]["content"] == [{"type": "thinking", "thinking": [{"type": "text", "text": "Look it up."}]}]
    assert messages[4]["tool_call_id"] == call["id"]
    assert [message["role"] for message in messages[4:7]] == ["tool", "assistant", "user"]
    assert messages[7]["content"][1] == {"type": "text", "text": "Sun."}


async def test_an_id_of_mistrals_own_is_kept(vendor: ScriptedVendor) -> None:
    talk = [{"role": "user", "content": "Hi"}, {"role": "assistant", "tool_calls": [{**CALL, "id": "aB3dE6gH9"}]}]
    talk.append({"role": "tool", "tool_call_id": "aB3dE6gH9", "content": "rain"})
    messages = (await asked(vendor, "mistral", {"messages": talk}))["messages"]
    assert messages[2]["tool_call_id"] == "aB3dE6gH9"


@pytest.mark.parametrize(
    ("type", "key"),
    [("groq", "reasoning"), ("openrouter", "reasoning"), ("deepseek", "reasoning_content"), ("openai", None)],
)
async def test_reasoning_goes_back_under_the_vendors_name(vendor: ScriptedVendor, type: str, key: str | None) -> None:
    message = (await asked(vendor, type, {"messages": TALK}))["messages"][3]
    assert {name for name in ("reasoning", "reasoning_content") if name in message} == ({key} if key else set())


async def test_signed_reasoning_of_another_vendor_stays_here(vendor: ScriptedVendor) -> None:
    details = [{"type": "reasoning.encrypted", "data": "x"}]
    said = {"role": "assistant", "content": "a", "thinking_blocks": [{"type": "thinking"}], "reasoning_details": details}
    talk = {"messages": [{"role": "user", "content": "Hi"}, said, {"role": "user", "content": "And?"}]}
    for type, kept in (("openai", {}), ("openrouter", {"reasoning_details": details})):
        message = (await asked(vendor, type, talk))["messages"][1]
        assert message == {"role": "assistant", "content": "a", **kept}


async def test_deepseek_does_not_think_on_when_its_reasoning_is_lost(vendor: ScriptedVendor) -> None:
    lost = [{key: value for key, value in dict(message).items() if key != "reasoning_content"} for message in TALK]  # type: ignore[call-overload]
    assert "thinking" not in await asked(vendor, "deepseek", {"messages": TALK})
    assert (await asked(vendor, "deepseek", {"messages": lost}))["thinking"] == {"type": "disabled"}


async def test_perplexitys_speakers_take_turns(vendor: ScriptedVendor) -> None:
    messages = (await asked(vendor, "perplexity", {"messages": TALK}))["messages"]
    assert messages[0] == {"role": "system", "content": "Be brief."}
    texts = [{"type": "text", "text": "Hi"}, {"type": "text", "text": "What is the weather?"}]
    assert messages[1] == {"role": "user", "content": texts}
    assert messages[-1] == {"role": "user", "content": "Answer in JSON.\n\nSure?"}


@pytest.mark.parametrize(
    ("type", "fault"),
    [("grok", Fault.AUTHENTICATION), ("mistral", Fault.AUTHENTICATION), ("groq", Fault.AUTHENTICATION)],
)
async def test_a_wrong_key_is_told_in_every_form(vendor: ScriptedVendor, type: str, fault: Fault) -> None:
    path, model = VENDORS[type]
    async with context(type, base_url=vendor.url + path, api_key="wrong") as given:
        with pytest.raises(ProviderError) as raised:
            await chat_batches(build(given), chat_ask({}, model=model))
    assert raised.value.fault is fault


async def test_a_refusal_of_a_field_names_it(vendor: ScriptedVendor) -> None:
    vendor.expect_violation("Extra inputs are not permitted")
    with pytest.raises(ProviderError) as raised:
        await asked(vendor, "mistral", {"vendors_own": 1})
    error = raised.value
    assert (error.fault, error.status, error.param) == (Fault.INVALID_REQUEST, 422, "vendors_own")


@every_vendor
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "stream"])
async def test_a_call_of_tools_comes_back(vendor: ScriptedVendor, type: str, streamed: bool) -> None:
    vendor.add(ToolCall("weather", {"city": "Bern"}, id="call_1", finish_reason="stop"))
    path, model = VENDORS[type]
    async with context(type, base_url=vendor.url + path, api_key=vendor.key) as given:
        answer = await completion(build(given), chat_ask({}, model=model, streamed=streamed))
    [call] = answer.choices[0].message.tool_calls
    assert (call.id, call.type, call.function.arguments) == ("call_1", "function", '{"city":"Bern"}')
    assert answer.choices[0].finish_reason == "tool_calls"


# Images and videos through chat


async def media(vendor: ScriptedVendor, operation: Operation, body: JsonObject, **settings: object) -> list[str]:
    """The addresses of what Blackbox made."""
    form = {Operation.IMAGES: IMAGE_REQUEST, Operation.VIDEOS: VIDEO_REQUEST}[operation]
    request = form.parse({"model": "alias", "prompt": "A cat.", **body}, True)  # type: ignore[attr-defined]
    ask = Ask(operation, request, "blackboxai/acme/film", streamed=False, timeout_s=20)
    async with context("blackbox", base_url=f"{vendor.url}/blackbox/v1", api_key=vendor.key, **settings) as given:
        [batch] = await chat_batches(build(given), ask)
    made = batch.images if operation is Operation.IMAGES else batch.videos  # type: ignore[attr-defined]
    return [item.url for item in made.data]


@pytest.mark.parametrize("operation", [Operation.IMAGES, Operation.VIDEOS])
@pytest.mark.parametrize(
    ("text", "urls"),
    [
        ("https://cdn.example.com/a.png", ["https://cdn.example.com/a.png"]),
        ("Here: ![a cat](https://cdn.example.com/a.png)", ["https://cdn.example.com/a.png"]),
        ("data:image/png;base64,AAAA", ["data:image/png;base64,AAAA"]),
    ],
)
async def test_what_blackbox_makes_is_an_address_in_a_chat(
    vendor: ScriptedVendor, operation: Operation, text: str, urls: list[str]
) -> None:
    vendor.add(Text(text, pieces=(text,)))
    assert await media(vendor, operation, {"user": "u"}) == urls
    sent = vendor.requests[0]
    assert sent.path == "/blackbox/v1/chat/completions"
    assert sent.body == {"model": "blackboxai/acme/film", "messages": [{"role": "user", "content": "A cat."}]}


async def test_a_chat_without_an_address_made_nothing(vendor: ScriptedVendor) -> None:
    vendor.add(Text("I would rather not."))
    with pytest.raises(ProviderError) as raised:
        await media(vendor, Operation.IMAGES, {})
    assert raised.value.fault is Fault.PROTOCOL


@pytest.mark.parametrize(
    ("body", "settings", "param"),
    [({"n": 2}, {}, "n"), ({"size": "512x512"}, {"unsupported_parameters": "reject"}, "size")],
)
async def test_a_chat_cannot_say_all_that_a_request_for_images_can(
    vendor: ScriptedVendor, body: JsonObject, settings: JsonObject, param: str
) -> None:
    with pytest.raises(ProviderError) as raised:
        await media(vendor, Operation.IMAGES, body, **settings)
    assert (raised.value.fault, raised.value.param) == (Fault.UNSUPPORTED, param)
