"""OpenAI's parameters in Gemini's form, each checked by the scripted vendor's rules too."""

import pytest

from server.config.provider_settings import ProviderSettings
from server.providers.errors import Fault, ProviderError
from server.providers.gemini.request import vendor_request
from tests.server.providers.asking import chat_ask
from tests.server.providers.gemini_asking import HELLO, NEWER, OLDER, SCHEMA, TOOLS, USER, refused, written


def test_the_smallest_request_has_the_conversation_alone() -> None:
    assert written({}) == {"contents": [HELLO]}


CONFIG: dict[str, tuple[dict[str, object], dict[str, object]]] = {
    "max_tokens": ({"max_tokens": 5}, {"maxOutputTokens": 5}),
    "max_completion_tokens": ({"max_tokens": 5, "max_completion_tokens": 6}, {"maxOutputTokens": 6}),
    "one stop": ({"stop": "END"}, {"stopSequences": ["END"]}),
    "stops without empty ones": ({"stop": ["a", ""]}, {"stopSequences": ["a"]}),
    "too many stops": ({"stop": list("abcdef")}, {"stopSequences": list("abcde")}),
    "choices": ({"n": 2}, {"candidateCount": 2}),
    "one choice": ({"n": 1}, {}),
    "sampling": ({"temperature": 1.5, "top_p": 0.5, "top_k": 7}, {"temperature": 1.5, "topP": 0.5, "topK": 7}),
    "zero is not absent": ({"temperature": 0, "seed": 0}, {"temperature": 0, "seed": 0}),
    "a seed of 64 bits": ({"seed": (1 << 40) + 3}, {"seed": 3}),
    "modalities": ({"modalities": ["text", "image"]}, {"responseModalities": ["TEXT", "IMAGE"]}),
    "text alone": ({"modalities": ["text"]}, {}),
    "the vendor's own": (
        {"image_config": {"aspectRatio": "1:1"}, "mediaResolution": "MEDIA_RESOLUTION_LOW"},
        {"imageConfig": {"aspectRatio": "1:1"}, "mediaResolution": "MEDIA_RESOLUTION_LOW"},
    ),
    "any json": ({"response_format": {"type": "json_object"}}, {"responseMimeType": "application/json"}),
    "plain text": ({"response_format": {"type": "text"}}, {}),
    "a schema": (
        {"response_format": {"type": "json_schema", "json_schema": {"name": "w", "schema": SCHEMA}}},
        {"responseMimeType": "application/json", "responseJsonSchema": SCHEMA},
    ),
    "hints": ({"user": "u", "metadata": {"a": "b"}, "store": True, "verbosity": "low", "prompt_cache_key": "k"}, {}),
    "unknown": ({"made_up": 1, "service_tier": "flex"}, {}),
    "dropped": ({"logit_bias": {"1": 2}, "parallel_tool_calls": False, "prediction": {"type": "content"}}, {}),
}


@pytest.mark.parametrize(("given", "expected"), CONFIG.values(), ids=CONFIG)
def test_parameters(given: dict[str, object], expected: dict[str, object]) -> None:
    assert written(given) == {"contents": [HELLO], **({"generationConfig": expected} if expected else {})}


OLD: dict[str, tuple[dict[str, object], dict[str, object]]] = {
    "penalties": (
        {"presence_penalty": 1, "frequency_penalty": -1},
        {"presencePenalty": 1, "frequencyPenalty": -1},
    ),
    "no penalties": ({"presence_penalty": 0, "frequency_penalty": 0}, {}),
    "logprobs": ({"logprobs": True, "top_logprobs": 3}, {"responseLogprobs": True, "logprobs": 3}),
    "logprobs alone": ({"logprobs": True}, {"responseLogprobs": True}),
    "no logprobs": ({"logprobs": False}, {}),
}


@pytest.mark.parametrize(("given", "expected"), OLD.values(), ids=OLD)
def test_what_old_models_alone_take(given: dict[str, object], expected: dict[str, object]) -> None:
    old, newer = (written(given, model).get("generationConfig", {}) for model in ("gemini-2.0-flash", OLDER))
    assert (old, newer) == (expected, {})


def test_a_limit_of_the_settings_holds_where_nobody_sets_one() -> None:
    assert written({}, default_max_tokens=9)["generationConfig"] == {"maxOutputTokens": 9}
    assert written({"max_tokens": 5}, default_max_tokens=9)["generationConfig"] == {"maxOutputTokens": 5}


@pytest.mark.parametrize(
    "given",
    [
        {"logit_bias": {"1": 2}},
        {"parallel_tool_calls": False},
        {"prediction": {"type": "content"}},
        {"audio": {"voice": "x"}},
        {"presence_penalty": 1},
        {"frequency_penalty": -1},
        {"logprobs": True},
        {"stop": list("abcdef")},
    ],
    ids=lambda given: next(iter(given)),
)
def test_what_cannot_be_honoured_is_refused_where_the_settings_say_so(given: dict[str, object]) -> None:
    assert refused(given, unsupported_parameters="reject") == (Fault.UNSUPPORTED, next(iter(given)))


def test_what_changes_nothing_is_never_refused() -> None:
    assert written({"parallel_tool_calls": True, "logprobs": False, "presence_penalty": 0}, unsupported_parameters="reject")


def test_more_choices_than_the_vendor_makes_are_refused() -> None:
    assert refused({"n": 9}) == (Fault.UNSUPPORTED, "n")


OWN = {"safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "OFF"}], "cachedContent": "cachedContents/1"}


@pytest.mark.parametrize(
    "given",
    [
        OWN,
        {"safety_settings": OWN["safetySettings"], "cached_content": "cachedContents/1"},
        {"google": {"safety_settings": OWN["safetySettings"], "cached_content": "cachedContents/1"}},
        {"extra_body": {"google": {"safety_settings": OWN["safetySettings"], "cached_content": "cachedContents/1"}}},
    ],
    ids=["as it spells them", "in snake case", "under its name", "as its own layer has them"],
)
def test_what_only_the_vendor_has_is_handed_on(given: dict[str, object]) -> None:
    assert written(given) == {"contents": [HELLO], **OWN}


def budget(tokens: int) -> dict[str, object]:
    return {"thinkingBudget": tokens, "includeThoughts": True}


def level(name: str) -> dict[str, object]:
    return {"thinkingLevel": name, "includeThoughts": True}


THINKING: dict[str, tuple[str, str, object]] = {
    "minimal budget": (OLDER, "minimal", budget(1024)),
    "low budget": (OLDER, "low", budget(1024)),
    "medium budget": (OLDER, "medium", budget(8192)),
    "high budget": ("gemini-2.5-pro", "high", budget(24_576)),
    "highest budget": (OLDER, "max", budget(24_576)),
    "no budget": (OLDER, "none", {"thinkingBudget": 0}),
    "least budget of a pro": ("gemini-2.5-pro", "none", {"thinkingBudget": 128}),
    "minimal level": (NEWER, "minimal", level("MINIMAL")),
    "medium level": (NEWER, "medium", level("MEDIUM")),
    "highest level": (NEWER, "xhigh", level("HIGH")),
    "lowest level": (NEWER, "none", {"thinkingLevel": "MINIMAL"}),
    "the first pro knows two": ("gemini-3-pro-preview", "medium", level("HIGH")),
    "its lowest": ("gemini-3-pro-preview", "none", {"thinkingLevel": "LOW"}),
    "a later pro knows three": ("gemini-3.1-pro-preview", "medium", level("MEDIUM")),
    "no minimal pro": ("gemini-3.1-pro-preview", "minimal", level("LOW")),
    "a model to come": ("gemini-4-flash", "low", level("LOW")),
    "a model that does not think": ("gemini-2.0-flash", "high", None),
    "neither does it": ("gemini-2.0-flash", "none", None),
    "one that draws": ("gemini-2.5-flash-image", "low", None),
    "another family": ("gemma-3-27b-it", "high", None),
}


@pytest.mark.parametrize(("model", "effort", "thinking"), THINKING.values(), ids=THINKING)
def test_reasoning_effort_is_thinking(model: str, effort: str, thinking: object) -> None:
    body = written({"reasoning_effort": effort}, model)
    assert body == {"contents": [HELLO], **({"generationConfig": {"thinkingConfig": thinking}} if thinking else {})}


def test_thinking_in_the_vendors_form_goes_first() -> None:
    own = {"thinkingBudget": -1}
    given = {"reasoning_effort": "low", "extra_body": {"google": {"thinking_config": own}}}
    assert written(given)["generationConfig"] == {"thinkingConfig": own}


@pytest.mark.parametrize(("model", "effort"), [("gemini-2.0-flash", "high"), (OLDER, "heroic")])
def test_an_effort_that_is_not_known_is_refused_where_the_settings_say_so(model: str, effort: str) -> None:
    rejected = refused({"reasoning_effort": effort}, model, unsupported_parameters="reject")
    assert rejected == (Fault.UNSUPPORTED, "reasoning_effort")


def test_no_effort_is_what_a_model_without_thinking_does() -> None:
    assert written({"reasoning_effort": "none"}, "gemini-2.0-flash", unsupported_parameters="reject")


FORM = {"type": "json_schema", "json_schema": {"name": "w", "schema": SCHEMA}}


def test_an_older_model_with_tools_is_told_the_form_in_words() -> None:
    messages = [{"role": "system", "content": "Be kind."}, USER]
    body = written({"messages": messages, "response_format": FORM, "tools": TOOLS})
    assert "generationConfig" not in body
    kind, form = body["systemInstruction"]["parts"]  # type: ignore[index]
    assert kind == {"text": "Be kind."}
    assert '"city"' in form["text"]


def test_a_newer_model_takes_tools_and_a_form_together() -> None:
    body = written({"response_format": FORM, "tools": TOOLS}, NEWER)
    assert body["generationConfig"] == {"responseMimeType": "application/json", "responseJsonSchema": SCHEMA}
    assert "systemInstruction" not in body


def test_extras_that_are_no_object_are_the_callers_fault() -> None:
    ask = chat_ask({}, OLDER)
    ask.request.extra_json = "[1"
    with pytest.raises(ProviderError) as raised:
        vendor_request(ask, ask.request, ProviderSettings(name="a", type="gemini"))  # type: ignore[arg-type]
    assert (raised.value.fault, raised.value.param) == (Fault.INVALID_REQUEST, "extra_json")


def test_a_request_that_is_nested_too_deeply_is_the_callers_fault() -> None:
    ask = chat_ask({}, OLDER)
    ask.request.extra_json = '{"safety_settings":' * 300 + "1" + "}" * 300
    with pytest.raises(ProviderError) as raised:
        vendor_request(ask, ask.request, ProviderSettings(name="a", type="gemini"))  # type: ignore[arg-type]
    assert raised.value.fault is Fault.INVALID_REQUEST
