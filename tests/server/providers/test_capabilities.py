"""What single models refuse, told from their names."""

from collections.abc import Mapping

import pytest

from server.providers.capabilities import Gate, capabilities, fit
from server.providers.errors import Fault, ProviderError

SAMPLING: dict[str, object] = {"temperature": 0.5, "top_p": 0.5, "logprobs": True, "top_logprobs": 2}
PENALTIES: dict[str, object] = {"presence_penalty": 0.5, "frequency_penalty": 0}


def fitted(vendor: str, model: str, given: Mapping[str, object], reject: bool = False) -> dict[str, object]:
    """What is left of a body."""
    body = dict(given)
    fit(body, capabilities(vendor, model), Gate(reject))
    return body


@pytest.mark.parametrize("vendor", ["openai", "azure_openai"])
@pytest.mark.parametrize("model", ["o1", "o3", "o3-mini", "o4-mini-2025-04-16", "gpt-5", "gpt-5-mini", "gpt-5.1", "gpt-6"])
def test_reasoning_models_take_no_sampling_and_the_new_limit(vendor: str, model: str) -> None:
    body = fitted(vendor, model, {**SAMPLING, **PENALTIES, "logit_bias": {"5": 1}, "max_tokens": 9, "seed": 1})
    assert body == {"seed": 1, "max_completion_tokens": 9}


@pytest.mark.parametrize("model", ["gpt-4o", "gpt-4.1-mini", "gpt-3.5-turbo", "gpt-5-chat-latest", "ft:gpt-4o:acme", "mine"])
def test_other_models_take_what_was_asked_for(model: str) -> None:
    body = {**SAMPLING, **PENALTIES, "max_tokens": 9, "stop": "x"}
    assert fitted("openai", model, body) == body


@pytest.mark.parametrize("vendor", ["openai_compatible", "openrouter", "vllm", "deepseek"])
def test_a_name_means_something_only_at_its_vendor(vendor: str) -> None:
    body = {**SAMPLING, **PENALTIES, "reasoning_effort": "low"}
    assert fitted(vendor, "gpt-5", body) == body


@pytest.mark.parametrize(
    ("vendor", "model", "effort", "theirs"),
    [
        ("openai", "o3", "minimal", "low"),
        ("openai", "o3", "high", "high"),
        ("openai", "o3", "none", None),
        ("openai", "o1-mini", "low", None),
        ("openai", "gpt-5", "minimal", "minimal"),
        ("openai", "gpt-5", "none", "minimal"),
        ("openai", "gpt-5.1", "minimal", "low"),
        ("openai", "gpt-5.1-codex", "none", "none"),
        ("openai", "gpt-5.6", "max", "max"),
        ("grok", "grok-3-mini", "high", "high"),
        ("grok", "grok-4.3", "low", "low"),
        ("grok", "grok-4.20-multi-agent", "low", "low"),
        ("grok", "grok-4.20-reasoning", "low", None),
        ("grok", "grok-4", "low", None),
        ("grok", "grok-4-fast-non-reasoning", "low", None),
        ("grok", "grok-code-fast-1", "low", None),
        ("groq", "openai/gpt-oss-20b", "minimal", "low"),
        ("groq", "qwen/qwen3-32b", "none", "none"),
        ("groq", "qwen/qwen3-32b", "high", "default"),
        ("groq", "llama-3.3-70b-versatile", "low", None),
        ("deepseek", "deepseek-v4-pro", "low", "low"),
        ("perplexity", "sonar-reasoning-pro", "minimal", "minimal"),
        ("perplexity", "sonar-reasoning-pro", "none", "minimal"),
        ("perplexity", "sonar-deep-research", "xhigh", "high"),
        ("mistral", "mistral-small-latest", "none", "none"),
        ("mistral", "mistral-small-latest", "minimal", "none"),
        ("mistral", "mistral-small-latest", "medium", "high"),
        ("mistral", "magistral-medium-latest", "xhigh", "high"),
    ],
)  # fmt: skip
def test_effort_is_said_in_the_models_words(vendor: str, model: str, effort: str, theirs: str | None) -> None:
    assert fitted(vendor, model, {"reasoning_effort": effort}).get("reasoning_effort") == theirs


def test_newer_models_take_sampling_where_they_do_not_reason() -> None:
    body = {**SAMPLING, "reasoning_effort": "none"}
    assert fitted("openai", "gpt-5.2", body) == body
    assert fitted("openai", "gpt-5.2", SAMPLING) == {}


@pytest.mark.parametrize(
    ("model", "refused"),
    [
        ("grok-4", True),
        ("grok-4-fast-reasoning", True),
        ("grok-3-mini", True),
        ("grok-code-fast-1", True),
        ("grok-3", False),
        ("grok-4-fast-non-reasoning", False),
    ],
)
def test_reasoning_groks_take_neither_penalties_nor_stops(model: str, refused: bool) -> None:
    body = {**PENALTIES, "stop": "x"}
    assert fitted("grok", model, {**body, "seed": 1}) == ({"seed": 1} if refused else {**body, "seed": 1})


@pytest.mark.parametrize("param", [*SAMPLING, "presence_penalty", "logit_bias", "stop"])
def test_what_would_have_shaped_the_answer_is_refused_by_name(param: str) -> None:
    value = {**SAMPLING, **PENALTIES, "logit_bias": {"5": 1}, "stop": "x"}[param]
    with pytest.raises(ProviderError) as raised:
        fitted("openai", "o4-mini", {param: value}, reject=True)
    assert (raised.value.fault, raised.value.param) == (Fault.UNSUPPORTED, param)


def test_what_happens_anyway_is_never_refused() -> None:
    body = {"temperature": 1, "top_p": 1.0, "presence_penalty": 0, "logprobs": False, "logit_bias": {}}
    assert fitted("openai", "o4-mini", body, reject=True) == {}
